"""What a user or a machine gets wrong: each command says what is the matter and what to do, ends with code 1, loses nothing."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.chain.devchain import DevChain, DevNode
from connectors.chain.rpc import RpcSource
from connectors.embedding.model import ModelFiles
from streams.core.block import BlockRef
from streams.settings import Settings
from streams.topics import MEMORY_LOG
from tests.conftest import MODELS
from tests.e2e.pipeline import agree, observing, producing, rest, until
from tests.e2e.processes import Child, run, running
from tests.e2e.readback import marked

pytestmark = pytest.mark.kafka
WORKER = ("worker", "--agents", "memory,lattice")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def refused(settings: Settings, *arguments: str) -> str:
    """What the command says when it refuses: an error and a hint, no trace."""
    code, said = run(settings, *arguments)
    assert code == 1, said
    assert said.count("error: ") == 1, said
    assert "Traceback" not in said
    return said


def test_a_worker_without_the_model_says_how_to_get_it(kafka_settings: Settings, tmp_path: Path) -> None:
    kafka_settings.rag.models_path = tmp_path / "nothing"
    assert "monmouth model fetch" in refused(kafka_settings, "worker", "--agents", "embedding")


def test_a_worker_does_not_need_the_model_for_other_agents(kafka_settings: Settings, tmp_path: Path) -> None:
    kafka_settings.rag.models_path = tmp_path / "nothing"
    assert "no stream agent is called nobody" in refused(kafka_settings, "worker", "--agents", "memory,nobody")


@pytest.mark.model
def test_busy_ports_are_named_with_a_way_out(kafka_settings: Settings, taken: int, model_files: ModelFiles) -> None:
    kafka_settings.rag.models_path = MODELS
    said = refused(kafka_settings, "gateway", "--port", str(taken), "--metrics-port", "0")
    assert f"127.0.0.1:{taken}" in said
    assert "MONMOUTH_GATEWAY__PORT" in said
    said = refused(kafka_settings, "gateway", "--port", "0", "--metrics-port", str(taken))
    assert "MONMOUTH_GATEWAY__METRICS_PORT" in said
    for command in (WORKER, ("producer",)):
        assert str(taken) in refused(kafka_settings, *command, "--metrics-port", str(taken))


def test_a_busy_port_of_the_broker_is_named(kafka_settings: Settings, taken: int) -> None:
    said = refused(kafka_settings, "infra", "up", "--port", str(taken))
    assert str(taken) in said


def test_a_broker_that_is_not_there_is_named(kafka_settings: Settings) -> None:
    kafka_settings.kafka.bootstrap = "127.0.0.1:1"
    assert "monmouth infra up" in refused(kafka_settings, "topics", "apply")


async def test_a_worker_with_another_key_refuses_the_log(kafka_settings: Settings, tmp_path: Path) -> None:
    await chain_in_the_log(kafka_settings)
    stranger = kafka_settings.model_copy(deep=True)
    stranger.state_dir = tmp_path / "other"
    said = await asyncio.to_thread(refused, stranger, *WORKER)
    assert "signed by unknown key" in said
    assert "trusted keys file" in said
    assert all(not partition.values for partition in (await marked(kafka_settings, MEMORY_LOG)).values())


async def chain_in_the_log(settings: Settings, blocks: int = 6, transactions: int = 4) -> tuple[DevNode, BlockRef]:
    """A development chain, published; the node is not served any more, but its chain can still be asked."""
    node = DevNode(DevChain(5, transactions=transactions))
    async with node:
        node.chain.advance(blocks)
        settings.chain.rpc_url, settings.chain.poll_interval = node.url, 0.1
        source = RpcSource(node.url, level="header")
        async with producing(settings, source) as (producer, task):
            head = node.chain.head.ref
            await until(lambda: producer.progress.view.tip == head, task, what="the whole chain in the log")
        await source.close()
    return node, head


def small_files(limit: int) -> Callable[[], None]:
    """Makes a process fail to grow any file beyond ``limit`` bytes, as a full disk does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


async def test_a_worker_on_a_full_disk_says_so_waits_and_loses_nothing(kafka_settings: Settings) -> None:
    settings, names = kafka_settings, ("memory", "lattice")
    chain, head = await chain_in_the_log(settings, blocks=30, transactions=20)
    async with observing(settings) as seen:
        child = Child(settings, *WORKER, prepare=small_files(512 * 1024))
        try:
            await until(lambda: "the disk is full" in child.said(), what="a word about the disk")
            await asyncio.sleep(1.0)
            child.check()  # space may come back; it goes on trying
            assert seen.reached("memory") < seen.sequence
        finally:
            child.process.kill()
            await asyncio.to_thread(child.process.wait, 30)
        assert "Free space" in child.said()
        assert "Traceback" not in child.said()
        async with running(settings, *WORKER):
            await rest(seen, head, names)
        async with DevNode(chain.chain) as node:
            source = RpcSource(node.url, level="header")
            expected = await agree(settings, source, head, names)
            await source.close()
    assert expected.world.count > 400


def test_a_state_folder_that_cannot_be_written_is_named(kafka_settings: Settings, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    kafka_settings.state_dir = blocked
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    assert str(blocked) in refused(kafka_settings, *WORKER)

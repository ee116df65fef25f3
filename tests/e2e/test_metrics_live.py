"""A live system of broker, producer, worker, gateway and ops is scraped over HTTP: each metric moves with its event."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from connectors.chain.devchain.steps import Step, StepKind
from connectors.chain.jsonrpc import JsonRpc
from connectors.stores import open_memory_store, open_vector_store
from infra.broker.ports import free_port
from streams import topics, wall
from streams.errors import LogIntegrityError, SourceError
from streams.health import Health
from streams.metrics import CPU_SECONDS
from streams.ops.app.run import run_ops
from streams.ops.reporter import reporting
from streams.producer import metrics as producing
from streams.runtime import scores
from streams.serving import metrics as serving
from streams.serving.async_client import AsyncClient
from streams.serving.messages.asking import MessageClient
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.switches import FILE as SWITCHES
from streams.switches import VECTORS, Switch, change
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import Small, small
from tests.e2e.stranger import GARBAGE, stranger
from tests.identity import operator_token
from tests.metrics_table import documented

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

LINE = re.compile(r"^(monmouth_\w+)(?:\{.*\})? ([0-9.e+-]+)$", re.MULTILINE)
NAMES = ("intent", "memory", "embedding", "lattice", "graph")
SECONDS = 60


class Page:
    """/metrics of the system, again and again."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def sums(self) -> dict[str, float]:
        """The sum of all series of a name."""
        async with aiohttp.ClientSession() as session, session.get(self._url) as answer:
            found: dict[str, float] = {}
            for name, value in LINE.findall(await answer.text()):
                found[name] = found.get(name, 0.0) + float(value)
            return found

    @asynccontextmanager
    async def moves(self, *names: str) -> AsyncIterator[None]:
        """What happens in the block moves each of these metrics, a little later at most."""
        before = await self.sums()
        yield
        deadline = time.monotonic() + SECONDS
        while still := [name for name in names if (await self.sums()).get(name, 0.0) == before.get(name, 0.0)]:
            assert time.monotonic() < deadline, f"did not move: {still}"
            await asyncio.sleep(0.2)

    async def until(self, name: str, met: Callable[[float], bool]) -> float:
        """Waits for a value that this is true of, and gives it."""
        deadline = time.monotonic() + SECONDS
        while not met(value := (await self.sums())[name]):
            assert time.monotonic() < deadline, f"{name} stays at {value}"
            await asyncio.sleep(0.2)
        return value


def reorganised(pipeline: Small, depth: int) -> None:
    for _ in pipeline.node.apply(Step(StepKind.REORG, depth=depth)):
        pass


async def test_each_metric_moves_with_its_event(kafka_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = kafka_settings
    settings.gateway.port = settings.gateway.metrics_port = 0
    monkeypatch.setattr(scores, "WINDOW", 1.0)
    embedder = HashEmbedder()
    stores = Stores(open_memory_store(settings), open_vector_store(settings))
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    gateway, stop, health = Gateway(settings, stores, embedder, verifier), asyncio.Event(), Health(60)
    with pytest.raises(LogIntegrityError, match="records were read, the marker counts"):
        async with small(settings, NAMES) as pipeline, stranger(settings) as foe:
            monkeypatch.setattr(wall, "time_of_day", lambda: pipeline.node.chain.head.header.timestamp + 0.5)
            await gateway.start()
            ops = asyncio.create_task(run_ops(settings, stop, health))
            try:
                async with reporting(settings, settings.kafka, "worker", health):
                    await _events(settings, gateway, pipeline, Page(gateway.metrics_url))
                    async with Page(gateway.metrics_url).moves("monmouth_runtime_integrity_stops_total"):
                        await foe.write(topics.TRANSACTIONS, [GARBAGE], partition=0)
                        pipeline.advance(2)
            finally:
                stop.set()
                await asyncio.gather(ops, return_exceptions=True)
                await gateway.stop()
                await stores.memories.close()
                await stores.vectors.close()


async def _events(settings: Settings, gateway: Gateway, pipeline: Small, page: Page) -> None:
    agent = pipeline.node.chain.agents[0]
    await pipeline.agree()
    await _blocks(pipeline, page)
    await _reorg(pipeline, page)
    await _calls(settings, gateway, agent, page)
    await _garbage(settings, page)
    await _messages(settings, agent, page)
    await _place_that_is_away(page)
    await _machine(settings, page)
    await _part_done_without(settings, page)
    await _levels(page)


async def _blocks(pipeline: Small, page: Page) -> None:
    async with page.moves(
        "monmouth_producer_blocks_total",
        "monmouth_producer_transactions_total",
        "monmouth_producer_records_total",
        "monmouth_producer_tip",
        "monmouth_runtime_records_total",
        "monmouth_runtime_blocks_total",
        "monmouth_runtime_commits_total",
        "monmouth_runtime_outputs_total",
        "monmouth_runtime_folded_total",
        "monmouth_runtime_position",
        "monmouth_runtime_received",
        "monmouth_runtime_block_number",
        "monmouth_transaction_latency_ms_histogram_count",
        "monmouth_anps_scores_count",
        "monmouth_chain_head_block",
        "monmouth_chain_transactions_total",
        "monmouth_uptime_seconds",
        "monmouth_ops_reports_total",
        "monmouth_ops_reports_folded_total",
        "monmouth_ops_windows_said_total",
    ):
        pipeline.advance(3)
        await pipeline.agree()
        await asyncio.sleep(scores.WINDOW)
    async with asyncio.timeout(SECONDS):
        while (await page.sums())["monmouth_throughput_tps"] == 0:  # it is of the last second
            pipeline.advance(1)
            await asyncio.sleep(0.2)


async def _reorg(pipeline: Small, page: Page) -> None:
    for last in (serving.REORG_DEPTH, producing.REORG_DEPTH):
        last.set(0)  # an earlier test of this process may have left the depth that comes
    async with page.moves(
        "monmouth_producer_reorgs_total",
        "monmouth_producer_reorg_depth",
        "monmouth_runtime_rewinds_total",
        "monmouth_runtime_reorg_depth_blocks_count",
        "monmouth_runtime_rewind_seconds_count",
        "monmouth_chain_reorgs_total",
        "monmouth_chain_reorg_depth",
        "monmouth_chain_undone_blocks",
    ):
        reorganised(pipeline, 2)
        await pipeline.agree()


async def _calls(settings: Settings, gateway: Gateway, agent: bytes, page: Page) -> None:
    name = "0x" + agent.hex()
    async with AsyncClient(gateway.url, token=operator_token(settings)) as client:
        async with page.moves("monmouth_agents_active_total"):
            await client.store("0x" + "ab" * 20, "an agent that nobody knew")
        async with page.moves(
            "monmouth_memories_stored_total", "monmouth_store_commands_total", "monmouth_http_request_latency_ms_count"
        ):
            stored = await client.store(name, "the pool of dai and ether pays well", timestamp=1)
        async with page.moves(
            "monmouth_rag_queries_total",
            "monmouth_rag_query_latency_ms_count",
            "monmouth_read_barrier_latency_ms_count",
            "monmouth_cache_events_total",
            "monmouth_cache_hit_rate",
        ):
            for _ in range(3):
                await client.query_context(name, "what pays well")
        async with page.moves("monmouth_memories_forgotten_total"):
            await client.forget(name, stored.memory_id)


async def _garbage(settings: Settings, page: Page) -> None:
    async with page.moves("monmouth_runtime_dead_letters_total", "monmouth_errors_total"), stranger(settings) as foe:
        await foe.write(topics.COMMANDS, [GARBAGE], partition=0)
    async with page.moves("monmouth_unreadable_records_total"), stranger(settings) as foe:
        await foe.write(topics.ROOTS, [GARBAGE], partition=0)


async def _messages(settings: Settings, agent: bytes, page: Page) -> None:
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    messages = page.moves("monmouth_cross_exex_messages_total", "monmouth_messages_total")
    async with messages, MessageClient(settings.kafka, verifier, signer) as asker:
        await asker.ask("AgentMemoryState", agent, seconds=20)


async def _place_that_is_away(page: Page) -> None:
    nobody = JsonRpc(f"http://127.0.0.1:{free_port()}")
    try:
        async with page.moves("monmouth_errors_total", "monmouth_retry_attempts_total", "monmouth_circuit_breaker_state"):
            for _ in range(2):  # three tries each; five failures in a row open the circuit
                with pytest.raises(SourceError):
                    await nobody.call("eth_chainId")
    finally:
        await nobody.close()


async def _machine(settings: Settings, page: Page) -> None:
    """Each goes up by much of what is taken; processor and disk go down when that is given back: not by themselves."""
    before = (await page.sums())["monmouth_memory_usage_mb"]
    held = os.urandom(96 << 20)  # every page of it is touched
    await page.until("monmouth_memory_usage_mb", lambda value: value > before + 48)
    await _core(page, held)
    await _disk(settings.path(Path("ballast")), page)


async def _core(page: Page, food: bytes) -> None:
    """A thread that lets the interpreter go while it works keeps a core busy."""
    name, enough = "monmouth_cpu_usage_percent", threading.Event()

    def busy() -> None:
        while not enough.is_set():
            hashlib.sha256(food)

    before = [(await page.sums())[name]]
    for _ in range(4):
        await asyncio.sleep(CPU_SECONDS)
        before.append((await page.sums())[name])
    working = asyncio.create_task(asyncio.to_thread(busy))
    try:
        loaded = await page.until(name, lambda value: value > min(before) + 25)
    finally:
        enough.set()
        await working
    await page.until(name, lambda value: value < loaded - 10)


async def _disk(file: Path, page: Page) -> None:
    name, size, usage = "monmouth_disk_usage_percent", 256 << 20, shutil.disk_usage(file.parent)
    most = 100 * size / (usage.used + usage.free) / 2
    before = (await page.sums())[name]
    with file.open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, size)
    full = await page.until(name, lambda value: value > before + most)
    file.unlink()
    await page.until(name, lambda value: value < full - most)


async def _part_done_without(settings: Settings, page: Page) -> None:
    """Vectors are switched off, so that the gateway complains of them, and on again."""
    names = ("monmouth_system_health_score", "monmouth_components_healthy_total", "monmouth_components_degraded_total")
    for put, drop in (({VECTORS: Switch("maintenance")}, ()), ({}, (VECTORS,))):
        async with page.moves(*names):
            change(settings.path(SWITCHES), put, drop)


async def _levels(page: Page) -> None:
    said = await page.sums()
    levels = {
        "monmouth_agents_active_total",
        "monmouth_components_healthy_total",
        "monmouth_system_health_score",
        "monmouth_memory_usage_mb",
        "monmouth_disk_usage_percent",
        "monmouth_runtime_partitions",
        "monmouth_ops_processes",
    }
    assert {level for level in levels if said.get(level, 0) <= 0} == set()
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in said if not name.endswith("_created")}
    assert shown <= {row.name for row in documented()}, "every name that is served is in the table"

"""docs/replay.md, walked: something is lost, the page's own commands are given, and everything is as the oracle demands."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from connectors.chain.devchain import DevChain, DevNode
from connectors.chain.devchain.steps import Step, StepKind
from connectors.chain.rpc import RpcSource
from streams.cli import main
from streams.cli.replay import run
from streams.settings import Settings
from streams.topics import CHECKPOINTS, MEMORY_LOG, ROOTS, TRANSACTIONS, physical
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.replay import Start as From
from tests.conftest import ROOT
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.finished import opened
from tests.e2e.pipeline import ALL, agree, observing, producing, rest, working
from tests.e2e.processes import environment
from tests.e2e.readback import marked, table

pytestmark = pytest.mark.kafka
PAGE = (ROOT / "docs" / "replay.md").read_text()


def commands(section: str) -> list[list[str]]:
    """The commands of one section of the page, in order."""
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert lines and all(line.startswith("monmouth ") for line in lines), section
    return [shlex.split(line)[1:] for line in lines]


@dataclass
class Course:
    """One pipeline, at work or not. ``whole``: whether its log has a beginning, as the oracle's reader demands."""

    settings: Settings
    node: DevNode
    whole: bool = True
    settle: Callable[[], Awaitable[None]] = field(init=False)

    def move(self, *steps: Step) -> None:
        for step in steps:
            for _ in self.node.apply(step):
                pass

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Producer and worker; at the end everything is compared with the oracle."""
        source, own = RpcSource(self.node.url, self.node.ws_url, level="senders"), RpcSource(self.node.url, level="header")
        try:
            async with (
                observing(self.settings) as seen,
                producing(self.settings, source) as (_, producer),
                working(self.settings, ALL, HashEmbedder()) as worker,
            ):

                async def settle() -> None:
                    head = await own.head()
                    await rest(seen, head, ALL, producer, worker)
                    if self.whole:
                        await agree(self.settings, own, head, ALL, embedder=HashEmbedder(), seconds=30)

                self.settle = settle
                await settle()
                yield
                await settle()
        finally:
            await source.close()
            await own.close()

    async def give(self, section: str, **words: str) -> None:
        """Gives the commands of a section; each must succeed. ``words``: what stands for values on the page."""
        for command in commands(section):
            await self.run(*(words.get(word, word) for word in command))

    async def run(self, *command: str) -> None:
        assert await asyncio.to_thread(main, list(command)) == 0, command

    async def admin(self) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka.bootstrap)
        await admin.start()
        return admin


@asynccontextmanager
async def course(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Course]:
    async with DevNode(DevChain(7, agents=6, transactions=5)) as node:
        settings.chain.rpc_url, settings.chain.poll_interval = node.url, 0.1
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        at = Course(settings, node)
        at.move(*[Step(StepKind.ADVANCE)] * 6, Step(StepKind.REORG, 2))
        yield at


async def test_the_page_is_true(
    kafka_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with course(kafka_settings, monkeypatch) as at:
        async with at.at_work():
            await at.give("Doing old work again")
            await at.settle()  # stream agents behind it are through with it too
            before = await table(at.settings.kafka, ROOTS, "LatticeRoot")
            for agent in ALL:
                await run(open_pipeline(at.settings), agent, From(block=2), range(2), as_json=True)
                last = json.loads(capsys.readouterr().out.splitlines()[-1])
                assert [part["phase"] for part in last["partitions"]] == ["DONE", "DONE"], agent
            await at.settle()
            assert await table(at.settings.kafka, ROOTS, "LatticeRoot") == before
            logs = await marked(at.settings, MEMORY_LOG)
            assert all(len(part.undone) >= 2 for part in logs.values())
            at.move(Step(StepKind.REORG, 3))  # what comes after stands on it
            await at.settle()
            *first, restore, delete = commands("Checkpoints of one's own")
            for command in first:
                await at.run(*command)
            at.move(Step(StepKind.ADVANCE), Step(StepKind.ADVANCE))
            await asyncio.sleep(1)
            await at.run(*restore)
            await at.run(*delete)
            await killed_and_given_again(at, "replay", "--agent", "lattice", "--from-block", "2")
        await at.give("Comparing everything with the log")

        shutil.rmtree(at.settings.state_dir / "local" / "lattice")
        shutil.rmtree(at.settings.state_dir / "local" / "graph")
        await at.give("A lost state folder")
        await at.give("Comparing everything with the log")

        shutil.rmtree(at.settings.path(at.settings.memory.db_path))
        await at.give("A lost or damaged store")
        await at.give("Comparing everything with the log")

        async with opened(at.settings, tmp_path) as copy:
            address, fact = f"0x{copy.key[0].hex()}", copy.fact
        async with opened(at.settings, tmp_path / "again", in_place=True) as store:
            await store.memories.revert([fact])
        assert await asyncio.to_thread(main, ["verify"]) == 1
        await at.give("One agent's memories", ADDRESS=address, **{"agent.checkpoint": str(tmp_path / "agent.checkpoint")})
        await at.give("Comparing everything with the log")


async def killed_and_given_again(at: Course, *command: str) -> None:
    """kill -9 of the command as soon as it has said something; the same one then follows to the end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", *command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None and await child.stdout.readline()
    child.kill()
    await child.wait()
    await at.run(*command)


async def test_topics_that_lose_something(kafka_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with course(kafka_settings, monkeypatch) as at:
        async with at.at_work():
            pass
        admin = await at.admin()
        try:
            gone = physical(at.settings.kafka.prefix, CHECKPOINTS)
            await admin.delete_topics([gone])
            while gone in await admin.list_topics():
                await asyncio.sleep(0.1)
            await at.give("The lost checkpoint topic")
            at.move(Step(StepKind.REORG, 4), Step(StepKind.ADVANCE))  # blocks go that no checkpoint knows
            async with at.at_work():
                pass

            keep, back = commands("A log that has lost its beginning")[:2], commands("A log that has lost its beginning")[2:]
            for command in keep:
                await at.run(*(str(tmp_path / "archive") if word == "ARCHIVE" else word for word in command))
            places = [TopicPartition(physical(at.settings.kafka.prefix, TRANSACTIONS), n) for n in (0, 1)]
            await admin.delete_records({place: RecordsToDelete(before_offset=8) for place in places})
            at.whole = False
            shutil.rmtree(at.settings.state_dir / "local" / "memory")
            shutil.rmtree(at.settings.path(at.settings.memory.db_path))
            assert await asyncio.to_thread(main, ["rebuild", "--agent", "memory"]) == 1
            for command in back:
                await at.run(*(str(tmp_path / "archive") if word == "ARCHIVE" else word for word in command))
            async with at.at_work():
                at.move(Step(StepKind.ADVANCE), Step(StepKind.REORG, 2))
            await at.give("Comparing everything with the log")
        finally:
            await admin.close()

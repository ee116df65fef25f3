"""Several agents at a time: what they share, what is told meanwhile, and when one is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import pytest

from schemas.codec import codec
from schemas.records import MemoryFact
from streams.cli.recover import SHOW_SECONDS, Shown
from streams.core.block import BlockRef
from streams.ports.log import TopicPartition
from streams.ports.stores import VectorRow, VectorStore
from streams.topics import MEMORY_LOG, ROOTS
from streams.upkeep.candidates import RecoveryError, from_log
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.recover import Part, Recovered, Recovery, Strategy, recover_all
from streams.upkeep.standing import StandingLog
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import Entry, FakeBroker, FakeReader
from tests.fakes import DictMemoryStore
from tests.samples import SAMPLES
from tests.unit.runtime.driving import settings

AGENTS = [bytes([n]) * 20 for n in range(1, 4)]
SOURCE = TopicPartition(MEMORY_LOG, 0)


class CountedReader(FakeReader):
    """``stuck``: agents' reads of the log end here and never go on."""

    read = 0
    stuck = False
    starts: ClassVar[list[int]] = []

    async def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Entry]]:
        if partition.topic == MEMORY_LOG:
            CountedReader.starts.append(start)
        async for entries in super().read_range(partition, start, stop):
            if partition.topic == MEMORY_LOG:
                CountedReader.read += len(entries)
            yield entries
            if CountedReader.stuck and partition.topic == MEMORY_LOG:
                await asyncio.Event().wait()


def fact_of(agent: bytes, number: int, block: BlockRef) -> dict[str, Any]:
    named = {"id": bytes([number]) * 32, "agent": agent}
    fact = {"op": "UPSERT", "owner": agent, "memory_id": named["id"], "block": block.record()}
    return SAMPLES["MemoryFact"] | fact | {"memory": SAMPLES["Memory"] | named}


@pytest.fixture
def recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recovery:
    """Of a partition with ten blocks of a fact for each agent. Nothing is written: without vectors, the context is none."""
    broker, chain = FakeBroker(), ChainLog(topic=MEMORY_LOG)
    for number in range(10):
        ref = chain.next_ref()
        facts = [fact_of(agent, number, ref) for agent in AGENTS]
        chain.add_records([[(fact["owner"], "MemoryFact", fact) for fact in facts], []], ref)
    broker.append(SOURCE, chain.log(0))
    monkeypatch.setattr(broker, "reader", lambda: CountedReader(broker))
    monkeypatch.setattr(CountedReader, "read", 0)
    monkeypatch.setattr(CountedReader, "stuck", False)
    monkeypatch.setattr(CountedReader, "starts", [])
    at = Pipeline(broker, settings(tmp_path), SIGNER, VERIFIER)
    context = frozenset((Part.CONTEXT,))
    return Recovery(at, DictMemoryStore(), None, lambda agent: agent.ljust(32), lambda *_: b"", parts=context)


def deadlines(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Those that are set, in order; None: there is none for now."""
    moved: list[float | None] = []

    @asynccontextmanager
    async def timeout(_: float) -> AsyncIterator[Any]:
        yield type("Limit", (), {"reschedule": lambda _self, when: moved.append(when)})()

    monkeypatch.setattr("streams.upkeep.recover.asyncio.timeout", timeout)
    return moved


async def test_agents_of_a_partition_share_one_fold_of_its_log(recovery: Recovery) -> None:
    told: list[tuple[int, int]] = []
    agents = [(agent, 0) for agent in AGENTS]
    found = await recover_all(recovery, Strategy.PARTIAL, agents, advanced=lambda at, now, stop: told.append((now, stop)))
    assert [each.agent for each in found if isinstance(each, Recovered)] == AGENTS
    assert [each.memories for each in found if isinstance(each, Recovered)] == [10, 10, 10]
    assert CountedReader.read == 40, "three facts and a marker for each of ten blocks, once"
    assert told == [(now, 40) for now in (7, 14, 21, 28, 35, 40)]


async def test_one_that_comes_no_further_is_given_up_and_the_next_goes_on_from_there(recovery: Recovery) -> None:
    CountedReader.stuck = True
    found = await recover_all(recovery, Strategy.PARTIAL, [(agent, 0) for agent in AGENTS[:2]], seconds=1.0)
    assert [str(each.message) for each in found if isinstance(each, RecoveryError)] == [
        f"agent 0x{agent.hex()}: no progress for 1 s" for agent in AGENTS[:2]
    ]
    assert CountedReader.read == 14 and CountedReader.starts == [0, 7]


async def test_a_refusal_leaves_the_fold_to_the_others(recovery: Recovery) -> None:
    def secrets(agent: bytes) -> bytes:
        if agent == AGENTS[0]:
            raise RecoveryError("its keys are gone")
        return agent.ljust(32)

    found = await recover_all(replace(recovery, secrets=secrets), Strategy.PARTIAL, [(agent, 0) for agent in AGENTS])
    assert [type(each) for each in found] == [RecoveryError, Recovered, Recovered]
    assert CountedReader.read == 40, "read once"


async def test_each_advance_gives_it_the_whole_time_again(recovery: Recovery, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = deadlines(monkeypatch)
    begun = asyncio.get_running_loop().time()
    await recover_all(recovery, Strategy.PARTIAL, [(AGENTS[0], 0)], seconds=1_000)
    assert len(moved) == 6 and all(when is not None and when >= begun + 1_000 for when in moved)


async def test_a_store_at_work_is_not_cut_off(recovery: Recovery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else half of what a large agent remembers would be out and not in again."""
    moved, seen = deadlines(monkeypatch), list[tuple[str, float | None]]()

    class Memories(DictMemoryStore):
        async def claim(self, _lane: bytes) -> Self:
            return self

        async def apply(self, facts: Sequence[MemoryFact]) -> None:
            seen.append(("apply", moved[-1]))
            await super().apply(facts)

    class Vectors:
        async def claim(self, _lane: bytes) -> Self:
            return self

        async def find(self, _names: Sequence[tuple[bytes, bytes]]) -> list[VectorRow | None]:
            return []

        async def upsert(self, _rows: Sequence[VectorRow]) -> None:
            seen.append(("upsert", moved[-1]))

    broker: Any = recovery.pipeline.client
    candidate = await from_log(StandingLog(recovery.pipeline, 0), broker.reader(), AGENTS[0], lambda *_: None)
    root = candidate.root(recovery.secrets)
    named = {"count": 10, "checksum": root.lattice.checksum(), "merkle_root": root.merkle_root}
    published = codec().encode("LatticeRoot", SAMPLES["LatticeRoot"] | named | {"agent": AGENTS[0]})
    broker.append(TopicPartition(ROOTS, 0), [(AGENTS[0], published)])
    memories, vectors = Memories(), cast("VectorStore", Vectors())
    (found,) = await recover_all(replace(recovery, memories=memories, vectors=vectors), Strategy.FULL, [(AGENTS[0], 0)])
    assert isinstance(found, Recovered) and found.put_in == len(memories.rows[AGENTS[0]]) == 10, found
    assert seen == [("apply", None), ("upsert", None)]
    assert moved[-1] is not None, "and afterwards the time runs again"


async def test_a_damaged_log_is_one_agent_s_refusal_after_another(recovery: Recovery) -> None:
    broker: Any = recovery.pipeline.client
    broker.append(SOURCE, [(None, codec().encode("Marker", SAMPLES["Marker"]))])
    found = await recover_all(recovery, Strategy.PARTIAL, [(agent, 0) for agent in AGENTS[:2]])
    assert all(isinstance(each, RecoveryError) and "memory.log/0@40" in each.message for each in found)


def test_progress_is_said_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter((0.0, 0.5, SHOW_SECONDS, SHOW_SECONDS + 0.5, 2 * SHOW_SECONDS))
    shown = Shown(lambda: next(moments))
    for position in (1, 2, 3, 4):
        shown(SOURCE, position, 9)
    assert capsys.readouterr().err.splitlines() == [f"partition 0: offset {n} of 9 in memory.log" for n in (2, 4)]

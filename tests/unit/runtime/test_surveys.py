"""Blocks far below the tip are found part by part: a chain of any length can be taken back with what memory there is."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from streams import topics
from streams.core.chain import LiveBlock, LiveSpan
from streams.core.checkpoint import Checkpoint, history_before
from streams.core.replay import Phase
from streams.errors import PositionLostError
from streams.ports.log import TopicPartition
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.job import Job, job_of
from streams.runtime.replays import read_replays
from streams.runtime.surveys import Part, live_parts, lowest_height
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker
from tests.toys import factory
from tests.unit.runtime.driving import FAST, Tally, caught_up, check_tally, publish, settings, until, worker
from tests.unit.runtime.test_replay import ask, over, undone

HELD = 7
TX = TopicPartition(topics.TRANSACTIONS, 0)
LIMITS = replace(FAST, replay_seconds=0.02, replay_blocks=4, survey_blocks=HELD)


def job(broker: FakeBroker, tmp_path: Path) -> Job:
    return job_of(factory(Tally), broker, settings(tmp_path), verifier=VERIFIER, signer=SIGNER, limits=LIMITS)


def long_chain(blocks: int = 60) -> ChainLog:
    """Longer than all that is held, with reorganisations, one of them deeper than that, and one from the very beginning."""
    chain = ChainLog()
    for n in range(blocks):
        chain.add([n % 3], fork=n)
        if n in {5, 30, 45}:
            chain.undo({5: 6, 30: 20, 45: 3}[n])
    return chain


def log_of(chain: ChainLog) -> FakeBroker:
    broker = FakeBroker()
    publish(broker, chain)
    return broker


async def parts_of(at: Job, stop: int, chain: ChainLog, number: int, checkpoints: dict[str, Checkpoint]) -> list[Part]:
    parts = live_parts(at, 0, stop, chain.head.number, number=number, checkpoints=checkpoints)
    async with aclosing(parts):
        return [part async for part in parts]


@pytest.mark.parametrize("number", [0, 1, 2, 20, 30])
@pytest.mark.parametrize("kept", [True, False])
async def test_the_parts_are_the_live_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kept: bool) -> None:
    chain = long_chain()
    broker = log_of(chain)
    checkpoints: dict[str, Checkpoint] = {}
    if kept:
        async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
            await until(lambda: caught_up(broker, "tally"), task)
        checkpoints = await read_checkpoints(broker.reader(), "tally", 0)
    held: list[int] = []
    push = LiveSpan.push

    def counted(self: LiveSpan, block: LiveBlock) -> None:
        push(self, block)
        held.append(len(self.chain()))

    monkeypatch.setattr(LiveSpan, "push", counted)
    stop = len(broker.logs[TX])
    parts = await parts_of(job(broker, tmp_path), stop, chain, number, checkpoints)
    blocks = [live.block for part in parts for live in part.blocks]
    assert blocks == [ref for ref, _ in reversed(chain.blocks) if ref.number >= max(1, number - 1)]
    assert max(held) <= HELD and all(len(part.blocks) <= HELD for part in parts)
    bases = [part.base for part in parts]
    assert (bases[-1] is not None) == (kept and number > 1)
    assert all((base is None) == (not kept) for base in bases[:1])


async def test_what_the_log_does_not_hold_is_refused_before_anything_is_taken_back(tmp_path: Path) -> None:
    chain = long_chain()
    broker = log_of(chain)
    broker.first[TX] = 5
    stop = len(broker.logs[TX])
    with pytest.raises(PositionLostError, match="no longer holds offset 0"):
        await parts_of(job(broker, tmp_path), stop, chain, 3, {})
    with pytest.raises(PositionLostError, match="no longer holds offset 0"):
        await lowest_height(job(broker, tmp_path), 0, stop, 3, {})
    assert history_before({}, 3, stop) is None
    assert await lowest_height(job(log_of(chain), tmp_path), 0, stop, 3, {}) == 3
    assert await lowest_height(job(log_of(chain), tmp_path), 0, stop, -1, {}) == 1
    assert await lowest_height(job(FakeBroker(), tmp_path), 0, 0, 3, {}) is None


@pytest.mark.parametrize("block", [1, 9])
async def test_a_replay_takes_back_more_blocks_than_are_held(tmp_path: Path, block: int) -> None:
    chain = long_chain(80)
    broker = log_of(chain)
    blocks = chain.head.number - block + 1
    assert blocks > 4 * settings(tmp_path).reorg.window > HELD  # more than the ring of checkpoints says, too
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        before = sum(undone(broker, topics.INTENTS, n) for n in range(2))
        ask(broker, "tally", block)
        await until(lambda: over(broker, "tally") and caught_up(broker, "tally"), task)
    check_tally(broker, chain)
    _, status = await read_replays(broker.reader(), "tally", 0)
    assert status is not None and (status.phase, status.undone, status.total) == (Phase.DONE, blocks, blocks)
    assert sum(undone(broker, topics.INTENTS, n) for n in range(2)) - before >= 2 * blocks

"""Reading removed blocks back, and checkpoints: only what is really theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.codec import codec
from streams import topics
from streams.core.chain import LiveBlock
from streams.core.checkpoint import Checkpoint, Redo
from streams.core.undo import UndoPlan
from streams.errors import LogIntegrityError, OutdatedError
from streams.ports.log import TopicPartition
from streams.runtime import metrics
from streams.runtime.checkpoints import decode_slots, read_checkpoints
from streams.runtime.job import job_of
from streams.runtime.rewind import Rewinder
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker, FakeReader
from tests.samples import SAMPLES
from tests.toys import factory
from tests.unit.runtime.driving import Tally, caught_up, check_tally, publish, settings, until, worker

TX = TopicPartition(topics.TRANSACTIONS, 0)


def rewinder(broker: FakeBroker, tmp_path: Path) -> Rewinder:
    return Rewinder(job_of(factory(Tally), broker, settings(tmp_path), verifier=VERIFIER, signer=SIGNER), 0)


def planned(chain: ChainLog) -> UndoPlan:
    """All blocks of a chain that never shrank, newest first, as the live chain would name them."""
    blocks, offset = [], 0
    for step in chain.steps:
        start, offset = offset, offset + len(step.records[0])
        marker = step.markers[0]
        blocks.append(LiveBlock(marker.block, step.sequence, start, offset - 1, marker.count, marker.digest))
    return UndoPlan(tuple(reversed(blocks)), chain.parent)


def grown() -> tuple[FakeBroker, ChainLog]:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for n in range(5):
        chain.add(range(n))
    publish(broker, chain)
    return broker, chain


async def test_blocks_come_back_newest_first(tmp_path: Path) -> None:
    broker, chain = grown()
    found = [block async for block in rewinder(broker, tmp_path).blocks(planned(chain))]
    assert [block.marker.block for block in found] == [ref for ref, _ in reversed(chain.blocks)]
    assert [len(block.records) for block in found] == [4, 3, 2, 1, 0]


async def test_a_block_that_is_not_what_it_was_stops_the_rewind(tmp_path: Path) -> None:
    broker, chain = grown()
    plan = planned(chain)
    other = UndoPlan((replace(plan.blocks[0], digest=b"x" * 32),), plan.ancestor)
    with pytest.raises(LogIntegrityError, match="was here, and is not any more"):
        [block async for block in rewinder(broker, tmp_path).blocks(other)]
    elsewhere = UndoPlan((replace(plan.blocks[0], marker=plan.blocks[0].marker - 1),), plan.ancestor)
    with pytest.raises(LogIntegrityError, match="was here, and is not any more"):
        [block async for block in rewinder(broker, tmp_path).blocks(elsewhere)]


async def test_a_log_altered_since_stops_the_rewind(tmp_path: Path) -> None:
    broker, chain = grown()
    log = broker.logs[TX]
    log[-2] = log[-2]._replace(value=log[-3].value)
    with pytest.raises(LogIntegrityError, match="not those the marker signed"):
        [block async for block in rewinder(broker, tmp_path).blocks(planned(chain))]


async def test_checkpoints_of_others_are_not_taken_for_ours() -> None:
    broker = FakeBroker(partitions=2)

    def put(partition: int, name: str, of: int, slot: str) -> None:
        mine = Checkpoint.of({**SAMPLES["Checkpoint"], "stream_agent": name, "partition": of, "slot": slot})
        value = codec().encode("Checkpoint", mine.record())
        broker.append(TopicPartition(topics.CHECKPOINTS, partition), [(mine.key, value)])

    for name, of, slot in [("tally", 0, "tip"), ("tally2", 0, "1"), ("tal", 0, "2"), ("tally", 1, "3"), ("tally", 0, "4")]:
        put(0, name, of, slot)
    put(1, "tally", 0, "5")
    broker.append(TopicPartition(topics.CHECKPOINTS, 0), [(b"tally/0/4", None), (None, b"junk"), (b"other", b"junk")])
    found = await read_checkpoints(broker.reader(), "tally", 0)
    assert found.keys() == {"tip"}
    assert found["tip"].stream_agent == "tally"


def test_bytes_that_are_no_checkpoint_are_refused() -> None:
    with pytest.raises(LogIntegrityError, match="checkpoint 7"):
        decode_slots({"7": b"junk"})
    with pytest.raises(LogIntegrityError, match="is a Intent"):
        decode_slots({"7": codec().encode("Intent", SAMPLES["Intent"])})


@pytest.mark.parametrize("junk", [b"junk", b"", codec().encode("Intent", SAMPLES["Intent"]), "other"])
@pytest.mark.parametrize("slot", ["tip", "redo", "7", "hb0.0"])
async def test_what_a_stranger_put_into_a_slot_counts_as_lost(slot: str, junk: bytes | str) -> None:
    """Whoever wrote early is not known then, so that somebody did is what counts: all is done again."""
    broker = FakeBroker(partitions=1)
    source = TopicPartition(topics.CHECKPOINTS, 0)
    other = Checkpoint.of({**SAMPLES["Checkpoint"], "stream_agent": "tally", "partition": 0, "slot": "8"})
    sound = codec().encode("Checkpoint", other.record())
    broker.append(source, [(other.key, sound), (f"tally/0/{slot}".encode(), sound if isinstance(junk, str) else junk)])
    before = metrics.GARBAGE.labels("tally", topics.CHECKPOINTS)._value.get()
    found = await read_checkpoints(broker.reader(), "tally", 0)
    assert found.keys() == {"8", "redo"} if slot == "redo" else {"8"}
    assert Redo.of(found) == (Redo(1, unfinished=True) if slot == "redo" else Redo())
    assert metrics.GARBAGE.labels("tally", topics.CHECKPOINTS)._value.get() == before + 1


async def test_a_slot_that_a_newer_version_wrote_is_not_passed_over() -> None:
    broker, newer = FakeBroker(partitions=1), b"\0" + (codec().newest + 1).to_bytes(4, "big")
    broker.append(TopicPartition(topics.CHECKPOINTS, 0), [(b"tally/0/tip", newer)])
    with pytest.raises(OutdatedError, match="checkpoint tip"):
        await read_checkpoints(broker.reader(), "tally", 0)


@pytest.mark.parametrize("slot", ["tip", "redo", "3", "hb0.0"])
async def test_a_worker_starts_again_over_junk_in_its_slots(tmp_path: Path, slot: str) -> None:
    broker, chain = FakeBroker(), ChainLog()
    for n in range(12):
        chain.add([n % 3, 1], fork=n)
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    for number in (0, 1):
        broker.append(TopicPartition(topics.CHECKPOINTS, number), [(f"tally/{number}/{slot}".encode(), b"junk")])
    published = len(chain.steps)
    chain.undo(4)
    chain.add([2], fork="other")
    publish(broker, chain, published)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


class Counting(FakeBroker):
    """Counts connections for reading, and how many are open."""

    made = open_now = 0

    def reader(self) -> FakeReader:
        broker = self
        broker.made += 1
        broker.open_now += 1

        class Reader(FakeReader):
            async def close(self) -> None:
                broker.open_now -= 1

        return Reader(self)


async def test_the_rewinds_of_a_batch_share_one_connection_and_give_it_back(tmp_path: Path) -> None:
    broker, chain = Counting(partitions=1), ChainLog(partitions=1)
    for fork in range(6):
        chain.add([1, 2], fork=f"a{fork}")
        chain.add([3], fork=f"b{fork}")
        chain.undo(1 + fork % 2)
    chain.add([4])
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        # One to open the partition, kept for the next opening; one for six rewinds, given back.
        assert (broker.made, broker.open_now) == (2, 1)
    assert broker.open_now == 0
    check_tally(broker, chain)

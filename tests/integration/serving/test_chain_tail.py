"""The chain view on a real broker: barriers see all that was committed, nothing that was not, and stop at a forgery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.codec import codec
from streams.core.block import BlockRef
from streams.core.canonical import ChainStep
from streams.errors import LogIntegrityError, MonmouthError
from streams.metrics import REGISTRY
from streams.serving.chain import ChainTail
from streams.serving.faults import UnavailableError
from streams.serving.roots import Root, RootTail
from streams.settings import KafkaSettings, Settings
from streams.signing import Signer, Verifier
from tests.integration.serving.broker import SIGNER, LogWriter, eventually, log_writer
from tests.samples import SAMPLES
from tests.steps import block, notification, step_final, step_new, step_undo

pytestmark = pytest.mark.kafka

ROOT = block(0, 0, bytes(32))
FIRST = block(1, 0, ROOT.hash)
OTHER = block(1, 1, ROOT.hash)


def verifier() -> Verifier:
    return Verifier([SIGNER.public])


@pytest.fixture
async def writer(kafka_settings: Settings) -> AsyncIterator[LogWriter]:
    async with log_writer(kafka_settings.kafka) as opened:
        yield opened


@pytest.fixture
async def chain(kafka_settings: Settings) -> AsyncIterator[ChainTail]:
    tail = ChainTail(kafka_settings.kafka, verifier(), timeout=20)
    tail.start()
    yield tail
    await tail.stop()


async def test_barrier_sees_every_commit_before_it(writer: LogWriter, chain: ChainTail) -> None:
    await chain.barrier()
    assert chain.view.head is None
    parent = ROOT
    await writer.steps(step_new(0, ROOT))
    for height in range(1, 15):
        ref = block(height, 0, parent.hash)
        await writer.steps(step_new(height, ref))
        await chain.barrier()
        assert chain.view.head == ref
        parent = ref
    removed = parent
    await writer.steps(step_undo(15, [removed], _parent(removed)))
    await chain.barrier()
    assert not chain.view.canonical(removed.hash)
    assert await chain.lag() == 0
    assert REGISTRY.get_sample_value("monmouth_chain_reorg_depth") == 1


def _parent(ref: BlockRef) -> BlockRef:
    number, parent = 0, ROOT
    while parent.hash != ref.parent:
        number += 1
        parent = block(number, 0, parent.hash)
    return parent


async def test_concurrent_callers_share_look_ups_and_all_see_the_undo(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT), step_new(1, FIRST))
    await chain.barrier()
    await writer.steps(step_undo(2, [FIRST], ROOT))
    looks = 0
    scout = chain.tail._scout
    assert scout is not None
    ends = scout.end_offsets

    async def counted(partitions: object) -> object:
        nonlocal looks
        looks += 1
        return await ends(partitions)

    scout.end_offsets = counted

    async def read() -> bool:
        await chain.barrier()
        return chain.view.canonical(FIRST.hash)

    assert await asyncio.gather(*(read() for _ in range(100))) == [False] * 100
    assert looks <= 2


async def test_barrier_with_nothing_new_does_not_wait_for_a_fetch(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT))
    await chain.barrier()
    took = []
    for _ in range(5):
        started = time.monotonic()
        await chain.barrier()
        took.append(time.monotonic() - started)
    assert min(took) < 0.25  # behind a fetch that waits for records it would be half a second


async def test_uncommitted_and_aborted_steps_delay_nobody_and_are_not_seen(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT))
    async with writer.open_transaction(step_new(1, FIRST)):
        await chain.barrier()
        assert chain.view.head == ROOT
    await chain.barrier()
    assert chain.view.head == FIRST
    await writer.aborted(step_undo(2, [FIRST], ROOT))
    await chain.barrier()
    assert chain.view.holds(1, FIRST.hash)
    assert chain.view.undo_count == 0


async def test_history_is_read_in_batches_from_the_beginning(writer: LogWriter, kafka_settings: Settings) -> None:
    steps: list[ChainStep] = [step_new(0, ROOT)]
    refs = [ROOT]
    for sequence in range(1, 400):
        refs.append(block(sequence, 0, refs[-1].hash))
        steps.append(step_new(sequence, refs[-1], final=refs[max(0, sequence - 10)]))
    await writer.steps(*steps, step_final(400, refs[395], refs[-1]))
    chain = ChainTail(kafka_settings.kafka, verifier(), timeout=20)
    chain.start()
    try:
        await chain.barrier()
        assert chain.view.head == refs[-1]
        assert chain.view.final == refs[395]
        assert chain.view.window < 100
        assert all(chain.view.holds(ref.number, ref.hash) for ref in refs)
    finally:
        await chain.stop()


async def stops_with(chain: ChainTail, message: str) -> None:
    await eventually(lambda: chain.tail.failure is not None)
    with pytest.raises(LogIntegrityError, match=message):
        await chain.barrier()
    with pytest.raises(MonmouthError):
        await chain.lag()


async def test_forged_notification_stops_the_view(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT), step_new(1, FIRST))
    stranger = Signer(b"\x06" * 32)
    await writer.raw(
        codec().encode("BlockNotification", stranger.sign("BlockNotification", notification(step_undo(2, [FIRST], ROOT))))
    )
    await stops_with(chain, "unknown key")
    assert chain.view.canonical(FIRST.hash)


async def test_altered_notification_stops_the_view(writer: LogWriter, chain: ChainTail) -> None:
    record = SIGNER.sign("BlockNotification", notification(step_new(0, ROOT)))
    record["transactions"] = 7
    await writer.raw(codec().encode("BlockNotification", record))
    await stops_with(chain, "signature does not hold")


async def test_missing_notification_stops_the_view(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT), step_new(2, FIRST))
    await stops_with(chain, "notification 2 came where 1 was due")


async def test_replayed_notification_stops_the_view(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT), step_new(0, ROOT))
    await stops_with(chain, "notification 0 came where 1 was due")


async def test_garbage_is_counted_and_passed_over(writer: LogWriter, chain: ChainTail) -> None:
    before = REGISTRY.get_sample_value("monmouth_unreadable_records_total", {"topic": "chain.blocks"}) or 0
    await writer.steps(step_new(0, ROOT))
    foreign = codec().encode("Memory", SAMPLES["Memory"])
    await writer.raw(b"junk", b"", b"\x00\x00\x00\x00\x63x", foreign, b"\x00" * 100_000)
    await writer.steps(step_new(1, FIRST))
    await chain.barrier()
    assert chain.view.head == FIRST
    assert REGISTRY.get_sample_value("monmouth_unreadable_records_total", {"topic": "chain.blocks"}) == before + 5


async def test_a_log_that_goes_on_in_a_newer_version_is_no_ground_for_answers(writer: LogWriter, chain: ChainTail) -> None:
    await writer.steps(step_new(0, ROOT))
    await chain.barrier()
    await writer.raw(b"\x00\x00\x00\x00\x63x")
    for _ in range(2):
        with pytest.raises(UnavailableError, match="unknown schema id 99") as refused:
            await chain.barrier()
        assert "upgrade" in refused.value.hint
    await writer.steps(step_new(1, FIRST))  # garbage, as the sequence shows
    await chain.barrier()


async def test_broker_away_is_unavailable_within_the_deadline() -> None:
    chain = ChainTail(KafkaSettings(bootstrap="127.0.0.1:1"), verifier(), timeout=0.5)
    chain.start()
    try:
        with pytest.raises(UnavailableError, match=r"within 0\.5 s"):
            await asyncio.wait_for(chain.barrier(), 5)
    finally:
        await chain.stop()


async def test_missing_topic_is_waited_for(broker: str) -> None:
    chain = ChainTail(KafkaSettings(bootstrap=broker, prefix="nowhere."), verifier(), timeout=1)
    chain.start()
    try:
        with pytest.raises(UnavailableError, match="topics apply"):
            await chain.barrier()
    finally:
        await chain.stop()


async def test_roots_are_the_last_of_their_key(writer: LogWriter, kafka_settings: Settings, tmp_path: Path) -> None:
    """And the next process knows the older ones as this one did, however little of them the topic still tells."""
    roots = RootTail(kafka_settings.kafka, timeout=20, file=tmp_path / "roots.history")
    roots.start()
    agents = [bytes([n]) * 20 for n in range(1, 6)]
    try:
        assert await roots.fresh(agents[0]) is None  # it is there from the first root on
        for agent in agents:
            await writer.root(agent, Root(agent, 3, b"\x01" * 32, b"\x02" * 32, ROOT))
        newest = Root(agents[0], 4, b"\x03" * 32, b"\x04" * 32, FIRST)
        await writer.root(agents[0], newest)
        assert await roots.fresh(agents[0]) == newest
        assert [await roots.fresh(agent) is not None for agent in agents] == [True] * 5
        assert REGISTRY.get_sample_value("monmouth_agents_active_total") == 5
        await writer.root(agents[1], None)
        await writer.root(agents[2], Root(agents[2], 0, b"\x01" * 32, bytes(32), FIRST))
        assert await roots.fresh(agents[1]) is None
        assert REGISTRY.get_sample_value("monmouth_agents_active_total") == 3
        assert REGISTRY.get_sample_value("monmouth_roots_held") == 4
    finally:
        await roots.stop()
    again = RootTail(kafka_settings.kafka, timeout=20, file=tmp_path / "roots.history")
    again.start()
    try:
        for agent in agents:
            assert await again.history(agent) == roots._history.of(agent)
        seen = await again.history(agents[0])
        assert [(each.root, each.live) for each in seen] == [
            (Root(agents[0], 3, b"\x01" * 32, b"\x02" * 32, ROOT), True),
            (newest, True),
        ]
    finally:
        await again.stop()

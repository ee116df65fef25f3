"""A tap over logs with reorganisations: equal to the canonical chain at every step; what it refuses; going on again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import codec
from streams.core.block import BlockRef
from streams.errors import ConfigurationError, LogIntegrityError, PositionLostError
from streams.ports.log import LogError, TopicPartition
from streams.settings import KafkaSettings
from streams.signing import Verifier
from streams.tap.follow import MARKED, Tap, TapBehindError, TapFullError
from streams.tap.table import Row, TapTable
from streams.topics import COMMANDS, INTENTS, TRANSACTIONS
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import Entry, FakeBroker, FakeReader
from tests.samples import SAMPLES

KAFKA = KafkaSettings(partitions=2)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.integers(1, 5), max_size=3), st.integers(0, 1)),
        st.tuples(st.just("undo"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("final"), st.integers(0, 3), st.just(0)),
    ),
    max_size=20,
)


def play(chain: ChainLog, move: tuple) -> None:
    """One move, as far as the chain allows it; an UNDO below the finality line takes that back too."""
    kind, what, fork = move
    if kind == "add":
        chain.add(what, fork=fork)
    elif kind == "undo" and chain.blocks:
        depth = min(what, len(chain.blocks))
        ancestor = chain.blocks[-depth - 1][0] if depth < len(chain.blocks) else chain.parent
        if chain.final is not None and ancestor.number < chain.final.number:
            chain.final = ancestor
        chain.undo(depth)
    elif kind == "final" and len(chain.blocks) > what:
        number = chain.blocks[-1 - what][0].number
        if chain.final is None or number > chain.final.number:
            chain.finalize(number)


def oracle(chain: ChainLog, *, final_only: bool = False) -> list[bytes]:
    """Values of the canonical blocks, by the chain itself."""
    line = (chain.final.number if chain.final else -1) if final_only else 1 << 62
    placed = (part for ref, parts in chain.blocks if ref.number <= line for part in parts)
    return sorted(codec().encode(kind, record) for part in placed for _, kind, record in part)


def publish(broker: FakeBroker, chain: ChainLog, since: int) -> None:
    for step in chain.steps[since:]:
        for partition, records in enumerate(step.records):
            broker.append(TopicPartition(chain.topic, partition), records)


def standing(tap: Tap, *, final_only: bool = False) -> list[bytes]:
    return sorted(row.raw for row in tap.rows(final_only=final_only))


@given(MOVES)
async def test_at_every_step_it_holds_what_the_canonical_chain_holds(moves: list[tuple]) -> None:
    broker, chain = FakeBroker(), ChainLog()
    chain.add([1, 2])
    publish(broker, chain, 0)
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker) as tap:
        for move in moves:
            published = chain.sequence
            play(chain, move)
            publish(broker, chain, published)
            await tap.catch_up()
            assert standing(tap) == oracle(chain)
            assert standing(tap, final_only=True) == oracle(chain, final_only=True)


@given(MOVES, st.data())
async def test_a_tap_that_is_restored_goes_on_as_if_it_had_never_stopped(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple], data: st.DataObject
) -> None:
    broker, chain = FakeBroker(), ChainLog()
    chain.add([1, 2, 3])
    for move in moves:
        play(chain, move)
    cut = data.draw(st.integers(0, len(chain.log(0))), label="records of partition 0 at the stop")
    file = tmp_path_factory.mktemp("tap") / "kept.json"
    broker.append(TopicPartition(TRANSACTIONS, 0), chain.log(0)[:cut])
    broker.append(TopicPartition(TRANSACTIONS, 1), chain.log(1))
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker) as tap:
        await tap.catch_up()
        tap.save(file)
    broker.append(TopicPartition(TRANSACTIONS, 0), chain.log(0)[cut:])
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker) as tap:
        tap.restore(file)
        await tap.catch_up()
        assert standing(tap) == oracle(chain)
        assert standing(tap, final_only=True) == oracle(chain, final_only=True)


class Kept:
    """A sink that keeps rows by id, as docs/tapping.md says."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}
        self.fails = False

    async def put(self, rows: Sequence[Row]) -> None:
        if self.fails:
            raise OSError("the disk is full")
        for row in rows:
            self.rows.setdefault(row.id, row)

    async def take_back(self, blocks: Sequence[BlockRef]) -> None:
        removed = {block.hash for block in blocks}
        self.rows = {i: row for i, row in self.rows.items() if row.block is None or row.block.hash not in removed}


@given(MOVES, st.data())
async def test_what_is_final_is_with_the_sink_and_the_rest_with_the_tap(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple], data: st.DataObject
) -> None:
    """Also where the tap is cut off between saves, and below the finality line."""
    broker, chain, sink = FakeBroker(), ChainLog(), Kept()
    file = tmp_path_factory.mktemp("tap") / "kept.json"
    tap = Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, sink)
    for move in (("add", [1, 2], 0), *moves):
        published = chain.sequence
        play(chain, move)
        publish(broker, chain, published)
        if data.draw(st.booleans(), label="a new process"):
            tap = Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, sink)
            if file.exists():
                tap.restore(file)
        await tap.catch_up()
        if data.draw(st.booleans(), label="saved"):
            tap.save(file)
        assert sorted(row.raw for row in sink.rows.values()) == oracle(chain, final_only=True)
        assert sorted([*(row.raw for row in sink.rows.values()), *standing(tap)]) == oracle(chain)
        assert standing(tap, final_only=True) == []


async def test_what_a_tap_holds_and_saves_does_not_grow_with_the_topic(tmp_path: Path) -> None:
    broker, chain, sink = FakeBroker(), ChainLog(), Kept()
    sizes, held = [], []
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, sink, limit=20) as tap:
        for number in range(40):
            published = chain.sequence
            chain.add([1, 2, 3, 4, 5])
            if number >= 2:
                chain.finalize(chain.head.number - 2)
            publish(broker, chain, published)
            await tap.catch_up()
            tap.save(tmp_path / "kept")
            sizes.append((tmp_path / "kept").stat().st_size)
            held.append(len(standing(tap)))
    assert max(held) == 10 and len(sink.rows) == 190
    assert max(sizes) - sizes[5] < 100, "heights have more digits, no more"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


async def test_a_table_has_a_bound() -> None:
    broker, chain = FakeBroker(), ChainLog()
    for _ in range(5):
        chain.add([1, 2, 3])
    publish(broker, chain, 0)
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, limit=15) as tap:
        await tap.catch_up()
    for sink, hint in ((None, "Give the tap a sink"), (Kept(), "Does the node tell")):
        async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, sink, limit=14) as tap:
            with pytest.raises(TapFullError, match="more than 14 rows") as caught:
                await tap.catch_up()
            assert hint in caught.value.hint


async def test_what_a_sink_did_not_take_comes_again() -> None:
    broker, chain, sink = FakeBroker(), ChainLog(), Kept()
    chain.add([1, 2, 3])
    chain.finalize(1)
    publish(broker, chain, 0)
    sink.fails = True
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, sink) as tap:
        with pytest.raises(OSError, match="full"):
            await tap.catch_up()
        sink.fails = False
        await tap.catch_up()
        assert sorted(row.raw for row in sink.rows.values()) == oracle(chain)


class Hasty(FakeReader):
    """Gives one batch of what it is asked for, notes where that began, and fails or waits for ever if there is more."""

    def __init__(self, broker: FakeBroker, *, waits: bool) -> None:
        super().__init__(broker)
        self.waits = waits
        self.waiting = asyncio.Event()
        self.starts: list[int] = []

    async def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Entry]]:
        self.starts.append(start)
        async for entries in super().read_range(partition, start, stop):
            yield entries
            if entries[-1].offset + 1 < stop:
                self.waiting.set()
                if not self.waits:
                    raise LogError("no broker answers")
                await asyncio.Event().wait()


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("make", [lambda: None, Kept], ids=["no sink", "a sink"])
async def test_where_reading_failed_or_was_cut_off_it_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Kept | None], waits: bool
) -> None:
    broker, chain, sink = FakeBroker(), ChainLog(partitions=1), make()
    for _ in range(10):
        chain.add([1, 2])
    chain.finalize(chain.head.number - 2)
    publish(broker, chain, 0)
    reader = Hasty(broker, waits=waits)
    monkeypatch.setattr(broker, "reader", lambda: reader)
    async with Tap(KafkaSettings(partitions=1), TRANSACTIONS, VERIFIER, broker, sink) as tap:
        for _ in range(4):
            reader.waiting.clear()
            task = asyncio.create_task(tap.catch_up())
            await reader.waiting.wait()
            task.cancel()
            with suppress(LogError, asyncio.CancelledError):
                await task
            tap.save(tmp_path / "kept")
        reader.waits = False
        await tap.catch_up()
        assert reader.starts == [0, 7, 14, 21, 28], "31 records, seven at a time"
        assert sorted([*(row.raw for row in (sink.rows.values() if sink else ())), *standing(tap)]) == oracle(chain)
        tap.restore(tmp_path / "kept")
        await tap.catch_up()
        assert sorted({*(row.raw for row in (sink.rows.values() if sink else ())), *standing(tap)}) == oracle(chain)


async def test_what_was_kept_is_not_replaced_by_less(tmp_path: Path) -> None:
    """A partition that the sink failed in, or whose place the log no longer holds, is missing until it is there anew."""
    broker, chain, sink, kept = FakeBroker(), ChainLog(), Kept(), tmp_path / "kept"
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, sink) as tap:
        for number in range(1, 3):
            published = chain.sequence
            chain.add([1, 2, 3])
            chain.finalize(number)
            publish(broker, chain, published)
            sink.fails = number == 2
            if number == 1:
                await tap.catch_up()
                tap.save(kept)
        before = kept.read_bytes()
        with pytest.raises(OSError, match="full"):
            await tap.catch_up()
        with pytest.raises(TapBehindError, match=r"has lost what it held of partition [01]"):
            tap.save(kept)
        assert kept.read_bytes() == before
        sink.fails = False
        await tap.catch_up()
        tap.save(kept)
        assert kept.read_bytes() != before
        for partition in range(2):
            broker.cut(TopicPartition(TRANSACTIONS, partition), len(chain.log(partition)) + 1)
        with pytest.raises(PositionLostError):
            await tap.catch_up()
        with pytest.raises(TapBehindError):
            tap.save(kept)
        tap.restore(kept)
        tap.save(kept)


async def test_what_a_tap_with_a_sink_kept_is_none_of_a_tap_without(tmp_path: Path) -> None:
    async with Tap(KAFKA, TRANSACTIONS, client=FakeBroker(), sink=Kept()) as tap:
        tap.save(tmp_path / "kept")
    async with Tap(KAFKA, TRANSACTIONS, client=FakeBroker()) as tap:
        with pytest.raises(ConfigurationError, match="not kept by a tap of"):
            tap.restore(tmp_path / "kept")


async def test_what_was_kept_before_there_were_sinks_is_of_a_tap_without(tmp_path: Path) -> None:
    broker, chain, file = FakeBroker(), ChainLog(), tmp_path / "kept"
    chain.add([1, 2, 3])
    publish(broker, chain, 0)
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker) as tap:
        await tap.catch_up()
        tap.save(file)
    kept = json.loads(file.read_text())
    del kept["handed_over"]
    file.write_text(json.dumps({**kept, "form": 1}))
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker) as tap:
        tap.restore(file)
        assert standing(tap) == oracle(chain)
        tap.save(file)
        assert json.loads(file.read_text()) == {**kept, "handed_over": False}
    file.write_text(json.dumps({**kept, "form": 1}))
    async with Tap(KAFKA, TRANSACTIONS, VERIFIER, broker, Kept()) as tap:
        with pytest.raises(ConfigurationError, match="not kept by a tap of"):
            tap.restore(file)


async def test_a_block_is_not_there_before_its_marker() -> None:
    broker, chain = FakeBroker(), ChainLog(partitions=1)
    chain.add([1, 2])
    broker.append(TopicPartition(TRANSACTIONS, 0), chain.log(0)[:-1])
    async with Tap(KafkaSettings(partitions=1), TRANSACTIONS, VERIFIER, broker) as tap:
        await tap.catch_up()
        assert standing(tap) == []
        broker.append(TopicPartition(TRANSACTIONS, 0), chain.log(0)[-1:])
        await tap.catch_up()
        assert standing(tap) == oracle(chain)


@pytest.mark.parametrize("cut", ["a record is missing", "a record comes twice", "a marker is missing"])
async def test_a_log_that_is_not_what_its_markers_say_is_refused(cut: str) -> None:
    broker, chain = FakeBroker(), ChainLog(partitions=1)
    chain.add([1, 2])
    chain.add([3])
    log = chain.log(0)
    altered = {
        "a record is missing": log[1:],
        "a record comes twice": [log[0], *log],
        "a marker is missing": log[:2] + log[3:],
    }[cut]
    broker.append(TopicPartition(TRANSACTIONS, 0), altered)
    async with Tap(KafkaSettings(partitions=1), TRANSACTIONS, VERIFIER, broker) as tap:
        with pytest.raises(LogIntegrityError):
            await tap.catch_up()


async def test_signatures_are_checked_if_keys_are_given() -> None:
    broker, chain = FakeBroker(), ChainLog()
    chain.add([1])
    publish(broker, chain, 0)
    async with Tap(KAFKA, TRANSACTIONS, Verifier([b"\x01" * 32]), broker) as tap:
        with pytest.raises(LogIntegrityError, match="unknown key"):
            await tap.catch_up()
    async with Tap(KAFKA, TRANSACTIONS, None, broker) as tap:
        await tap.catch_up()
        assert len(list(tap.records())) == 1


def test_topics_without_markers_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no markers"):
        Tap(KAFKA, COMMANDS, client=FakeBroker())
    assert TRANSACTIONS in MARKED


async def test_what_another_tap_kept_is_refused(tmp_path: Path) -> None:
    async with Tap(KAFKA, INTENTS, client=FakeBroker()) as tap:
        tap.save(tmp_path / "kept")
    async with Tap(KAFKA, TRANSACTIONS, client=FakeBroker()) as tap:
        with pytest.raises(ConfigurationError, match="not kept by a tap of"):
            tap.restore(tmp_path / "kept")


async def test_facts_of_commands_stand_outside_blocks_and_no_undo_takes_them_back() -> None:
    broker, chain = FakeBroker(), ChainLog(partitions=1, topic="memory.log")
    fact = codec().encode("MemoryFact", {**SAMPLES["MemoryFact"], "block": None})
    chain.add_records([[]], chain.next_ref())
    publish(broker, chain, 0)
    broker.append(TopicPartition("memory.log", 0), [(b"key", fact), (b"key", fact)])
    chain.undo(1)
    publish(broker, chain, 1)
    async with Tap(KafkaSettings(partitions=1), "memory.log", Verifier([SIGNER.public]), broker) as tap:
        await tap.catch_up()
        assert standing(tap) == standing(tap, final_only=True) == [fact], "and once, though it was read twice"


async def test_of_facts_under_one_name_the_first_counts() -> None:
    """A command that was sent twice: the log had it when it first came."""
    broker, chain = FakeBroker(), ChainLog(partitions=1, topic="memory.log")
    memory = {**SAMPLES["MemoryFact"]["memory"], "block": None}
    early, late = (
        codec().encode("MemoryFact", {**SAMPLES["MemoryFact"], "block": None, "memory": {**memory, "known_at": time}})
        for time in (1_000, 2_000)
    )
    chain.add_records([[]], chain.next_ref())
    publish(broker, chain, 0)
    broker.append(TopicPartition("memory.log", 0), [(b"key", early), (b"key", late)])
    async with Tap(KafkaSettings(partitions=1), "memory.log", VERIFIER, broker) as tap:
        await tap.catch_up()
        assert early != late and standing(tap) == [early]


def test_an_empty_table() -> None:
    table = TapTable()
    assert (table.head, table.final, list(table.rows()), list(table.rows(final_only=True))) == (None, None, [], [])

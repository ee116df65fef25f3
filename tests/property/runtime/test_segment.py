"""Laws of the pure core of the runtime: segments, live chain, undo plans, checkpoints, watermark."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import topics
from streams.core.chain import LiveBlock, LiveChain
from streams.core.checkpoint import NOWHERE, TIP, Checkpoint, SlotPolicy
from streams.core.record import Record
from streams.core.segment import Assembler, Block, Undo, Unit
from streams.core.undo import UndoPlan, plan_undo, read_ranges
from streams.core.watermark import Watermark, WatermarkError
from streams.errors import LogIntegrityError
from streams.ports.log import TopicPartition
from streams.runtime.decode import decode
from streams.runtime.rewind import live_block
from tests.chainlog import VERIFIER, ChainLog
from tests.fakelog import Entry
from tests.strategies import Move, histories, play

SOURCE = TopicPartition(topics.TRANSACTIONS, 0)


def records_of(chain: ChainLog) -> list[Record]:
    """Partition 0, with a gap after each step, as transactions leave."""
    entries, offset = [], 0
    for step in chain.steps:
        for key, value in step.records[0]:
            entries.append(Entry(offset, key, value))
            offset += 1
        offset += 1
    return decode(SOURCE, entries)


def assembler(**fields: object) -> Assembler:
    return Assembler(SOURCE.topic, 0, 0, lambda r: VERIFIER.verify("Marker", r.value, r.raw), **({"first": 0} | fields))  # type: ignore[arg-type]


def units_of(records: list[Record], cuts: list[int]) -> list[Unit]:
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    machine = assembler()
    return [unit for start, stop in pairwise(edges) for unit in machine.feed(records[start:stop])]


@given(histories, st.lists(st.integers(0, 150), max_size=12))
def test_any_split_gives_the_same_units(moves: list[Move], cuts: list[int]) -> None:
    records = records_of(play(moves))
    assert units_of(records, cuts) == units_of(records, [])


@given(histories, st.integers(0, 150))
def test_reading_on_from_any_boundary_gives_the_rest(moves: list[Move], cut: int) -> None:
    records = records_of(play(moves))
    machine = assembler()
    before = machine.feed(records[:cut])
    again = assembler(sequence=machine.sequence, head=machine.head)
    after = again.feed([record for record in records if record.offset >= machine.position])
    assert before + after == units_of(records, [])


@given(histories, st.data())
def test_any_record_dropped_or_swapped_is_noticed(moves: list[Move], data: st.DataObject) -> None:
    chain = play(moves)
    chain.add([1])
    records = records_of(chain)
    at = data.draw(st.integers(0, len(records) - 1))
    if at == len(records) - 1 or data.draw(st.booleans()):
        broken = records[:at] + records[at + 1 :]
    else:
        broken = [*records[:at], records[at + 1], records[at], *records[at + 2 :]]
    chain.add([2])
    broken += records_of(chain)[len(records) :]
    if [r.raw for r in broken] == [r.raw for r in records_of(chain)]:
        return
    with pytest.raises(LogIntegrityError):
        assembler().feed(broken)


def revert_all(chain: LiveChain, undo: Undo, blocks: dict[int, Block], state: Counter[bytes]) -> None:
    plan = plan_undo(chain, undo.marker.removed, undo.ancestor)
    assert isinstance(plan, UndoPlan)
    for live in plan.blocks:
        state.subtract(record.key for record in blocks[live.marker].records)
    chain.drop(len(plan.blocks), undo.ancestor)


@given(histories)
def test_fold_with_rewinds_equals_fold_of_the_canonical_chain(moves: list[Move]) -> None:
    chain = play(moves)
    live, state, blocks = LiveChain(1000), Counter[bytes](), dict[int, Block]()
    for unit in units_of(records_of(chain), []):
        if isinstance(unit, Block):
            state.update(record.key for record in unit.records)
            live.push(live_block(unit))
            blocks[unit.offset] = unit
        elif isinstance(unit, Undo):
            revert_all(live, unit, blocks, state)
    assert +state == Counter(key for _, placed in chain.blocks for key, _, _ in placed[0])
    assert [b.block for b in reversed(live.newest(1000))] == [ref for ref, _ in chain.blocks]


@given(histories, st.integers(1, 3), st.integers(1, 5))
def test_checkpoints_give_back_the_live_chain(moves: list[Move], window: int, interval: int) -> None:
    """What the slots hold is the newest part of the live chain, never a removed or older occurrence of a block."""
    policy = SlotPolicy(window, interval, 2 * interval)
    live, written = LiveChain(1000), list[Checkpoint]()

    def write(slot: str, at: LiveBlock) -> Checkpoint:
        written.append(Checkpoint("a", 0, slot, SOURCE.topic, at, {}))
        return written[-1]

    for unit in units_of(records_of(play(moves)), []):
        if isinstance(unit, Block):
            at = live_block(unit, live.time)
            live.push(at)
            for slot in policy.slots(at, unit.marker.final):
                write(slot, at)
        elif isinstance(unit, Undo):
            for gone in live.newest(len(unit.marker.removed)):
                for slot in policy.slots(gone, None):
                    written.append(write(slot, gone).freed())
            live.drop(len(unit.marker.removed), unit.ancestor)
        tip = LiveBlock(live.head or NOWHERE, unit.marker.sequence, 0, 0, 0, bytes(32))  # type: ignore[union-attr]
        write(TIP, tip)
        found = policy.chain({checkpoint.slot: checkpoint for checkpoint in written})  # as compaction leaves them
        assert found.newest(1000) == live.newest(len(found))
        assert found.head == live.head
        dense = [b for b in live.newest(policy.ring) if unit.marker.final is None or b.block.number > unit.marker.final.number]  # type: ignore[union-attr]
        if unit.marker.final is None:  # type: ignore[union-attr]
            assert len(found) >= min(len(dense), policy.window)


@given(st.integers(0, 60), st.integers(1, 20))
def test_read_ranges_cover_each_block_once_newest_first(depth: int, span: int) -> None:
    chain = ChainLog(partitions=1)
    for n in range(depth):
        chain.add(range(n % 5))
    blocks = [live_block(unit) for unit in units_of(records_of(chain), []) if isinstance(unit, Block)]
    plan = UndoPlan(tuple(reversed(blocks)), chain.parent)
    ranges = read_ranges(plan, span)
    assert [block for part in ranges for block in part.blocks] == list(plan.blocks)
    for part in ranges:
        assert part.start == part.blocks[-1].start
        assert part.stop == part.blocks[0].marker + 1
        assert len(part.blocks) == 1 or part.stop - part.start <= span + 1


@given(st.lists(st.integers(0, 100), unique=True, min_size=1).map(sorted), st.data())
def test_watermark_commits_exactly_what_was_settled(offsets: list[int], data: st.DataObject) -> None:
    mark = Watermark(0)
    mark.received(offsets)
    settled = data.draw(st.integers(0, len(offsets)))
    mark.settled(settled)
    position = data.draw(st.integers(0, 120))
    fits = sum(offset < position for offset in offsets) == settled
    if fits:
        mark.commit(position)
        assert mark.pending == len(offsets) - settled
    else:
        with pytest.raises(WatermarkError):
            mark.commit(position)

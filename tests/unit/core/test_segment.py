"""Every check of the segment assembler says no where it must, though the marker is signed by a trusted key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.codec import codec
from streams import topics
from streams.core.block import BlockRef
from streams.core.marker import Marker
from streams.core.record import Record
from streams.core.segment import Assembler, Block, Final, Outside, Undo
from streams.errors import LogIntegrityError
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.samples import SAMPLES

TOPIC = topics.TRANSACTIONS


def record(offset: int, key: bytes | None, raw: bytes) -> Record:
    kind, value = codec().decode(raw)
    return Record(TOPIC, 0, offset, key, kind, value, raw)


def records(chain: ChainLog) -> list[Record]:
    return [record(offset, key, raw) for offset, (key, raw) in enumerate(chain.log(0))]


def marked(offset: int, marker: Marker) -> Record:
    return record(offset, None, codec().encode("Marker", SIGNER.sign("Marker", marker.record())))


def assembler(**fields: Any) -> Assembler:
    return Assembler(TOPIC, 0, 0, lambda r: VERIFIER.verify("Marker", r.value, r.raw), **({"first": 0} | fields))


def three_blocks() -> ChainLog:
    chain = ChainLog(partitions=1)
    for _ in range(3):
        chain.add([1, 2])
    return chain


def stranger(number: int = 9) -> BlockRef:
    return BlockRef(number, b"s" * 32, b"p" * 32)


def test_blocks_undo_final() -> None:
    chain = three_blocks()
    chain.undo(2)
    chain.add([3], fork="b")
    chain.finalize(1)
    units = assembler().feed(records(chain))
    assert [type(unit) for unit in units] == [Block, Block, Block, Undo, Block, Final]
    assert [unit.size for unit in units] == [3, 3, 3, 1, 2, 1]
    first = units[0]
    assert isinstance(first, Block)
    assert (first.start, first.offset, first.next_offset) == (0, 2, 3)


BROKEN: dict[str, dict[str, Any]] = {
    "was written for chain.transactions/1": {"partition": 1},
    "was written for memory.log/0": {"topic": topics.MEMORY_LOG},
    "came twice": {"sequence": 1},
    "came where 2 was due": {"sequence": 3},
    "does not follow": {"block": stranger(3), "head": stranger(3)},
    "as the head|the head": {"head": stranger()},
    "the marker counts 3": {"count": 3},
    "not those the marker signed": {"digest": b"d" * 32},
}


@pytest.mark.parametrize(("message", "fields"), BROKEN.items(), ids=BROKEN.keys())
def test_a_new_marker_that_does_not_fit(message: str, fields: dict[str, Any]) -> None:
    chain = three_blocks()
    *before, last = records(chain)
    with pytest.raises(LogIntegrityError, match=message) as caught:
        assembler().feed([*before, marked(last.offset, replace(chain.steps[2].markers[0], **fields))])
    assert str(caught.value).startswith("chain.transactions/0@8: ")


def test_a_block_at_a_wrong_height() -> None:
    chain = three_blocks()
    *before, last = records(chain)
    ref = replace(chain.head, number=9)
    with pytest.raises(LogIntegrityError, match="does not follow"):
        assembler().feed([*before, marked(last.offset, replace(chain.steps[2].markers[0], block=ref, head=ref))])


def undoing(**fields: Any) -> list[Record]:
    chain = three_blocks()
    before = records(chain)
    marker = chain.undo(2).markers[0]
    return [*before, marked(len(before), replace(marker, **fields))]


def test_an_undo_that_does_not_fit() -> None:
    chain = three_blocks()
    refs = [ref for ref, _ in chain.blocks]
    with pytest.raises(LogIntegrityError, match="no removed blocks"):
        assembler().feed(undoing(removed=()))
    with pytest.raises(LogIntegrityError, match="no ancestor"):
        assembler().feed(undoing(ancestor=None))
    with pytest.raises(LogIntegrityError, match="but the head is"):
        assembler().feed(undoing(removed=(refs[1],)))
    with pytest.raises(LogIntegrityError, match="is not the parent of"):
        assembler().feed(undoing(removed=(refs[2], refs[0]), ancestor=chain.parent, head=chain.parent))
    with pytest.raises(LogIntegrityError, match="is not the parent of"):
        assembler().feed(undoing(ancestor=stranger(1), head=stranger(1)))
    with pytest.raises(LogIntegrityError, match="not the ancestor"):
        assembler().feed(undoing(head=refs[1]))


def test_records_in_front_of_an_undo_or_final_belong_to_nothing() -> None:
    chain = three_blocks()
    before = records(chain)
    stray = before[0]._replace(offset=20)
    for step in (chain.undo(1), chain.finalize(1)):
        marker = replace(step.markers[0], sequence=3, head=step.markers[0].head)
        with pytest.raises(LogIntegrityError, match="1 records of no block"):
            assembler().feed([*before, stray, marked(21, marker)])


def test_a_final_marker_of_another_tip() -> None:
    chain = three_blocks()
    before = records(chain)
    marker = chain.finalize(1).markers[0]
    with pytest.raises(LogIntegrityError, match="but that is"):
        assembler().feed([*before, marked(len(before), replace(marker, head=stranger()))])


def test_a_marker_nobody_signed() -> None:
    chain = three_blocks()
    *before, _ = records(chain)
    unsigned = codec().encode("Marker", chain.steps[2].markers[0].record())
    with pytest.raises(LogIntegrityError, match="unknown key"):
        assembler().feed([*before, record(8, None, unsigned)])


def test_a_log_that_begins_in_the_middle_is_refused_where_its_beginning_is_due() -> None:
    chain = three_blocks()
    with pytest.raises(LogIntegrityError, match="came where 0 was due"):
        assembler().feed(records(chain)[3:])
    assert len(assembler(first=None).feed(records(chain)[3:])) == 2


def test_an_open_block_has_a_limit() -> None:
    chain = three_blocks()
    flood = records(chain)[0]
    with pytest.raises(LogIntegrityError, match="and no marker"):
        assembler(limit_bytes=10_000).feed([flood._replace(offset=n) for n in range(100)])


def test_records_outside_blocks_inside_an_open_block_wait_for_its_marker() -> None:
    chain = ChainLog(partitions=1)
    chain.add([1, 2])
    first, second, marker = records(chain)
    fact = codec().encode("MemoryFact", {**SAMPLES["MemoryFact"], "block": None})
    log = [
        record(0, b"k", fact), first._replace(offset=1), record(2, b"k", fact), second._replace(offset=3),
        marker._replace(offset=4), record(5, b"k", fact),
    ]  # fmt: skip
    machine = assembler()
    units = machine.feed(log[:3])
    assert [(type(unit), unit.next_offset) for unit in units] == [(Outside, 1)]
    assert (machine.position, machine.waiting) == (1, 2)
    units = machine.feed(log[3:])
    assert [(type(unit), unit.size, unit.next_offset) for unit in units] == [(Outside, 1, 3), (Block, 3, 5), (Outside, 1, 6)]
    assert (machine.position, machine.waiting) == (6, 0)

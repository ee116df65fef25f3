"""The recomputing check says yes to what a worker should write, and no, by the right name, to each thing that may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import pytest

from streams.core.segment import Assembler, Block, Undo, Unit
from streams.ports.log import TopicPartition
from streams.runtime.decode import decode
from tests.chainlog import VERIFIER
from tests.fakelog import Entry
from tests.scale.history import Size, agents_of, history
from tests.scale.ledger import ENTRIES, EVENTS, row
from tests.scale.verify import Check, Oracle, Verdict

SIZE = Size(records=12_000, partitions=2, per_block=20)
Units = list[Unit]


def source(seed: int = 1) -> Units:
    """Partition 0 of a history, as its reader cuts it."""
    pairs = [pair for _, parts in history(SIZE, seed) for pair in parts[0]]
    assembler = Assembler(EVENTS, 0, 0, lambda record: VERIFIER.verify("Marker", record.value, record.raw), first=0)
    messages = [Entry(offset, key, value) for offset, (key, value) in enumerate(pairs)]
    return assembler.feed(decode(TopicPartition(EVENTS, 0), messages))


def output(units: Units) -> Units:
    """What a faultless worker writes."""
    oracle, made = Oracle(), []
    for unit in units:
        values = oracle.due(unit)
        if isinstance(unit, Block):
            records = [r._replace(topic=ENTRIES, raw=value) for r, value in zip(unit.records, values, strict=True)]
            made.append(Block(unit.marker.forwarded(ENTRIES, values), records, unit.start, unit.offset))
        else:
            made.append(type(unit)(unit.marker.forwarded(ENTRIES), unit.offset))
    return made


def judged(units: Units, found: Units, **wrong: Any) -> Verdict:
    oracle = Oracle()
    for unit in units:
        oracle.due(unit)
    tip = {"state_digest": oracle.state, "offsets": {EVENTS: units[-1].next_offset}, "block": {"number": 1}}
    table = {agent: row(agent, count) for agent, count in oracle.rows.items()}
    checked = Check(0)
    for one, other in zip_longest(units, found):
        checked.pair(one, other)
    checked.standing(wrong.get("table", table), wrong.get("tip", tip))
    return checked.verdict


def kinds(verdict: Verdict) -> set[str]:
    return {finding.partition(":")[0] for finding in verdict.findings}


@pytest.mark.parametrize("seed", range(3))
def test_a_faultless_run_is_good(seed: int) -> None:
    units = source(seed)
    verdict = judged(units, output(units))
    assert verdict.findings == []
    assert verdict.undone > 3
    assert verdict.events == verdict.entries == sum(len(unit.records) for unit in units if isinstance(unit, Block))


def _block(units: Units, change: Callable[[list[Any]], list[Any]]) -> Units:
    at = next(index for index in range(len(units) // 2, len(units)) if isinstance(units[index], Block))
    block = units[at]
    assert isinstance(block, Block)
    return [*units[:at], Block(block.marker, change(list(block.records)), block.start, block.offset), *units[at + 1 :]]


def _without_undo(units: Units) -> Units:
    at = next(index for index, unit in enumerate(units) if isinstance(unit, Undo))
    return units[:at] + units[at + 1 :]


FAULTS: dict[str, tuple[str, Callable[[Units], Units]]] = {
    "a record is lost": ("lost write", lambda units: _block(units, lambda records: records[1:])),
    "a record comes twice": ("duplicate", lambda units: _block(units, lambda records: [*records, records[3]])),
    "two records change places": ("order per key", lambda units: _block(units, lambda records: records[::-1])),
    "a record of another block": ("stale row", lambda units: _block(units, lambda r: [*r, r[0]._replace(raw=b"other")])),
    "the end is missing": ("lost write", lambda units: units[:-1]),
    "there is more": ("duplicate", lambda units: [*units, units[-1]]),
    "an undo is missing": ("marker mismatch", _without_undo),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_named(fault: str) -> None:
    units = source()
    kind, break_it = FAULTS[fault]
    assert kind in kinds(judged(units, break_it(output(units))))


def test_what_stands_is_compared() -> None:
    units = source()
    written = output(units)
    good = judged(units, written)
    assert good.findings == []
    agent = agents_of(0)[0]
    assert kinds(judged(units, written, table={})) == {"stale row"}
    assert f"of {agent.hex()}, which has" in "".join(judged(units, written, table={agent: row(agent, 1)}).findings)
    stranger = bytes(20)
    assert "which never acted" in judged(units, written, table={stranger: row(stranger, 1)}).findings[-1]
    tip = {"state_digest": bytes(32), "offsets": {EVENTS: units[-1].next_offset}, "block": {"number": 1}}
    assert kinds(judged(units, written, tip=None)) == {"commit hole"}
    assert kinds(judged(units, written, tip=tip)) == {"digest mismatch"}


def test_a_checkpoint_that_stands_short_of_the_end_is_a_hole() -> None:
    units = source()
    oracle = Oracle()
    for unit in units:
        oracle.due(unit)
    tip = {"state_digest": oracle.state, "offsets": {EVENTS: units[-1].next_offset - 1}, "block": {"number": 1}}
    assert kinds(judged(units, output(units), tip=tip)) == {"commit hole"}

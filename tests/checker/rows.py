"""Classes about sinks and answers: stale rows, and rows that the oracle misses, counts twice or does not know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.checker.anomaly import Anomaly
from tests.checker.events import Answer, Chain, Due, Row
from tests.checker.history import History, Place
from tests.checker.standing import undone

END = float("inf")


def stale_rows(history: History) -> Iterator[Anomaly]:
    """A sink at the end, or an answer, holds a row of a block that did not stand: undone, or never in the log.

    An answer is judged by the whole span of the log its reader may have seen: the block must have stood at some point of it.
    Judged where the history names the partition (``chain``) whose markers decide.
    """
    changes = _changes(history)
    if changes is None:
        return
    for row in history.of(Row):
        if _stale(row, changes):
            yield Anomaly("stale row", row.sink, f"{row.id} is of block {row.block}, which does not stand")
    for answer in history.of(Answer):
        for id_, block in answer.rows:
            if block is not None and not _stood(changes.get(block, []), answer.sequence, answer.until):
                what = (
                    f"an answer between {answer.sequence} and {answer.until} held {id_} of block {block}, which did not stand"
                )
                yield Anomaly("stale row", answer.process, what)


Changes = dict[str, list[tuple[int, bool]]]


def _changes(history: History) -> Changes | None:
    """When each block began and ceased to stand; None if the history names no partition that says so."""
    for chain in history.of(Chain):
        return undone(history.logs.get(Place(chain.topic, chain.partition), ()))
    return None


def _stale(row: Row, changes: Changes | None) -> bool:
    return changes is not None and row.block is not None and not _stood(changes.get(row.block, []), END, END)


def _stood(changes: list[tuple[int, bool]], first: float, last: float) -> bool:
    """Whether a block stood at some sequence from ``first`` to ``last``."""
    before = [now for at, now in changes if at <= first]
    return (bool(before) and before[-1]) or any(now for at, now in changes if first < at <= last)


def lost_rows(history: History) -> Iterator[Anomaly]:
    """A sink lacks a row that the oracle says it must hold."""
    held = _held(history)
    for due in history.of(Due):
        if not held[due.sink][due.id]:
            yield Anomaly("lost row", due.sink, f"{due.id} is missing")


def doubled_rows(history: History) -> Iterator[Anomaly]:
    """A sink holds a row more than once, or one that nothing led to (one of an undone block is stale instead).

    Sinks without ``due`` events are not judged.
    """
    changes = _changes(history)
    stale = {(row.sink, row.id) for row in history.of(Row) if _stale(row, changes)}
    due: dict[str, set[str]] = defaultdict(set)
    for event in history.of(Due):
        due[event.sink].add(event.id)
    for sink, rows in _held(history).items():
        if sink not in due:
            continue
        for id_, count in rows.items():
            if count > 1:
                yield Anomaly("doubled row", sink, f"{id_} is there {count} times")
            if id_ not in due[sink] and (sink, id_) not in stale:
                yield Anomaly("doubled row", sink, f"{id_} is there, and nothing led to it")


def _held(history: History) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in history.of(Row):
        found[row.sink][row.id] += 1
    return found

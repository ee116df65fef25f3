"""From when to when a memory is true: a pure function of the records that stand, computed when somebody reads.

A memory starts at its ``valid_from``, or else its timestamp. It ends at the earliest of
  * its own ``valid_to``;
  * ``until`` of each edge SUPERSEDES, MERGES or INVALIDATES to it, or else the start of the record that holds the edge;
  * the start of the next later statement with its subject and predicate.
Statements that start together and say different things contradict each other: the one known last counts (timestamp, then
id), the others are true at no time. So nothing is ever overwritten, and what was said is only ever added to.
Assumes ``others`` are known to the reader and live, or were so until they had to make room for others.
Invariants: the result depends on the set of records, never on their order, and of that on those alone which have an edge to
the memory or its subject and predicate; so a record taken back leaves what there was before it, and no inverse is needed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENDING = frozenset({"SUPERSEDES", "MERGES", "INVALIDATES"})
"""Kinds of edges that end what they point at."""

Statement = tuple[str, str]
"""Subject and predicate."""
Record = Mapping[str, Any]
"""A memory or an amendment, as the codec returns it."""


@dataclass(frozen=True, slots=True)
class Validity:
    """``valid_to`` None is open; an interval that ends where it starts holds no time. Ids are sorted.

    ``superseded_by``: memories that took its place; ``invalidated_by``: records that say it is no longer true;
    ``contradicts``: statements that start with it and say something else.
    """

    valid_from: int
    valid_to: int | None = None
    superseded_by: tuple[bytes, ...] = ()
    invalidated_by: tuple[bytes, ...] = ()
    contradicts: tuple[bytes, ...] = ()

    def at(self, time: int) -> bool:
        """Whether it is true at ``time``, in unix seconds."""
        return self.valid_from <= time and (self.valid_to is None or time < self.valid_to)


def turns_of(memory: Record) -> list[int]:
    """The times from which on what a memory says of validity, its own or of others, reads differently; its timestamp aside."""
    turns = [memory["valid_from"], memory["valid_to"], *(edge["until"] for edge in memory["edges"] if edge["kind"] in ENDING)]
    return [time for time in turns if time is not None]


def start_of(memory: Record, now: int | None = None) -> int:
    """From when a memory is true. ``now``: see ``validities``."""
    said: int | None = memory["valid_from"]
    if said is not None:
        return said
    known: int = memory["timestamp"]
    return known if now is None else min(known, now)


def statement_of(memory: Record) -> Statement | None:
    """Its subject and predicate, if it is a statement."""
    subject, predicate = memory["subject"], memory["predicate"]
    return None if subject is None or predicate is None else (subject, predicate)


def validities(memories: Collection[Record], others: Iterable[Record] = (), now: int | None = None) -> dict[bytes, Validity]:
    """Of each of ``memories`` by id, given these and ``others``, all of one agent.

    ``now``, if given: what claims to have been said later than that was said now, since it is there. Clocks of those who send
    commands differ; what one of them says counts for the next reader, not only when the reader's clock has caught up.
    """
    records = {record["id"]: record for record in [*others, *memories]}
    about: defaultdict[bytes, list[Record]] = defaultdict(list)
    said: defaultdict[Statement, list[Record]] = defaultdict(list)
    for record in records.values():
        for target in {edge["target"] for edge in record["edges"] if edge["kind"] in ENDING}:
            about[target].append(record)
        statement = statement_of(record)
        if statement is not None:
            said[statement].append(record)
    histories = {statement: _History(statements, now) for statement, statements in said.items()}
    return {m["id"]: _validity(m, about[m["id"]], histories.get(statement_of(m) or ("", "")), now) for m in memories}


class _History:
    """Statements with one subject and predicate."""

    def __init__(self, statements: Iterable[Record], now: int | None) -> None:
        self._by_start: defaultdict[int, list[Record]] = defaultdict(list)
        for statement in statements:
            self._by_start[start_of(statement, now)].append(statement)
        self._starts = sorted(self._by_start)

    def at(self, start: int) -> Sequence[Record]:
        return self._by_start[start]

    def after(self, start: int) -> int | None:
        """The next start."""
        index = bisect_right(self._starts, start)
        return self._starts[index] if index < len(self._starts) else None


def _validity(memory: Record, about: Sequence[Record], history: _History | None, now: int | None) -> Validity:
    start = start_of(memory, now)
    ends: list[int] = [] if memory["valid_to"] is None else [memory["valid_to"]]
    superseding: set[bytes] = set()
    invalidating: set[bytes] = set()
    contradicting: set[bytes] = set()
    for record in about:
        for edge in record["edges"]:
            if edge["target"] == memory["id"] and edge["kind"] in ENDING:
                ends.append(start_of(record, now) if edge["until"] is None else edge["until"])
                (invalidating if edge["kind"] == "INVALIDATES" else superseding).add(record["id"])
    if history is not None:
        later = history.after(start)
        if later is not None:
            ends.append(later)
            superseding |= {statement["id"] for statement in history.at(later)}
        together = history.at(start)
        differing = [statement for statement in together if _says(statement) != _says(memory)]
        contradicting = {statement["id"] for statement in differing if start_of(statement) == start_of(memory)}
        last = max(together, key=lambda statement: (statement["timestamp"], statement["id"]))
        if last in differing:
            ends.append(start)
            superseding.add(last["id"])
    end = max(start, min(ends)) if ends else None
    return Validity(start, end, *(tuple(sorted(ids)) for ids in (superseding, invalidating, contradicting)))


def _says(statement: Record) -> tuple[bytes, str]:
    return statement["content"], statement["media_type"]

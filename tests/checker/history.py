"""Reads and writes histories, and answers what every check asks of them.

A file whose name ends in .gz is compressed. Invariant: a history is immutable; checks are pure functions of it.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

from pydantic import ValidationError

from tests.checker.events import EVENT, Entry, Event, Log, Marker

T = TypeVar("T", bound=Event)
MAX_LINE = 64 * 1024 * 1024


class HistoryError(Exception):
    """A file is not a history. Names file and line."""


class Place(NamedTuple):
    """A partition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True)
class History:
    """Events in the order in which they were recorded."""

    events: tuple[Event, ...]

    @cached_property
    def _by_type(self) -> dict[type, list[Event]]:
        found: dict[type, list[Event]] = defaultdict(list)
        for event in self.events:
            found[type(event)].append(event)
        return found

    def of(self, kind: type[T]) -> list[T]:
        """All events of one type."""
        return cast("list[T]", self._by_type.get(kind, []))

    @cached_property
    def logs(self) -> dict[Place, list[Entry | Marker]]:
        """Whole logs by partition, by offset."""
        found: dict[Place, list[Entry | Marker]] = {Place(log.topic, log.partition): [] for log in self.of(Log)}
        items: list[Entry | Marker] = [*self.of(Entry), *self.of(Marker)]
        for item in items:
            place = Place(item.topic, item.partition)
            if place not in found:
                raise HistoryError(f"{place} has an entry at {item.offset}, but no log event says that it was read whole")
            found[place].append(item)
        return {place: sorted(items, key=lambda item: item.offset) for place, items in found.items()}


def name_of(item: Entry | Marker) -> str:
    """The id under which a reader reports what lies at this place."""
    return item.id if isinstance(item, Entry) else f"marker {item.sequence}"


def _open(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, mode + "t", encoding="utf-8", compresslevel=3))
    return path.open(mode, encoding="utf-8")


def parse(lines: Iterable[str], source: str) -> Iterator[Event]:
    """Events of JSON lines. Raises HistoryError that names ``source`` and the line."""
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise HistoryError(f"{source}:{number}: a line of {len(line)} characters")
        if not line.strip():
            continue
        try:
            yield EVENT.validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise HistoryError(f"{source}:{number}: {where}: {first['msg']}") from None


def read(paths: Iterable[Path]) -> History:
    """One history from one or more files, in the order given. Raises HistoryError, OSError."""
    events: list[Event] = []
    for path in paths:
        with _open(path, "r") as lines:
            events += parse(lines, str(path))
    return History(tuple(events))


def write(path: Path, events: Iterable[Event]) -> None:
    """The inverse of ``read``."""
    with _open(path, "w") as file:
        for event in events:
            file.write(event.model_dump_json(exclude_defaults=False) + "\n")

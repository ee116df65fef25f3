"""The registry's table: subjects, their versions, ids, levels and modes, as a fold over the rows of a compacted topic.

Assumes rows come in log order; of each key the last one counts, so that what compaction leaves gives the same table.
Invariants: an id names one schema for good, a row that would give it another is refused; the highest id ever given is kept
apart from the versions, so that a deleted one is not given again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from streams.core.registry.avro import AvroError, Schema, parse
from streams.core.registry.compatibility import Level

FIRST_FREE_ID = 100_001
"""Ids below are the product's own, given by its releases: whatever else is registered must never stand in their way."""
MODES = ("READWRITE", "READONLY", "IMPORT")
EVERYWHERE = ""
"""In place of a subject: what holds where a subject says nothing."""


class RowError(ValueError):
    """A row that is none, or contradicts an earlier one."""


class Key(NamedTuple):
    """Of a row. ``version``: 0 for all but VERSION."""

    kind: str
    version: int
    subject: str

    def __bytes__(self) -> bytes:
        return f"{self.kind}/{self.version}/{self.subject}".encode()

    @classmethod
    def of(cls, key: bytes) -> Key:
        """The inverse. Raises RowError."""
        try:
            kind, version, subject = key.decode().split("/", 2)
            found = cls(kind, int(version), subject)
        except ValueError:
            raise RowError(f"not a key of a row: {key[:80]!r}") from None
        if bytes(found) != key:
            raise RowError(f"not a key of a row: {key[:80]!r}")
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """What a key says. Which fields mean something follows from its kind, as ``schemas/SchemaEntry.avsc`` tells."""

    key: Key
    id: int = 0
    schema: str = ""
    deleted: bool = False
    setting: str = ""

    def record(self) -> dict[str, Any]:
        """The Avro form."""
        kind, version, subject = self.key
        values = {"id": self.id, "schema": self.schema, "deleted": self.deleted, "setting": self.setting}
        return {"kind": kind, "subject": subject, "version": version, **values}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Row:
        """The inverse."""
        key = Key(record["kind"], record["version"], record["subject"])
        return cls(key, record["id"], record["schema"], record["deleted"], record["setting"])


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a subject. ``text``: as it was registered."""

    subject: str
    number: int
    id: int
    text: str
    deleted: bool

    @property
    def schema(self) -> Schema:
        """It was parsed when it came in."""
        return parse(self.text)

    def row(self, *, deleted: bool) -> Row:
        """The row that says so."""
        return Row(Key("VERSION", self.number, self.subject), self.id, self.text, deleted)


class Table:
    """Folds rows by ``take``; everything else only looks."""

    def __init__(self) -> None:
        self._subjects: dict[str, dict[int, Version]] = {}
        self._by_id: dict[int, dict[tuple[str, int], Version]] = {}
        self._ids: dict[str, set[int]] = {}
        self._levels: dict[str, Level] = {}
        self._modes: dict[str, str] = {}
        self._given = 0

    def take(self, key: Key, row: Row | None) -> None:
        """The next row; None takes its key away. Raises RowError, and nothing is changed then."""
        if row is not None and row.key != key:
            raise RowError("a row under another's key")
        if key.kind == "VERSION":
            self._take_version(key, row)
        elif key.kind == "CONFIG":
            _put(self._levels, key.subject, _level(row))
        elif key.kind == "MODE":
            if row is not None and row.setting not in MODES:
                raise RowError(f"no mode {row.setting[:80]!r}")
            _put(self._modes, key.subject, None if row is None else row.setting)
        elif key.kind == "IDS":
            self._given = max(self._given, 0 if row is None else row.id)
        else:
            raise RowError(f"no kind of row: {key.kind[:80]!r}")

    def _take_version(self, key: Key, row: Row | None) -> None:
        made = None if row is None else self._checked(key, row)
        before = self._subjects.get(key.subject, {}).pop(key.version, None)
        if before is not None:
            self._forget(before)
        if made is not None:
            self._subjects.setdefault(key.subject, {})[key.version] = made
            self._by_id.setdefault(made.id, {})[key.subject, key.version] = made
            self._ids.setdefault(made.schema.canonical, set()).add(made.id)
            self._given = max(self._given, made.id)
        elif not self._subjects.get(key.subject):
            self._subjects.pop(key.subject, None)

    def _checked(self, key: Key, row: Row) -> Version:
        if key.version < 1 or row.id < 1 or not key.subject:
            raise RowError(f"no version: {key}, id {row.id}")
        try:
            canonical = parse(row.schema).canonical
        except AvroError as error:
            raise RowError(str(error)) from None
        holders = [version for place, version in self._by_id.get(row.id, {}).items() if place != (key.subject, key.version)]
        if holders and holders[0].schema.canonical != canonical:
            raise RowError(f"id {row.id} names another schema")
        return Version(key.subject, key.version, row.id, row.schema, row.deleted)

    def _forget(self, version: Version) -> None:
        holders = self._by_id[version.id]
        del holders[version.subject, version.number]
        if not holders:
            del self._by_id[version.id]
            ids = self._ids[version.schema.canonical]
            ids.discard(version.id)
            if not ids:
                del self._ids[version.schema.canonical]

    @property
    def next_id(self) -> int:
        """The next one to give; none below FIRST_FREE_ID."""
        return max(self._given, FIRST_FREE_ID - 1) + 1

    @property
    def given(self) -> int:
        """The highest id ever given."""
        return self._given

    def subjects(self, *, deleted: bool = False) -> list[str]:
        """Names, in order; ``deleted``: also of those of which every version is deleted."""
        return sorted(name for name in self._subjects if deleted or self.versions(name))

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Oldest first."""
        found = self._subjects.get(subject, {})
        return [found[number] for number in sorted(found) if deleted or not found[number].deleted]

    def holders(self, schema_id: int) -> list[Version]:
        """Versions of that id, deleted ones too, by subject and number."""
        found = self._by_id.get(schema_id, {})
        return [found[place] for place in sorted(found)]

    def id_of(self, schema: Schema) -> int | None:
        """The id of an equal schema; the lowest if it has several."""
        return min(self._ids.get(schema.canonical, ()), default=None)

    def own_level(self, subject: str) -> Level | None:
        """The level set for that subject, or for EVERYWHERE."""
        return self._levels.get(subject)

    def level(self, subject: str = EVERYWHERE) -> Level:
        """The level in force."""
        return self._levels.get(subject) or self._levels.get(EVERYWHERE) or Level.BACKWARD

    def own_mode(self, subject: str) -> str | None:
        """The mode set for that subject, or for EVERYWHERE."""
        return self._modes.get(subject)

    def mode(self, subject: str = EVERYWHERE) -> str:
        """The mode in force."""
        return self._modes.get(subject) or self._modes.get(EVERYWHERE) or MODES[0]

    def rows(self) -> Iterator[Row]:
        """Rows that give this table, one a key: what compaction would leave."""
        for versions in self._subjects.values():
            for version in versions.values():
                yield version.row(deleted=version.deleted)
        for subject, level in self._levels.items():
            yield Row(Key("CONFIG", 0, subject), setting=level)
        for subject, mode in self._modes.items():
            yield Row(Key("MODE", 0, subject), setting=mode)
        if self._given:
            yield Row(Key("IDS", 0, EVERYWHERE), self._given)

    def copy(self) -> Table:
        """Another one, equal to this."""
        made = Table()
        for row in self.rows():
            made.take(row.key, row)
        return made


def _put(where: dict[str, Any], subject: str, value: Any) -> None:
    if value is None:
        where.pop(subject, None)
    else:
        where[subject] = value


def _level(row: Row | None) -> Level | None:
    if row is None:
        return None
    try:
        return Level(row.setting)
    except ValueError:
        raise RowError(f"no level {row.setting[:80]!r}") from None

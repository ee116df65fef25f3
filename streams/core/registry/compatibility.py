"""Whether data of one schema can be read as another, by the resolution rules of the Avro specification.

Invariant: ``faults(reader, writer)`` is empty exactly if every datum of ``writer`` resolves; the verdicts are those of Avro's
own compatibility checkers, field by field. Names of records, enums and fixed types compare without namespace, or by an alias of
the reader, as there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from streams.core.registry.avro import Field, Schema, Type

PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "bytes": {"string"},
    "string": {"bytes"},
}
"""Type of the reader to other types of a writer that it takes."""


class Level(StrEnum):
    """What a new version must be to earlier ones: BACKWARD reads them, FORWARD is read by them."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def transitive(self) -> bool:
        """To all earlier versions, not the latest alone."""
        return self.endswith("_TRANSITIVE")


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason. ``path``: a JSON pointer into the reader's schema."""

    kind: str
    path: str
    said: str

    def __str__(self) -> str:
        return f"{{errorType:'{self.kind}', description:'{self.said}', path:'{self.path or '/'}'}}"


def refused(level: Level, new: Schema, earlier: Iterable[Schema]) -> list[Fault]:
    """Why ``new`` may not follow ``earlier`` (newest last); empty if it may."""
    known = list(earlier) if level.transitive else list(earlier)[-1:]
    found: list[Fault] = []
    for old in reversed(known):
        if level.startswith(("BACKWARD", "FULL")):
            found += faults(new, old)
        if level.startswith(("FORWARD", "FULL")):
            found += faults(old, new)
    return found


def faults(reader: Schema, writer: Schema) -> list[Fault]:
    """Why data of ``writer`` cannot be read as ``reader``."""
    return _Comparison().of(reader.root, writer.root, "")


class _Comparison:
    """One pair of schemas, each pair of their nodes compared once, so that no schema takes long.

    A pair that is being compared further up counts as readable meanwhile. If it turns out not to be, what was found readable on
    that assumption is forgotten.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], list[Fault]] = {}
        self._open: set[tuple[int, int]] = set()
        self._assumed: set[tuple[int, int]] = set()

    def of(self, reader: Type, writer: Type, path: str) -> list[Fault]:
        pair = id(reader), id(writer)
        if pair in self._known:
            return self._known[pair]
        if pair in self._open:
            self._assumed.add(pair)
            return []
        self._open.add(pair)
        found = list(self._of(reader, writer, path))
        self._open.discard(pair)
        if found and pair in self._assumed:
            self._known = {known: reasons for known, reasons in self._known.items() if reasons}
        self._assumed.discard(pair)
        self._known[pair] = found
        return found

    def _of(self, reader: Type, writer: Type, path: str) -> Iterator[Fault]:
        if writer.kind == "union":
            for branch in writer.branches:
                found = self.of(reader, branch, path)
                if found and reader.kind == "union":
                    yield Fault("MISSING_UNION_BRANCH", path, f"the reader's union does not take {_shown(branch)}")
                else:
                    yield from found
        elif reader.kind == "union":
            if not any(not self.of(branch, writer, path) for branch in reader.branches):
                yield Fault("MISSING_UNION_BRANCH", path, f"no branch of the reader's union takes {_shown(writer)}")
        elif reader.kind != writer.kind:
            if writer.kind not in PROMOTIONS.get(reader.kind, ()):
                yield Fault("TYPE_MISMATCH", path, f"the reader's {_shown(reader)} does not take {_shown(writer)}")
        elif reader.items is not None and writer.items is not None:
            yield from self.of(reader.items, writer.items, f"{path}/{'items' if reader.kind == 'array' else 'values'}")
        elif reader.name:
            yield from self._named(reader, writer, path)

    def _named(self, reader: Type, writer: Type, path: str) -> Iterator[Fault]:
        if reader.short_name != writer.short_name and writer.name not in reader.aliases:
            yield Fault("NAME_MISMATCH", f"{path}/name", f"the reader expects {reader.name}, not {writer.name}")
        if reader.kind == "fixed" and reader.size != writer.size:
            yield Fault("FIXED_SIZE_MISMATCH", f"{path}/size", f"the reader expects {reader.size} bytes, not {writer.size}")
        elif reader.kind == "enum":
            known = frozenset(reader.symbols)
            missing = [symbol for symbol in writer.symbols if symbol not in known]
            if missing and reader.default is None:
                yield Fault("MISSING_ENUM_SYMBOLS", f"{path}/symbols", f"the reader lacks {', '.join(missing)}")
        elif reader.kind == "record":
            for number, wanted in enumerate(reader.fields):
                yield from self._field(wanted, writer, f"{path}/fields/{number}")

    def _field(self, wanted: Field, writer: Type, path: str) -> Iterator[Fault]:
        found = _counterpart(wanted, writer)
        if found is not None:
            yield from self.of(wanted.type, found.type, f"{path}/type")
        elif not wanted.has_default:
            said = f"field {wanted.name} has no default, and the writer has no such field"
            yield Fault("READER_FIELD_MISSING_DEFAULT_VALUE", path, said)


def _counterpart(wanted: Field, writer: Type) -> Field | None:
    by_name = {field.name: field for field in writer.fields}
    if wanted.name in by_name:
        return by_name[wanted.name]
    return next((by_name[alias] for alias in sorted(wanted.aliases) if alias in by_name), None)


def _shown(held: Type) -> str:
    return f"{held.kind} {held.name}" if held.name else held.kind

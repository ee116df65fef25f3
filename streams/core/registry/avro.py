"""Avro schemas, parsed and checked by the specification, and the one text that equal schemas share.

Assumes nothing of the text. Invariants: whatever it is, the outcome is a Schema or an AvroError; two texts that differ
only in layout, order of attributes, or in how a name or a primitive type is written have equal canonical texts; all else (docs,
defaults, aliases, properties of the user) counts, as it does for Confluent's registry.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "enum", "fixed"})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_DEPTH = 64
LONGEST_REMEMBERED = 8 * 1024
RANGES = {"int": 1 << 31, "long": 1 << 63}


class AvroError(ValueError):
    """The text is not an Avro schema; says where and why."""


@dataclass(slots=True, eq=False)
class Field:
    """A field of a record. ``has_default`` apart, since null is a default too."""

    name: str
    type: Type
    has_default: bool
    aliases: frozenset[str]


@dataclass(slots=True, eq=False)
class Type:
    """A node of a schema. A recursive schema is a graph with cycles, so equality is identity."""

    kind: str
    name: str = ""
    """Full name of a record, enum or fixed."""
    aliases: frozenset[str] = frozenset()
    fields: list[Field] = field(default_factory=list)
    symbols: tuple[str, ...] = ()
    default: str | None = None
    """Symbol of an enum that unknown ones are read as."""
    size: int = 0
    items: Type | None = None
    """Of an array's items or a map's values."""
    branches: tuple[Type, ...] = ()
    """Of a union."""

    @property
    def short_name(self) -> str:
        """Without its namespace."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """``canonical``: equal for equal schemas."""

    root: Type
    canonical: str


def parse(text: str) -> Schema:
    """Raises AvroError. The last ones are remembered, but for long texts, which anybody may send to have them compared."""
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else _parsed(text)


@lru_cache(maxsize=1024)
def _remembered(text: str) -> Schema:
    return _parsed(text)


def _parsed(text: str) -> Schema:
    try:
        found = json.loads(text, parse_constant=_no_constant)
        root, canonical = _Parser().type(found, "", 0)
    except (ValueError, RecursionError) as error:
        if isinstance(error, AvroError):
            raise
        raise AvroError(f"not JSON: {error}") from None
    return Schema(root, json.dumps(canonical, sort_keys=True, separators=(",", ":")))


def _no_constant(name: str) -> Any:
    raise AvroError(f"{name} is not JSON")


class _Parser:
    """One schema. ``type`` returns a node and the canonical JSON of it."""

    def __init__(self) -> None:
        self._named: dict[str, Type] = {}

    def type(self, found: Any, namespace: str, depth: int) -> tuple[Type, Any]:
        if depth > MAX_DEPTH:
            raise AvroError(f"nested more than {MAX_DEPTH} deep")
        if isinstance(found, str):
            return self._by_name(found, namespace)
        if isinstance(found, list):
            return self._union(found, namespace, depth)
        if not isinstance(found, dict):
            raise AvroError(f"not a type: {_shown(found)}")
        kind = found.get("type")
        if isinstance(kind, (dict, list)):  # a schema in place of a type's name
            if set(found) == {"type"}:
                return self.type(kind, namespace, depth + 1)
            raise AvroError(f"no type: {_shown(kind)}")
        if kind in PRIMITIVES:
            rest = {key: value for key, value in found.items() if key != "type"}
            return Type(str(kind)), {"type": kind, **rest} if rest else kind
        if kind in NAMED:
            return self._define(str(kind), found, namespace, depth)
        if kind in {"array", "map"}:
            part = "items" if kind == "array" else "values"
            if part not in found:
                raise AvroError(f"a {kind} without {part}")
            items, canonical = self.type(found[part], namespace, depth + 1)
            return Type(str(kind), items=items), {**found, part: canonical}
        if isinstance(kind, str) and set(found) == {"type"}:
            return self._by_name(kind, namespace)
        raise AvroError(f"no type: {_shown(kind)}")

    def _by_name(self, name: str, namespace: str) -> tuple[Type, Any]:
        if name in PRIMITIVES:
            return Type(name), name
        full = _full(name, namespace)
        known = self._named.get(full) or self._named.get(name)
        if known is None:
            raise AvroError(f"no type: {_shown(name)}")
        return known, known.name

    def _union(self, found: Sequence[Any], namespace: str, depth: int) -> tuple[Type, Any]:
        parsed = [self.type(part, namespace, depth + 1) for part in found]
        seen: set[str] = set()
        for branch, _ in parsed:
            if branch.kind == "union":
                raise AvroError("a union directly inside a union")
            name = branch.name or branch.kind
            if name in seen:
                raise AvroError(f"{name} twice in a union")
            seen.add(name)
        return Type("union", branches=tuple(branch for branch, _ in parsed)), [canonical for _, canonical in parsed]

    def _define(self, kind: str, found: Mapping[str, Any], outer: str, depth: int) -> tuple[Type, Any]:
        name = _full(_text(found, "name", f"a {kind}"), str(found.get("namespace", outer) or ""))
        _check_name(name)
        if name in self._named or name in PRIMITIVES:
            raise AvroError(f"{name} is defined twice")
        namespace = name.rpartition(".")[0]
        aliases = [_full(alias, namespace) for alias in _texts(found, "aliases", name)]
        made = self._named[name] = Type(kind, name, frozenset(aliases))
        canonical = {key: value for key, value in found.items() if key != "namespace"} | {"name": name}
        if "aliases" in found:
            canonical["aliases"] = aliases
        if kind == "record":
            canonical["fields"] = self._fields(made, found.get("fields"), namespace, depth)
        elif kind == "enum":
            _enum(made, found)
        else:
            size = found.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise AvroError(f"{name}: size is {_shown(size)}")
            made.size = size
        return made, canonical

    def _fields(self, record: Type, found: Any, namespace: str, depth: int) -> list[Any]:
        if not isinstance(found, list):
            raise AvroError(f"{record.name}: fields is no list")
        canonical = []
        names: set[str] = set()
        for entry in found:
            if not isinstance(entry, dict) or "type" not in entry:
                raise AvroError(f"{record.name}: a field without a type")
            name = _text(entry, "name", f"a field of {record.name}")
            _check_name(name)
            if name in names:
                raise AvroError(f"{record.name}: field {name} twice")
            names.add(name)
            held, shape = self.type(entry["type"], namespace, depth + 1)
            if "default" in entry and not _fits(held, entry["default"], {}):
                raise AvroError(f"{record.name}: invalid default for field {name}: {_shown(entry['default'])}")
            aliases = frozenset(_texts(entry, "aliases", name))
            record.fields.append(Field(name, held, "default" in entry, aliases))
            canonical.append({**entry, "type": shape})
        return canonical


def _enum(made: Type, found: Mapping[str, Any]) -> None:
    symbols = _texts(found, "symbols", made.name)
    if not symbols or len(set(symbols)) != len(symbols) or not all(NAME.fullmatch(symbol) for symbol in symbols):
        raise AvroError(f"{made.name}: symbols are {_shown(symbols)}")
    made.symbols = tuple(symbols)
    if "default" in found:
        if found["default"] not in symbols:
            raise AvroError(f"{made.name}: the default {_shown(found['default'])} is no symbol of it")
        made.default = found["default"]


def _fits(held: Type, value: Any, known: dict[tuple[int, int], bool]) -> bool:
    """Whether ``value`` is a default of that type. One of a union may be of any branch, as since Avro 1.12."""
    pair = id(held), id(value)
    if pair not in known:  # or unions inside unions of one default would be tried in all combinations
        known[pair] = False
        known[pair] = _fits_anew(held, value, known)
    return known[pair]


def _fits_anew(held: Type, value: Any, known: dict[tuple[int, int], bool]) -> bool:
    kind = held.kind
    if kind == "union":
        return any(_fits(branch, value, known) for branch in held.branches)
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in RANGES:
        return isinstance(value, int) and not isinstance(value, bool) and -RANGES[kind] <= value < RANGES[kind]
    if kind in {"float", "double"}:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind in {"bytes", "string"}:
        return isinstance(value, str)
    if kind == "fixed":
        return isinstance(value, str) and len(value) == held.size
    if kind == "enum":
        return value in held.symbols
    if kind == "array":
        return isinstance(value, list) and all(_fits(held.items, item, known) for item in value if held.items)
    if not isinstance(value, dict):
        return False
    if kind == "map":
        return all(_fits(held.items, item, known) for item in value.values() if held.items)
    return all(_fits(part.type, value[part.name], known) if part.name in value else part.has_default for part in held.fields)


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _check_name(name: str) -> None:
    if not all(NAME.fullmatch(part) for part in name.split(".")):
        raise AvroError(f"not a name: {_shown(name)}")


def _text(found: Mapping[str, Any], key: str, whose: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise AvroError(f"{whose} without a {key}")
    return value


def _texts(found: Mapping[str, Any], key: str, whose: str) -> list[str]:
    values = found.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise AvroError(f"{whose}: {key} is no list of names")
    return values


def _shown(value: Any) -> str:
    return repr(value)[:80]

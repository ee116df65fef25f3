"""The registry's table and its rules: compaction changes nothing, no id is given twice, and what can be read is what Apache
Avro's own checker says.
"""

from __future__ import annotations

import io
import json
from copy import deepcopy
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import make_avsc_object
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.utils import generate_one
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from streams.core.registry import decide
from streams.core.registry.avro import AvroError, parse
from streams.core.registry.compatibility import Level, faults, refused
from streams.core.registry.decide import RegistryError
from streams.core.registry.table import FIRST_FREE_ID, Key, Row, Table

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
DEFAULTS: dict[str, Any] = {
    "null": None, "boolean": True, "int": 1, "long": 1, "float": 1.0, "double": 1.0, "bytes": "x", "string": "x",
}  # fmt: skip


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> Any:
    """A schema. Names are few, so that two of them often fit; each is defined once by being numbered below."""
    kind = draw(st.sampled_from([*PRIMITIVES, "enum", "fixed", *(["array", "map", "union", "record"] if depth else [])]))
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from("ABC"), min_size=1, unique=True))
        given_default = {"default": symbols[0]} if draw(st.booleans()) else {}
        return {"type": "enum", "name": "E", "symbols": symbols, **given_default}
    if kind == "fixed":
        return {"type": "fixed", "name": "F", "size": draw(st.integers(1, 2))}
    if kind in {"array", "map"}:
        return {"type": kind, "items" if kind == "array" else "values": draw(schemas(depth - 1))}
    if kind == "union":
        return draw(st.lists(st.sampled_from(PRIMITIVES), min_size=1, max_size=3, unique=True))
    if kind == "record":
        return draw(records(depth - 1))
    return kind


@st.composite
def records(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    fields = []
    for name in draw(st.lists(st.sampled_from("abc"), max_size=3, unique=True)):
        held = draw(schemas(depth))
        field: dict[str, Any] = {"name": name, "type": held}
        simple = held if isinstance(held, str) else held[0] if isinstance(held, list) else None
        if simple is not None and draw(st.booleans()):
            field["default"] = DEFAULTS[simple]
        if draw(st.integers(0, 5)) == 0:
            field["aliases"] = [draw(st.sampled_from("abc"))]
        fields.append(field)
    return {"type": "record", "name": draw(st.sampled_from(["R", "S"])), "fields": fields}


WIDER = {"int": ["long", "float", "double"], "long": ["double", "string"], "float": ["double"], "string": ["bytes"]}


def narrowed(held: Any) -> Any:
    """A type that takes less, where there is one: without a branch, without a symbol, of another size."""
    if isinstance(held, list):
        return held[:-1] or held
    if isinstance(held, dict) and held["type"] == "enum":
        return {"type": "enum", "name": "E", "symbols": held["symbols"][1:] or held["symbols"]}
    if isinstance(held, dict) and held["type"] == "fixed":
        return {**held, "size": 3 - held["size"]}
    if isinstance(held, dict):
        return {**held, **{key: narrowed(held[key]) for key in ("items", "values") if key in held}}
    return held


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """(reader, writer): the reader is what an edit makes of the writer, more or less wisely, or another schema altogether."""
    writer = draw(records())
    if draw(st.integers(0, 3)) == 0:
        return named(draw(records())), named(writer)
    fields = []
    for field in writer["fields"]:
        edit = draw(st.sampled_from(["keep", "keep", "widen", "narrow", "drop", "optional"]))
        if edit == "widen" and isinstance(field["type"], str):
            kind = draw(st.sampled_from(WIDER.get(field["type"], [field["type"]])))
            fields.append({"name": field["name"], "type": kind})
        elif edit == "narrow":
            fields.append({**field, "type": narrowed(field["type"])})
        elif edit == "optional" and isinstance(field["type"], str) and field["type"] != "null":
            fields.append({"name": field["name"], "type": ["null", field["type"]]})
        elif edit != "drop":
            fields.append(field)
    if draw(st.booleans()):
        fields.append({"name": "z", "type": "int", **draw(st.sampled_from([{}, {"default": 0}]))})
    return named({**writer, "fields": fields}), named(writer)


def named(schema: Any) -> Any:
    """With later definitions of one name numbered, since a name is defined once."""
    seen: dict[str, int] = {}

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(one) for one in part]
        if not isinstance(part, dict):
            return part
        part = dict(part)
        if "name" in part and part["type"] in {"enum", "fixed", "record"}:
            count = seen[part["name"]] = seen.get(part["name"], 0) + 1
            part["name"] += str(count) if count > 1 else ""
        for key in ("items", "values"):
            if key in part:
                part[key] = walk(part[key])
        if "fields" in part:
            part["fields"] = [{**field, "type": walk(field["type"])} for field in part["fields"]]
        return part

    return walk(deepcopy(schema))


def avro_says(reader: Any, writer: Any) -> bool:
    """Apache Avro's own checker."""
    pair = (make_avsc_object(one, validate_names=False) for one in (reader, writer))
    return ReaderWriterCompatibilityChecker().get_compatibility(*pair).compatibility is SchemaCompatibilityType.compatible


@given(pairs())
def test_the_verdict_is_that_of_apache_avro(pair: tuple[Any, Any]) -> None:
    reader, writer = pair
    ours = not faults(parse(json.dumps(reader)), parse(json.dumps(writer)))
    assert ours == avro_says(reader, writer)


@given(pairs())
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_what_is_called_readable_is_read(pair: tuple[Any, Any]) -> None:
    """By a reader that no one here wrote; aliases apart, of which it takes the last that fits, not a field's own name."""
    reader, writer = pair
    assume("aliases" not in json.dumps(reader))
    assume(not faults(parse(json.dumps(reader)), parse(json.dumps(writer))))
    wrote, reads = parse_schema(deepcopy(writer)), parse_schema(deepcopy(reader))
    body = io.BytesIO()
    schemaless_writer(body, wrote, generate_one(wrote))
    body.seek(0)
    found = schemaless_reader(body, wrote, reads)
    assert set(found) == {field["name"] for field in reader["fields"]}


DATA: dict[str, Any] = {
    "null": None, "boolean": True, "int": 3, "long": 1 << 40, "float": 0.5, "double": 0.25, "bytes": b"x", "string": "x",
}  # fmt: skip


def witnesses(schema: Any) -> list[Any]:
    """Data that between them take every branch of a union and every symbol, and leave no array or map empty."""
    if isinstance(schema, list):
        return [(branch, DATA[branch]) for branch in schema]
    if isinstance(schema, str):
        return [DATA[schema]]
    match schema["type"]:
        case "enum":
            return list(schema["symbols"])
        case "fixed":
            return [b"x" * schema["size"]]
        case "array":
            return [[one] for one in witnesses(schema["items"])]
        case "map":
            return [{"k": one} for one in witnesses(schema["values"])]
    columns = {field["name"]: witnesses(field["type"]) for field in schema["fields"]}
    most = max(map(len, columns.values()), default=1)
    return [{name: column[min(at, len(column) - 1)] for name, column in columns.items()} for at in range(most)]


def is_read(reader: Any, writer: Any) -> bool:
    """Whether fastavro, which nobody here wrote, reads all witnesses of the writer as the reader."""
    wrote, reads = parse_schema(deepcopy(writer)), parse_schema(deepcopy(reader))
    for one in witnesses(writer):
        body = io.BytesIO()
        schemaless_writer(body, wrote, one)
        body.seek(0)
        try:
            found = schemaless_reader(body, wrote, reads)
        except (SchemaResolutionError, ValueError):
            return False
        assert set(found) == {field["name"] for field in reader["fields"]}
    return True


def judged(reader: Any, writer: Any) -> bool:
    """Whether the reader is compatible, by ours."""
    return not faults(parse(json.dumps(reader)), parse(json.dumps(writer)))


def plain(schema: Any) -> Any:
    """Without aliases, of which fastavro takes the last that fits, and not a field's own name."""
    fields = [{key: value for key, value in field.items() if key != "aliases"} for field in schema["fields"]]
    deeper = [{**field, "type": plain_type(field["type"])} for field in fields]
    return {**schema, "fields": deeper}


def plain_type(held: Any) -> Any:
    if not isinstance(held, dict):
        return held
    if held["type"] == "record":
        return plain(held)
    return {key: plain_type(value) if key in {"items", "values"} else value for key, value in held.items()}


def without_aliases() -> st.SearchStrategy[tuple[Any, Any]]:
    return pairs().map(lambda pair: (plain(pair[0]), plain(pair[1])))


@given(without_aliases())
def test_what_is_compatible_is_read_and_what_is_not_fails_for_some_datum(pair: tuple[Any, Any]) -> None:
    assert is_read(*pair) == judged(*pair)


@given(st.sampled_from(list(Level)), st.lists(without_aliases(), min_size=1, max_size=3))
def test_a_level_keeps_what_it_promises_to_readers(level: Level, drawn: list[tuple[Any, Any]]) -> None:
    """BACKWARD: the new version reads old ones; FORWARD: they read the new one; transitive: all of them, else the latest."""
    *_, latest = earlier = [writer for _, writer in drawn]
    new = drawn[-1][0]
    questions = []
    for old in earlier if level.transitive else [latest]:
        questions += [(new, old)] if level.startswith(("BACKWARD", "FULL")) else []
        questions += [(old, new)] if level.startswith(("FORWARD", "FULL")) else []
    allowed = not refused(level, parse(json.dumps(new)), [parse(json.dumps(one)) for one in earlier])
    assert allowed == all(is_read(*question) for question in questions)


@given(records().map(named))
def test_a_schema_reads_what_it_wrote_and_layout_does_not_count(schema: Any) -> None:
    text = json.dumps(schema)
    assert faults(parse(text), parse(text)) == []
    turned = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert parse(json.dumps(turned, indent=2)).canonical == parse(text).canonical


WORDS = ["type", "name", "fields", "items", "values", "symbols", "size", "default", "aliases"]
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([*PRIMITIVES, "record", "enum"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
)


@given(ANYTHING)
def test_whatever_comes_is_a_schema_or_is_refused(value: Any) -> None:
    try:
        found = parse(json.dumps(value))
    except AvroError:
        return
    assert faults(found, found) == []


@given(st.sampled_from(list(Level)), st.lists(records().map(named), min_size=1, max_size=3), records().map(named))
def test_levels_are_made_of_two_questions(level: Level, earlier: list[Any], new: Any) -> None:
    *_, latest = known = [parse(json.dumps(one)) for one in earlier]
    candidate = parse(json.dumps(new))
    against = known if level.transitive else [latest]
    backward = all(not faults(candidate, old) for old in against)
    forward = all(not faults(old, candidate) for old in against)
    allowed = {"NONE": True, "BACKWARD": backward, "FORWARD": forward, "FULL": backward and forward}
    assert (not refused(level, candidate, known)) == allowed[level.partition("_")[0]]


SUBJECTS = st.sampled_from(["s", "t"])
TEXTS = st.sampled_from(['"int"', '"long"', '"string"', '{"type": "long"}', '{"type":"fixed","name":"F","size":1}'])
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("register"), SUBJECTS, TEXTS),
        st.tuples(st.just("delete"), SUBJECTS, st.booleans()),
        st.tuples(st.just("delete version"), SUBJECTS, st.booleans()),
        st.tuples(st.just("level"), SUBJECTS, st.sampled_from(["NONE", "FULL"])),
        st.tuples(st.just("mode"), SUBJECTS, st.sampled_from(["IMPORT", "READWRITE", "READONLY"])),
        st.tuples(st.just("import"), SUBJECTS, TEXTS),
    ),
    max_size=25,
)


def decided(table: Table, move: tuple[str, str, Any]) -> decide.Decision:
    kind, subject, what = move
    if kind == "register":
        return decide.register(table, subject, what)
    if kind == "import":
        return decide.register(table, subject, what, schema_id=7)
    if kind == "delete":
        return decide.delete_subject(table, subject, permanent=what)
    if kind == "delete version":
        return decide.delete_version(table, subject, "latest" if not what else "1", permanent=what)
    if kind == "level":
        return decide.set_level(subject, what)
    return decide.set_mode(table, subject, what, force=True)


def folded(log: list[tuple[Key, Row | None]]) -> Table:
    table = Table()
    for key, row in log:
        table.take(key, row)
    return table


def shown(table: Table) -> dict[Key, Row]:
    return {row.key: row for row in table.rows()}


@given(MOVES)
def test_compaction_changes_nothing_and_no_id_is_given_twice(moves: list[tuple[str, str, Any]]) -> None:
    """Rows survive by key, the last of each, in order of their offsets, and tombstones go; ids keep their schema for good."""
    table, log, ids = Table(), list[tuple[Key, Row | None]](), dict[int, str]()
    for move in moves:
        try:
            decision = decided(table, move)
        except RegistryError:
            continue
        for key, row in decision.rows:
            log.append((key, row))
            table.take(key, row)
            if row is not None and key.kind == "VERSION" and row.id >= FIRST_FREE_ID:
                assert ids.setdefault(row.id, parse(row.schema).canonical) == parse(row.schema).canonical
    last = {key: place for place, (key, _) in enumerate(log)}
    compacted = [(key, row) for place, (key, row) in enumerate(log) if last[key] == place and row is not None]
    for again in (folded(log), folded(compacted), table.copy()):
        assert shown(again) == shown(table)
        assert (again.next_id, again.subjects(deleted=True)) == (table.next_id, table.subjects(deleted=True))
    for subject in table.subjects():
        numbers = [version.number for version in table.versions(subject)]
        assert numbers == sorted(set(numbers))
    for row in compacted:
        assert Key.of(bytes(row[0])) == row[0]
        assert Row.of(row[1].record()) == row[1] if row[1] else True

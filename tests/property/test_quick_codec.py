"""The quick codec says what the general Avro library says: of records, of misfits, and of any bytes."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import ROOT, SchemaError, codec
from tests.samples import SAMPLES

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-70, 300),
    "long": st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-70, 20_000),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=200),
    "string": st.text(max_size=100),
}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 1.5, 127, 128, 1 << 31, -(1 << 31) - 1, 1 << 63, -(1 << 63) - 1, "", "x", b"", b"x" * 20,
    b"x" * 32, bytearray(32), memoryview(b"x" * 32), "x" * 32, [], ["x"], (), ("x",), {}, {"number": 1},
    [b"x" * 32], [None], b"x" * 5_000,
]  # fmt: skip


def load(name: str) -> dict[str, Any]:
    return json.loads((ROOT / f"{name}.avsc").read_text())


def values(schema: Any, names: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema."""
    if isinstance(schema, str):
        return PRIMITIVES[schema] if schema in PRIMITIVES else names[schema.rpartition(".")[2]]
    if isinstance(schema, list):
        return st.one_of([values(branch, names) for branch in schema])
    kind = schema["type"]
    if kind == "record":
        made = st.fixed_dictionaries({f["name"]: values(f["type"], names) for f in schema["fields"]})
    elif kind == "fixed":
        made = st.binary(min_size=schema["size"], max_size=schema["size"])
    elif kind == "enum":
        made = st.sampled_from(schema["symbols"])
    elif kind == "array":
        return st.lists(values(schema["items"], names), max_size=3)
    elif kind == "map":
        return st.dictionaries(st.text(max_size=9), values(schema["values"], names), max_size=3)
    else:
        return PRIMITIVES[kind]
    names[schema["name"]] = made
    return made


RECORDS = st.one_of([st.tuples(st.just(name), values(load(name), {})) for name in sorted(SAMPLES)])


def places(record: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a record."""
    found: list[tuple[Any, Any]] = []
    for container, items in ((record, record.items() if isinstance(record, dict) else enumerate(record)),):
        for key, value in items:
            found.append((container, key))
            if isinstance(value, dict | list):
                found += places(value)
    return found


def said(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except SchemaError:
        return SchemaError


@given(RECORDS)
def test_records_are_written_and_read_the_same(named: tuple[str, dict[str, Any]]) -> None:
    name, record = named
    raw = codec()._encode_any(name, record)
    assert codec().encode(name, record) == raw
    assert codec().decode(raw) == codec()._decode_any(raw) == (name, record)


@given(RECORDS, st.data())
def test_misfits_are_written_or_refused_the_same(named: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    name, record = named
    record = copy.deepcopy(record)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(record)))
        odd = data.draw(st.sampled_from([*ODD, ...]))
        if odd is ... and isinstance(container, dict):
            container.pop(key)
        else:
            container[key] = None if odd is ... else odd if isinstance(odd, memoryview) else copy.deepcopy(odd)
        if not record:
            break
    assert said(codec().encode, name, record) == said(codec()._encode_any, name, record)


@given(RECORDS, st.data())
def test_altered_bytes_are_read_or_refused_the_same(named: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    name, record = named
    raw = bytearray(codec().encode(name, record))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(5, len(raw) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "drop", "insert"]))
        if kind == "set":
            raw[at] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 127, 128, 255]))
        elif kind == "cut":
            del raw[at:]
        elif kind == "drop":
            del raw[at]
        else:
            raw.insert(at, data.draw(st.integers(0, 255)))
        if len(raw) <= 5:
            break
    value = bytes(raw)
    assert same(said(codec().decode, value), said(codec()._decode_any, value))


def test_an_integer_too_wide_for_its_field_is_not_cut() -> None:
    raw, other = (codec().encode("Intent", {**SAMPLES["Intent"], "transaction_index": index}) for index in (7, 8))
    at = next(at for at, (one, two) in enumerate(zip(raw, other, strict=True)) if one != two)
    value = raw[:at] + b"\x80\x80\x80\x80\x10" + raw[at + 1 :]
    assert codec().decode(value)[1]["transaction_index"] == 1 << 31
    assert codec().decode(value) == codec()._decode_any(value)


def same(one: Any, other: Any) -> bool:
    return one == other or repr(one) == repr(other)  # NaN

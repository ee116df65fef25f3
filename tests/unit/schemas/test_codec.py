"""Wire format: golden files, round trips, typed views, and what must be refused."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ops_records, records
from schemas.codec import ROOT, Codec, SchemaError, codec
from tests.samples import SAMPLES

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
VIEWS = {"Marker": "MarkerRecord", "Checkpoint": "CheckpointRecord"}


def view(name: str) -> Any:
    name = VIEWS.get(name, name)
    return getattr(records, name, None) or getattr(ops_records, name)


def test_there_is_a_sample_of_every_record() -> None:
    assert set(SAMPLES) == {path.stem for path in ROOT.glob("*.avsc")}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_golden_file_is_written_and_read_unchanged(name: str) -> None:
    golden = (GOLDEN / f"{name}.bin").read_bytes()
    assert codec().encode(name, SAMPLES[name]) == golden
    assert codec().decode(golden) == (name, SAMPLES[name])


def test_checkpoints_written_before_they_had_times_are_read() -> None:
    old = {**SAMPLES["Checkpoint"], "timestamp": None, "parent_timestamp": None}
    assert codec().decode((GOLDEN / "Checkpoint.10.bin").read_bytes()) == ("Checkpoint", old)


@pytest.mark.parametrize(("name", "version"), [("Memory", 4), ("MemoryFact", 5), ("MemoryCommand", 6), ("Embedding", 8)])
def test_memories_written_before_they_had_edges_and_times_of_validity_are_read(name: str, version: int) -> None:
    kind, record = codec().decode((GOLDEN / f"{name}.{version}.bin").read_bytes())
    assert kind == name and set(record) == set(SAMPLES[name])
    memory = record["memory"] if name == "MemoryFact" else record
    assert memory["sealed"] is None and memory.get("edges", []) == [] and memory.get("form", "MEMORY") == "MEMORY"


@pytest.mark.parametrize(("name", "version"), [("Memory", 14), ("MemoryFact", 15)])
def test_memories_written_before_they_said_when_the_log_had_them_are_read(name: str, version: int) -> None:
    unsaid = {**SAMPLES["Memory"], "known_at": None}
    old = unsaid if name == "Memory" else {**SAMPLES[name], "memory": unsaid}
    assert codec().decode((GOLDEN / f"{name}.{version}.bin").read_bytes()) == (name, old)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_typed_view_mirrors_the_schema(name: str) -> None:
    schema = json.loads((ROOT / f"{name}.avsc").read_text())
    hints = typing.get_type_hints(view(name))
    assert [f["name"] for f in schema["fields"]] == list(hints)
    for field in schema["fields"]:
        nullable = isinstance(field["type"], list) and "null" in field["type"]
        hint = hints[field["name"]]
        takes_none = type(None) in typing.get_args(hint)
        assert nullable == takes_none, field["name"]


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_cut_and_padded_bytes_are_refused(name: str) -> None:
    good = codec().encode(name, SAMPLES[name])
    for bad in (good[:-1], good + b"\0", good[:5]):
        with pytest.raises(SchemaError):
            codec().decode(bad)


@pytest.mark.parametrize("bad", [None, b"", b"\0\0\0", b"\1\0\0\0\1x", b"\0\0\1\0\0x", b"{}", b"\0" + bytes(3)])
def test_foreign_bytes_are_refused(bad: bytes | None) -> None:
    with pytest.raises(SchemaError):
        codec().decode(bad)
    with pytest.raises(SchemaError):
        codec().name_of(bad)


@given(st.integers(1, 11), st.binary(max_size=300))
def test_hostile_bodies_never_escape_as_other_errors(schema_id: int, body: bytes) -> None:
    value = b"\0" + schema_id.to_bytes(4, "big") + body
    try:
        name, record = codec().decode(value)
    except SchemaError:
        return
    assert codec().decode(codec().encode(name, record)) == (name, record)


def test_misfit_records_are_refused() -> None:
    with pytest.raises(SchemaError):
        codec().encode("Memory", {**SAMPLES["Memory"], "id": b"short"})
    with pytest.raises(SchemaError):
        codec().encode("Memory", {**SAMPLES["Memory"], "timestamp": "noon"})
    with pytest.raises(SchemaError):
        codec().encode("NoSuchRecord", {})


def test_an_older_version_is_read_as_the_current_one(tmp_path: Path) -> None:
    old = {"type": "record", "name": "Note", "fields": [{"name": "text", "type": "string"}]}
    new = {**old, "fields": [*old["fields"], {"name": "lang", "type": "string", "default": "en"}]}
    (tmp_path / "Note.1.avsc").write_text(json.dumps(old))
    (tmp_path / "Note.avsc").write_text(json.dumps(old))
    (tmp_path / "ids.json").write_text('{"Note": {"1": "Note.1.avsc"}}')
    written = Codec(tmp_path).encode("Note", {"text": "hi"})
    (tmp_path / "Note.avsc").write_text(json.dumps(new))
    (tmp_path / "Note.2.avsc").write_text(json.dumps(new))
    (tmp_path / "ids.json").write_text('{"Note": {"1": "Note.1.avsc", "2": "Note.2.avsc"}}')
    assert Codec(tmp_path).decode(written) == ("Note", {"text": "hi", "lang": "en"})

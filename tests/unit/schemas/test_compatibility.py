"""The compatibility gate: an edit of a schema fails here unless it is a new version that reads all older ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import make_avsc_object

from schemas.codec import ROOT

IDS: dict[str, dict[str, str]] = json.loads((ROOT / "ids.json").read_text())


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def reads(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    """Whether data of ``writer`` can be read as ``reader``, by the rules of the Avro specification."""
    result = ReaderWriterCompatibilityChecker().get_compatibility(
        make_avsc_object(reader, validate_names=False), make_avsc_object(writer, validate_names=False)
    )
    return result.compatibility is SchemaCompatibilityType.compatible


@pytest.mark.parametrize("name", sorted(IDS))
def test_current_schema_is_its_newest_version(name: str) -> None:
    newest = IDS[name][max(IDS[name], key=int)]
    assert load(ROOT / f"{name}.avsc") == load(ROOT / newest), (
        f"{name}.avsc was edited: add the new text as schemas/history/{name}.<new id>.avsc and the id to ids.json"
    )


@pytest.mark.parametrize("name", sorted(IDS))
def test_current_schema_reads_every_version(name: str) -> None:
    current = load(ROOT / f"{name}.avsc")
    for file in IDS[name].values():
        assert reads(current, load(ROOT / file)), f"{name}.avsc cannot read {file}"


def test_every_schema_has_an_id_and_no_id_is_used_twice() -> None:
    assert {path.stem for path in ROOT.glob("*.avsc")} == set(IDS)
    ids = [key for versions in IDS.values() for key in versions]
    assert len(ids) == len(set(ids))


def test_gate_refuses_incompatible_edits() -> None:
    old = load(ROOT / "MemoryCommand.avsc")
    removed_default = copy.deepcopy(old)
    removed_default["fields"].append({"name": "extra", "type": "string"})
    retyped = copy.deepcopy(old)
    next(f for f in retyped["fields"] if f["name"] == "timestamp")["type"] = "string"
    fewer_symbols = copy.deepcopy(old)
    next(f for f in fewer_symbols["fields"] if f["name"] == "op")["type"]["symbols"] = ["STORE"]
    for edited in (removed_default, retyped, fewer_symbols):
        assert not reads(edited, old)


def test_gate_accepts_a_new_field_with_a_default() -> None:
    old = load(ROOT / "MemoryCommand.avsc")
    wider = copy.deepcopy(old)
    wider["fields"].append({"name": "extra", "type": "string", "default": ""})
    assert reads(wider, old)


def fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Every field of every record inside ``schema``."""
    found: list[dict[str, Any]] = []

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            if node.get("type") == "record":
                found.extend(node["fields"])
            for key in ("type", "items", "values", "fields"):
                walk(node.get(key))

    walk(schema)
    return found


@pytest.mark.parametrize("name", sorted(IDS))
def test_every_field_is_documented(name: str) -> None:
    schema = load(ROOT / f"{name}.avsc")
    assert schema["doc"]
    undocumented = [f["name"] for f in fields(schema) if not f.get("doc")]
    assert not undocumented

"""A version of the product that does not exist yet: every schema has one more field, under an id of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from schemas.codec import ROOT as SCHEMAS
from tests.conftest import ROOT

ADDED = "added"
PACKAGES = ("streams", "schemas", "connectors", "infra")


def newer_schemas(folder: Path) -> None:
    """Schemas of the next version in ``folder``: those of this one, and one more of each record type."""
    shutil.copytree(SCHEMAS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    ids = json.loads((folder / "ids.json").read_text())
    newest = max(int(key) for versions in ids.values() for key in versions)
    for number, (name, versions) in enumerate(ids.items(), newest + 1):
        schema = json.loads((folder / f"{name}.avsc").read_text())
        schema["fields"].append({"name": ADDED, "type": "string", "default": "", "doc": "Of the next version."})
        versions[str(number)] = f"history/{name}.{number}.avsc"
        for file in (f"{name}.avsc", versions[str(number)]):
            (folder / file).write_text(json.dumps(schema, indent=2))
    (folder / "ids.json").write_text(json.dumps(ids, indent=2))


def newer_tree(folder: Path) -> Path:
    """A checkout of the next version: this one's code on the next one's schemas."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    newer_schemas(folder / "schemas")
    return folder

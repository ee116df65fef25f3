"""Rendered manifests, held against the schemas of who will read them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT7

from tests.deployment.tools import kubernetes

DEFINITIONS = "/api/_definitions.json"
SCALED_OBJECT = Path(__file__).with_name("schemas") / "keda.sh_scaledobjects.yaml"
Manifest = dict[str, Any]


def manifests(rendered: dict[str, str]) -> list[Manifest]:
    """All objects of a rendering."""
    texts = (text for path, text in rendered.items() if path.endswith(".yaml"))
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def faults(manifest: Manifest) -> list[str]:
    """What Kubernetes, or KEDA for its own kind, would not take."""
    found = _validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest)
    return [f"{manifest['kind']} {manifest['metadata']['name']}: {error.json_path}: {error.message[:300]}" for error in found]


@cache
def _validator(version: str, kind: str) -> Any:
    if version == "keda.sh/v1alpha1":
        (schema,) = (each["schema"] for each in yaml.safe_load(SCALED_OBJECT.read_text())["spec"]["versions"])
        return jsonschema.Draft7Validator(_closed(schema["openAPIV3Schema"]))
    group, _, number = version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.split(".")[0], number]))
    registry: Registry[Any] = Registry().with_resource(DEFINITIONS, DRAFT7.create_resource(kubernetes("_definitions.json")))
    return jsonschema.Draft7Validator(kubernetes(f"{name}.json"), registry=registry)


def _closed(schema: Any) -> Any:
    """The same, with unknown fields refused: a server drops them without a word, which helps nobody who mistyped one."""
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(part) for name, part in schema.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict):
        found["properties"] = {name: _closed(part) for name, part in properties.items()}
        opened = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
        if not opened:
            found["additionalProperties"] = False
    return found


def pods(objects: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Objects that make pods, each with its pod's spec."""
    for found in objects:
        if found["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield found, found["spec"]["template"]["spec"]

"""docker-compose.yml and stores.yml as docker compose puts them together, and what our rules say of the result."""

from __future__ import annotations

import re
from typing import Any

import yaml

from infra.docker.pin import images
from tests.conftest import ROOT

BASE, STORES = ROOT / "docker-compose.yml", ROOT / "infra" / "docker" / "stores.yml"
OURS = "monmouth:0.1.0"
DIGESTS = {variable: f"{image}@sha256:{'a' * 64}" for variable, image in images().items()}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
Service = dict[str, Any]


class UnsetError(Exception):
    """A variable that must be given is not."""


def interpolated(found: Any, variables: dict[str, str]) -> Any:
    """As docker compose does it, for the two forms in use."""
    if isinstance(found, dict):
        filled = {name: interpolated(part, variables) for name, part in found.items()}
        if isinstance(filled.get("environment"), dict):
            filled["environment"] = passed(filled["environment"], variables)
        return filled
    if isinstance(found, list):
        return [interpolated(part, variables) for part in found]
    if not isinstance(found, str):
        return found

    def value(match: re.Match[str]) -> str:
        name, sign, rest = match.groups()
        if variables.get(name):
            return variables[name]
        if sign != "-":
            raise UnsetError(f"{name}: {rest}")
        return str(rest)

    return VARIABLE.sub(value, found)


def passed(environment: dict[str, str | None], variables: dict[str, str]) -> dict[str, str]:
    """A name without a value is passed on, where there is one."""
    found = {name: variables.get(name) if value is None else value for name, value in environment.items()}
    return {name: value for name, value in found.items() if value is not None}


def merged(base: Any, other: Any) -> Any:
    """As docker compose does it for the mappings in use. Lists are not merged: there are none in both."""
    if not isinstance(base, dict) or not isinstance(other, dict):
        return other
    both = {name: merged(base[name], other[name]) for name in base.keys() & other.keys()}
    return {**base, **other, **both}


def composed(*, stores: bool, variables: dict[str, str] = DIGESTS) -> dict[str, Any]:
    """The file, or both, with variables filled in. Raises UnsetError."""
    found = yaml.safe_load(BASE.read_text())
    if stores:
        found = merged(found, yaml.safe_load(STORES.read_text()))
    filled: dict[str, Any] = interpolated(found, variables)
    return filled


def complaints(compose: dict[str, Any]) -> list[str]:
    """What our rules say of a file whose variables are filled in."""
    found = []
    for name, service in compose["services"].items():
        image = service.get("image", "")
        if image != OURS and not re.fullmatch(r"[a-z0-9/._-]+:[\w.-]+@sha256:[0-9a-f]{64}", image):
            found.append(f"{name}: image {image} has no digest")
        if image == OURS and service["build"]["args"].keys() != {"PYTHON_IMAGE"}:
            found.append(f"{name}: built from an image of no digest")
        found += [f"{name}: port {port} is open to others" for port in service.get("ports", []) if port[:10] != "127.0.0.1:"]
        found += [f"{name}: {key}" for key in ("privileged", "cap_add", "devices") if key in service]
        if service.get("network_mode") == "host" or service.get("pid") == "host":
            found.append(f"{name}: the host's own")
        if service.get("security_opt") != ["no-new-privileges:true"]:
            found.append(f"{name}: may get new privileges")
        if service.get("user", "").split(":")[0] in {"root", "0"}:
            found.append(f"{name}: is root")
        for variable, value in service.get("environment", {}).items():
            if re.search(r"(TOKEN|PASSWORD|SECRET|_KEY)$", variable) and value:
                found.append(f"{name}: {variable} is no file")
    return found

"""docker-compose.yml and what it mounts: shape, loopback only, pinned images, commands that exist. Needs no docker."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from infra.broker.properties import SERVER
from streams.cli import COMMANDS
from streams.settings import load_settings
from tests.conftest import ROOT

PROGRAMS = {"topics", "model", "devchain", "producer", "worker", "gateway"}
ONCE = {"topics", "model"}
OTHERS = {"kafka", "prometheus", "grafana", "cassandra", "milvus"}
STRINGS = {"type": "array", "items": {"type": "string"}, "minItems": 1}

# The part of the Compose Specification that this file uses; a key outside it is a mistake or needs a look.
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9/._-]+:v?[0-9]+(\.[0-9]+)+$"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}},
        },
        "command": STRINGS,
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "ports": {**STRINGS, "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "volumes": STRINGS,
        "profiles": STRINGS,
        "tmpfs": STRINGS,
        "cap_drop": STRINGS,
        "security_opt": STRINGS,
        "init": {"type": "boolean"},
        "read_only": {"type": "boolean"},
        "restart": {"enum": ["no", "unless-stopped"]},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
        "network_mode": {"type": "string", "pattern": "^service:"},
        "pid": {"type": "string", "pattern": "^service:"},
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["condition"],
                "additionalProperties": False,
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]},
                    "restart": {"type": "boolean"},
                },
            },
        },
        "healthcheck": {
            "type": "object",
            "required": ["test", "interval", "timeout", "retries"],
            "additionalProperties": False,
            "properties": {
                "test": {"type": "array", "minItems": 2, "items": {"type": "string"}},
                "interval": {"type": "string", "pattern": r"^\d+s$"},
                "timeout": {"type": "string", "pattern": r"^\d+s$"},
                "retries": {"type": "integer"},
                "start_period": {"type": "string", "pattern": r"^\d+s$"},
            },
        },
    },
}
COMPOSE = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "object", "maxProperties": 0}},
    },
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_shape_pinned_images_and_loopback_ports(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, COMPOSE)
    assert set(compose["services"]) == PROGRAMS | OTHERS


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "apache/kafka:latest"},
        {"image": "apache/kafka"},
        {"image": "a:1.0", "ports": ["9092:9092"]},
        {"image": "a:1.0", "ports": ["0.0.0.0:9092:9092"]},
        {"image": "a:1.0", "privileged": True},
        {"image": "a:1.0", "network_mode": "host"},
        {"image": "a:1.0", "environment": {"A": 1}},
    ],
)
def test_the_schema_says_no(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"x": wrong}}, COMPOSE)


def test_no_port_is_bound_twice(services: dict[str, Any]) -> None:
    ports = [text.split(":")[1] for service in services.values() for text in service.get("ports", [])]
    assert len(ports) == len(set(ports))


def test_dependencies_and_shared_namespaces_exist_and_their_conditions_can_hold(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for the health of {needed}, which has no check"
            if how["condition"] == "service_completed_successfully":
                assert services[needed]["restart"] == "no"
        for key in ("network_mode", "pid"):
            if key in service:
                other = service[key].removeprefix("service:")
                assert other in service["depends_on"]
                assert other in services
        if name in OTHERS:
            assert "healthcheck" in service


def test_dependencies_have_no_cycle(services: dict[str, Any]) -> None:
    left = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    while left:
        ready = {name for name, needs in left.items() if not needs & set(left)}
        assert ready, f"a cycle among {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in ready}


def test_volumes_are_declared_and_mounted_files_exist(compose: dict[str, Any]) -> None:
    used = set()
    for service in compose["services"].values():
        for text in service.get("volumes", []):
            source = text.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                assert text.endswith(":ro")
            else:
                used.add(source)
    assert used == set(compose["volumes"])


def test_programs_run_without_rights(services: dict[str, Any]) -> None:
    for name in PROGRAMS:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_each_program_is_a_real_command_with_real_options(services: dict[str, Any], name: str) -> None:
    first, *rest = services[name]["command"]
    module, attribute = COMMANDS[first][0].split(":")
    command: click.Command = getattr(import_module(module), attribute)
    if isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    command.make_context(first, list(rest), resilient_parsing=False, obj=None)


def test_program_settings_are_known(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in PROGRAMS:
        for variable, value in services[name]["environment"].items():
            monkeypatch.setenv(variable, re.sub(r"^\$\{[^:]+:-(.*)\}$", r"\1", value))
            settings: Any = load_settings()
            for part in variable.removeprefix("MONMOUTH_").lower().split("__"):
                assert hasattr(settings, part), f"{name}: {variable} is no setting"
                settings = getattr(settings, part)
            assert str(settings) == re.sub(r"^\$\{[^:]+:-(.*)\}$", r"\1", value)


def test_the_broker_keeps_what_the_local_one_keeps(services: dict[str, Any]) -> None:
    environment = services["kafka"]["environment"]
    kept = ("auto.create.topics.enable", "log.retention.ms", "offsets.retention.minutes", "transaction.state.log.min.isr")
    for setting in kept:
        assert environment["KAFKA_" + setting.replace(".", "_").upper()] == SERVER[setting]


def test_prometheus_scrapes_services_that_exist(services: dict[str, Any]) -> None:
    scrape = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in scrape for group in job["static_configs"] for target in group["targets"]]
    shared = services["producer"]["network_mode"].removeprefix("service:")
    assert targets == ["gateway:9090", "worker:9090", f"{shared}:9090"]
    for name in ("worker", "producer"):
        assert services[name]["command"][-2:] == ["--metrics-port", "9090"]


def test_image_is_unprivileged_and_locked() -> None:
    text = (ROOT / "infra/docker/Dockerfile").read_text()
    instructions = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line and line[0] not in "# "]
    assert ["FROM", "python:3.11-slim-bookworm"] in instructions
    pip = [rest for word, rest in instructions if word == "RUN" and "pip install" in rest]
    assert len(pip) == 1
    assert "--require-hashes" in pip[0]
    users = [rest for word, rest in instructions if word == "USER"]
    assert users[-1] == "10001:10001"
    copied = {rest.split()[0] for word, rest in instructions if word == "COPY"}
    assert all((ROOT / path).exists() for path in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.split("/")[0] for path in copied} <= allowed

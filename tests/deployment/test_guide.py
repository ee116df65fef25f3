"""docs/deploy.md and docs/tuning.md as a reader would use them: what makes files is run, programs read their lines."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from streams.cli import cli
from streams.identity.operator import load_or_create_operator_token
from streams.settings import load_settings
from streams.signing import load_or_create_signer
from streams.vault.master import load_or_create_master_key
from tests.conftest import ROOT
from tests.deployment.compose import DIGESTS, composed, merged
from tests.deployment.manifests import faults, manifests, pods
from tests.deployment.test_chart import CHART, of
from tests.deployment.tools import helm

DEPLOY, TUNING = (ROOT / "docs" / name for name in ("deploy.md", "tuning.md"))
METRIC = re.compile(r"`(monmouth_[a-z_]+)`")


def block(name: str) -> str:
    """The fenced block of the guide that follows the comment with this name."""
    match = re.search(rf"^( *)<!-- {name} -->\n *```\w+\n(.*?)^ *```", DEPLOY.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None, name
    return "\n".join(line.removeprefix(match[1]) for line in match[2].splitlines())


def test_the_keys_are_keys_that_the_programs_take(tmp_path: Path) -> None:
    subprocess.run(["bash", "-euc", block("keys")], cwd=tmp_path, check=True)
    made = tmp_path / "secrets"
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in made.iterdir()} == dict.fromkeys(
        ("signing.key", "master.key", "operator.token"), "0o600"
    )
    before = {file.name: file.read_text() for file in made.iterdir()}
    load_or_create_signer(made / "signing.key")
    load_or_create_master_key(made / "master.key")
    assert load_or_create_operator_token(made / "operator.token") == before["operator.token"].strip()
    assert {file.name: file.read_text() for file in made.iterdir()} == before


def test_the_digest_of_the_base_gets_to_the_build(tmp_path: Path) -> None:
    (line,) = [line.strip() for line in DEPLOY.read_text().splitlines() if line.strip().startswith("docker build")]
    (tmp_path / ".env").write_text("KAFKA_IMAGE=kafka:1@sha256:11\nPYTHON_IMAGE=python:3@sha256:00\n")
    (tmp_path / "docker").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > said\n')
    (tmp_path / "docker").chmod(0o755)
    subprocess.run(["bash", "-euc", f"PATH=.:$PATH; {line}"], cwd=tmp_path, check=True)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[said.index("--build-arg") + 1] == "PYTHON_IMAGE=python:3@sha256:00"
    assert (ROOT / said[said.index("-f") + 1]).exists()


def read(line: str) -> str:
    """The command that reads this line, as far as it would before it starts. Raises click.UsageError."""
    context = cli.make_context("monmouth", shlex.split(line, comments=True)[1:])
    command, words, name = cli, context.protected_args + context.args, ["monmouth"]
    while isinstance(command, click.Group):
        said, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        name.append(str(said))
        with_values = command.make_context(str(said), words, parent=context)
        context, words = with_values, with_values.protected_args + with_values.args
    return " ".join(name)


def test_each_program_takes_its_line() -> None:
    lines = [line for line in block("processes").splitlines() if line]
    assert [read(line).removeprefix("monmouth ") for line in lines] == [
        *("infra up", "topics apply", "model fetch", "producer", "worker", "worker", "gateway", "ops", "alerts watch")
    ]
    for wrong in ("monmouth produce", "monmouth worker --agent memory", "monmouth gateway --metrics-port many"):
        with pytest.raises(click.UsageError):
            read(wrong)


def test_the_files_of_alerts_are_a_folder_that_compose_mounts(tmp_path: Path) -> None:
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    (tmp_path / "sudo").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "sudo").chmod(0o755)
    command = ["bash", "-euc", f"PATH=.:$PATH; {block('alert-files')}"]
    subprocess.run(command, cwd=tmp_path, check=True, input=b"https://hooks.example/word")
    said = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    alerts = composed(stores=False, variables=DIGESTS | said)["services"]["alerts"]
    folder, place, _ = alerts["volumes"][-1].split(":")
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / folder).iterdir()}["slack"] == "0o600"
    assert (tmp_path / folder).stat().st_mode & 0o077 == 0
    channels = Path(alerts["environment"]["MONMOUTH_OPS__CHANNELS_FILE"])
    assert (str(channels.parent), (tmp_path / folder / channels.name).exists()) == (place, True)


@pytest.mark.usefixtures("tools")
def test_channels_of_the_guide_are_told_and_let_out(tmp_path: Path) -> None:
    told: dict[str, Any] = yaml.safe_load(block("alerts"))
    values = merged(yaml.safe_load(block("values")), told)
    policy = of(manifests(helm(CHART, values, name="memory")), "NetworkPolicy", "memory-alerts")["spec"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [443]
    (tmp_path / "slack").write_text("https://hooks.example/word")
    (tmp_path / "channels.toml").write_text(told["alerts"]["channels"].replace("/run/keys", str(tmp_path)))
    words = ["alerts", "alertmanager", "--channels", str(tmp_path / "channels.toml")]
    found = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).output)
    assert {receiver["name"] for receiver in found["receivers"]} == {"log", "chat"}


@pytest.mark.usefixtures("tools")
def test_the_values_make_objects_that_their_readers_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values: dict[str, Any] = yaml.safe_load(block("values"))
    rendered = helm(CHART, values, name="memory")
    assert "refused" not in rendered, rendered
    objects = [*manifests(rendered), yaml.safe_load(block("claim"))]
    assert [fault for each in objects for fault in faults(each)] == []
    claim = objects[-1]["metadata"]["name"]
    for found, pod in pods(objects):
        holds_keys = found["metadata"]["name"].startswith(("memory-worker", "memory-gateway"))
        assert ({"claimName": claim} in [volume.get("persistentVolumeClaim") for volume in pod["volumes"]]) == holds_keys, found
    monkeypatch.chdir(tmp_path)
    for variable, value in of(objects, "ConfigMap", "memory")["data"].items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.cassandra.contact_points == ["cassandra-0.stores", "cassandra-1.stores"]


@pytest.mark.usefixtures("tools")
def test_without_what_the_guide_calls_necessary_it_is_refused() -> None:
    values: dict[str, Any] = yaml.safe_load(block("values"))
    for name in ("image", "kafka", "keys", "network"):
        assert name in helm(CHART, {key: value for key, value in values.items() if key != name})["refused"]


def test_metrics_in_the_guides_exist() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "streams").rglob("*.py"))
    named = {name for page in (DEPLOY, TUNING) for name in METRIC.findall(page.read_text())}
    assert len(named) > 20
    assert {name for name in named if f'"{name}"' not in sources} == set()


def test_defaults_in_the_guide_are_the_settings_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings, checked = load_settings(), 0
    for line in TUNING.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`([a-z]+)\.([a-z_0-9]+)`", cells[0]) if len(cells) == 5 else []
        for (group, name), said in zip(names, re.split(r", ", cells[1]) if names else [], strict=True):
            value = getattr(getattr(settings, group), name)
            assert {"True": "on", "False": "off", "None": "empty"}.get(str(value), str(value)) == said.strip("`"), (
                f"{group}.{name}"
            )
            checked += 1
    assert checked > 20


def test_benchmarks_in_the_guide_take_these_arguments() -> None:
    for command in set(re.findall(r"`python -m (perf\.\w+)([^`]*)`", TUNING.read_text() + DEPLOY.read_text())):
        module, arguments = command
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
        for option in re.findall(r"--[a-z-]+", arguments):
            assert f'"{option}"' in source, command


def test_the_schema_for_values_is_a_schema() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)

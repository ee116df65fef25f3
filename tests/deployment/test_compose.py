"""docker-compose.yml, alone and with stores.yml, and what it mounts, held against the Compose Specification and our own rules.
Needs no docker.
"""

from __future__ import annotations

import copy
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from infra.broker.properties import SERVER
from infra.docker.pin import images
from streams.cli import COMMANDS, cli
from streams.cli.wiring import AGENTS
from streams.settings import load_settings
from tests.conftest import ROOT
from tests.deployment.compose import DIGESTS, UnsetError, complaints, composed

WORKERS = {f"worker-{agent}" for agent in AGENTS}
PROBED = {"producer", "gateway", "ops", "alerts"} | WORKERS
PROGRAMS = {"topics", "devchain"} | PROBED
OTHERS = {"kafka", "prometheus", "grafana"}
SERVERS = {"cassandra", "milvus"}
SPECIFICATION = json.loads((Path(__file__).with_name("schemas") / "compose-spec.json").read_text())


@pytest.fixture(scope="module", params=["embedded", "stores"])
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return composed(stores=request.param == "stores")


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_it_is_what_compose_takes_and_keeps_our_rules(compose: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(SPECIFICATION)
    jsonschema.validate(compose, SPECIFICATION)
    assert complaints(compose) == []
    assert set(compose["services"]) - SERVERS == PROGRAMS | OTHERS


@pytest.mark.parametrize(
    ("key", "value"), [("imagee", "a"), ("ports", "80:80"), ("restart", 3), ("healthcheck", {"tests": []}), ("user", ["a"])]
)
def test_compose_refuses_what_is_mistyped(compose: dict[str, Any], key: str, value: Any) -> None:
    wrong = copy.deepcopy(compose)
    wrong["services"]["kafka"][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SPECIFICATION)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("image", "apache/kafka:latest", "no digest"),
        ("image", "apache/kafka@sha256:abc", "no digest"),
        ("ports", ["9092:9092"], "open to others"),
        ("ports", ["0.0.0.0:9092:9092"], "open to others"),
        ("privileged", True, "privileged"),
        ("cap_add", ["NET_ADMIN"], "cap_add"),
        ("network_mode", "host", "host"),
        ("security_opt", [], "privileges"),
        ("user", "root", "root"),
        ("environment", {"MONMOUTH_SECURITY__MASTER_KEY": "ab"}, "no file"),
    ],
)
def test_our_rules_say_no(compose: dict[str, Any], key: str, value: Any, complaint: str) -> None:
    wrong = copy.deepcopy(compose)
    wrong["services"]["kafka"][key] = value
    assert [found for found in complaints(wrong) if found.startswith("kafka: ") and complaint in found]


@pytest.mark.parametrize("variable", sorted(images()))
def test_no_image_is_started_without_its_digest(variable: str) -> None:
    without = {name: value for name, value in DIGESTS.items() if name != variable}
    with pytest.raises(UnsetError, match=rf"{variable}: run python3 infra/docker/pin\.py"):
        composed(stores=True, variables=without)


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
        if name != "topics":
            assert "healthcheck" in service, name


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
        assert services[name]["user"] == "10001:10001"
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["tmpfs"] == ["/tmp"]


NEEDED = {
    "producer": {"signing_key"},
    "worker": {"signing_key", "master_key"},
    "gateway": {"signing_key", "master_key", "operator_token"},
}


def test_secrets_are_files_that_the_settings_name(compose: dict[str, Any]) -> None:
    for name in PROGRAMS:
        service = compose["services"][name]
        assert set(service.get("secrets", [])) == NEEDED.get(name.split("-")[0], set())
        for setting in ("SIGNING_KEY_FILE", "MASTER_KEY_FILE", "OPERATOR_TOKEN_FILE"):
            file = Path(service["environment"][f"MONMOUTH_SECURITY__{setting}"])
            assert (str(file.parent), file.name in compose["secrets"]) == ("/run/secrets", True)
    assert all(list(secret) == ["file"] for secret in compose["secrets"].values())


def test_windows_and_alerts_share_no_folder_with_those_that_have_keys(services: dict[str, Any]) -> None:
    """The agents' keys lie in the state folder of workers and gateway."""
    folders = {name: services[name]["volumes"][0].partition(":") for name in PROGRAMS}
    assert {place for _, _, place in folders.values()} == {services["ops"]["environment"]["MONMOUTH_STATE_DIR"]}
    without = {name for name in PROGRAMS if folders[name][0] == folders["ops"][0]}
    assert without == {"ops", "alerts"}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_each_program_is_a_real_command_with_real_options(services: dict[str, Any], name: str) -> None:
    first, *rest = services[name]["command"]
    module, attribute = COMMANDS[first][0].split(":")
    command: click.Command = getattr(import_module(module), attribute)
    if isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    command.make_context(first, list(rest), resilient_parsing=False, obj=None)


def test_windows_and_alerts_are_there_unless_told_otherwise_and_find_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = composed(stores=False)["services"]
    assert (usual["ops"]["command"], usual["alerts"]["command"]) == (["ops"], ["alerts", "watch", "--from-log"])
    (folder,) = {text.removesuffix(":/etc/monmouth/alerts:ro") for text in usual["alerts"]["volumes"] if "alerts" in text}
    channels = Path(usual["alerts"]["environment"]["MONMOUTH_OPS__CHANNELS_FILE"])
    monkeypatch.setenv("MONMOUTH_OPS__CHANNELS_FILE", str(ROOT / folder / channels.name))
    assert CliRunner().invoke(cli, ["alerts", "alertmanager"], catch_exceptions=False).exit_code == 0
    for name in ("ops", "alerts"):
        assert usual[name]["scale"] == "1"
        assert not {"MONMOUTH_OPS__RULES_FILE", "MONMOUTH_OPS__SLO_FILE"} & usual[name]["environment"].keys()
    own = {"MONMOUTH_ALERTS": "./mine", "MONMOUTH_RUN_OPS": "0", "MONMOUTH_RUN_ALERTS": "0"}
    said = {f"MONMOUTH_OPS__{name}_FILE": f"/etc/monmouth/alerts/{name}" for name in ("RULES", "SLO")}
    told = composed(stores=False, variables=DIGESTS | own | said)["services"]
    for name in ("ops", "alerts"):
        assert told[name]["scale"] == "0"
        assert told[name]["volumes"][-1] == "./mine:/etc/monmouth/alerts:ro"
        assert said.items() <= told[name]["environment"].items()


def test_there_is_a_worker_with_a_name_for_each_stream_agent(services: dict[str, Any]) -> None:
    for agent in AGENTS:
        service = services[f"worker-{agent}"]
        assert service["command"] == ["worker", "--agents", agent]
        assert service["environment"]["MONMOUTH_KAFKA__INSTANCE_ID"] == f"worker-{agent}"


def test_program_settings_are_known(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in PROGRAMS:
        for variable, value in services[name]["environment"].items():
            monkeypatch.setenv(variable, value)
            settings: Any = load_settings()
            for part in variable.removeprefix("MONMOUTH_").lower().split("__"):
                assert hasattr(settings, part), f"{name}: {variable} is no setting"
                settings = getattr(settings, part)
            assert (json.dumps(settings) if isinstance(settings, list) else str(settings)) == value


def test_health_is_asked_where_it_is_answered(services: dict[str, Any]) -> None:
    for name in PROBED:
        environment = services[name]["environment"]
        assert environment["MONMOUTH_PROBES__PORT"] == "9090"
        assert "http://127.0.0.1:9090/readyz" in services[name]["healthcheck"]["test"][-1]


def test_the_broker_keeps_what_the_local_one_keeps(services: dict[str, Any]) -> None:
    environment = services["kafka"]["environment"]
    kept = ("auto.create.topics.enable", "log.retention.ms", "offsets.retention.minutes", "transaction.state.log.min.isr")
    for setting in kept:
        assert environment["KAFKA_" + setting.replace(".", "_").upper()] == SERVER[setting]


def test_prometheus_scrapes_services_that_exist(services: dict[str, Any]) -> None:
    scrape = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in scrape for group in job["static_configs"] for target in group["targets"]]
    shared = services["producer"]["network_mode"].removeprefix("service:")
    assert set(targets) == {f"{name}:9090" for name in PROBED - {"producer"} | {shared}}

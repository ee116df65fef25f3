"""infra/docker/stores.yml: the programs use the servers, which are those that the tests run, and are told all it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.stores import (
    LmdbMemoryStore,
    LmdbVectorStore,
    _milvus_access,
    memories_are_shared,
    open_memory_store,
    open_vector_store,
    vectors_are_shared,
)
from connectors.stores.cassandra.connection import Connection
from infra.docker.pin import images
from infra.docker.stores import CASSANDRA, MILVUS_BASE, files
from infra.milvus.configuration import PRIVATE, environment
from infra.milvus.package import LOCK, locked_version
from streams.errors import ConfigurationError
from streams.settings import Settings, load_settings
from tests.conftest import ROOT
from tests.deployment.compose import composed
from tests.deployment.test_compose import WORKERS

DEPLOY = (ROOT / "docs" / "deploy.md").read_text()
ADDRESSES = ("MONMOUTH_CASSANDRA__CONTACT_POINTS", "MONMOUTH_RAG__VECTOR_STORE_URL")
CONSENTS = ("MONMOUTH_CASSANDRA__ALLOW_UNENCRYPTED", "MONMOUTH_RAG__VECTOR_STORE_ALLOW_UNENCRYPTED")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = composed(stores=True)["services"]
    return found


def settings_of(service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    return load_settings()


def demand_consent(settings: Settings) -> None:
    """What a program does with these settings before it asks either server. Raises ConfigurationError."""
    Connection(settings.cassandra, settings.state_dir)._tls()
    _milvus_access(settings).demand_encrypted()


@pytest.mark.parametrize("name", sorted(WORKERS | {"gateway"}))
def test_workers_and_gateway_use_them_and_wait_until_they_are_there(
    services: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(services[name], monkeypatch)
    assert settings.cassandra.contact_points == [CASSANDRA.address]
    assert memories_are_shared(settings)
    assert vectors_are_shared(settings)
    demand_consent(settings)
    for server in ("cassandra", "milvus"):
        assert services[name]["depends_on"][server] == {"condition": "service_healthy"}
    assert "topics" in services[name]["depends_on"]


@pytest.mark.parametrize("variable", CONSENTS)
def test_in_the_clear_only_where_it_is_said(services: dict[str, Any], variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {name: value for name, value in services["gateway"]["environment"].items() if name != variable}
    with pytest.raises(ConfigurationError):
        demand_consent(settings_of({"environment": environment}, monkeypatch))


def test_without_an_address_the_embedded_store_is_opened(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So nothing but the file says that an address was forgotten, which is why it has to name both."""
    environment = {name: value for name, value in services["gateway"]["environment"].items() if name not in ADDRESSES}
    settings = settings_of({"environment": environment | {"MONMOUTH_STATE_DIR": str(tmp_path)}}, monkeypatch)
    opened = open_memory_store(settings), open_vector_store(settings)
    assert isinstance(opened[0], LmdbMemoryStore)
    assert isinstance(opened[1], LmdbVectorStore)


def test_the_addresses_are_those_of_the_servers(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(services["gateway"], monkeypatch)
    written = {path.name: json.loads(text) for path, text in files().items() if path.suffix == ".yaml"}
    assert services["cassandra"]["hostname"] == CASSANDRA.address == written["cassandra.yaml"]["rpc_address"]
    assert settings.cassandra.port == written["cassandra.yaml"]["native_transport_port"]
    assert settings.rag.vector_store_url == f"http://milvus:{written['milvus.yaml']['proxy']['port']}"
    assert f" {CASSANDRA.address}" in services["cassandra"]["healthcheck"]["test"][-1]
    assert f":{PRIVATE.health}/healthz" in services["milvus"]["healthcheck"]["test"][-1]


def test_the_servers_have_what_the_tested_ones_have(services: dict[str, Any]) -> None:
    for path, text in files().items():
        assert path.read_text() == text, "python -m infra.docker.stores writes them"
    mounts = {server: [text.split(":") for text in services[server]["volumes"]] for server in ("cassandra", "milvus")}
    (_, place, _) = mounts["cassandra"][1]
    assert services["cassandra"]["environment"]["JVM_EXTRA_OPTS"] == f"-Dcassandra.config=file://{place}"
    assert ["./infra/docker/milvus", f"{MILVUS_BASE}/configs", "ro"] in mounts["milvus"]
    assert services["milvus"]["environment"] == environment(MILVUS_BASE, PRIVATE)


def test_volumes_of_servers_that_had_other_data_are_left_alone(services: dict[str, Any]) -> None:
    """Cassandra does not start with another number of tokens, Milvus not on data of a newer version."""
    volumes = {server: services[server]["volumes"][0].partition(":")[0] for server in ("cassandra", "milvus")}
    assert volumes == {"cassandra": "cassandra-data", "milvus": "milvus-data"}
    assert "docker volume rm monmouth_cassandra monmouth_milvus" in DEPLOY


def test_one_node_acknowledges_what_lies_on_the_disk(services: dict[str, Any]) -> None:
    (mounted,) = [text.split(":")[0] for text in services["cassandra"]["volumes"] if "cassandra.yaml" in text]
    said = yaml.safe_load((ROOT / mounted).read_text())
    assert said["commitlog_sync"] == "batch"
    assert "commitlog_sync_period" not in said
    folders = [said["commitlog_directory"], *said["data_file_directories"]]
    volume, place = services["cassandra"]["volumes"][0].split(":")
    assert volume == "cassandra-data"
    assert all(folder.startswith(f"{place}/") for folder in folders)


def test_versions_are_the_tested_ones_and_the_guide_says_so() -> None:
    cassandra = images()["CASSANDRA_IMAGE"].removeprefix("cassandra:")
    assert f"\norg.apache.cassandra:cassandra-all:{cassandra} " in (ROOT / "infra" / "cassandra" / "jars.lock").read_text()
    milvus = locked_version(LOCK.read_text())
    assert images()["MILVUS_IMAGE"] == f"milvusdb/milvus:v{milvus}"
    assert f"Tested with server {milvus} and nothing newer" in DEPLOY.replace("\n", " ")
    assert f"(Cassandra {cassandra}, Milvus {milvus})" in DEPLOY.replace("\n", " ")


def test_the_command_of_the_guide_names_both_files() -> None:
    assert "docker compose -f docker-compose.yml -f infra/docker/stores.yml up -d --build --wait" in DEPLOY

"""The local Milvus server: shut off from the network, found again, stopped, killed and started again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from pymilvus import MilvusClient

from infra.milvus import LocalMilvus, MilvusError
from infra.milvus.errors import NotPrivateError, ServerUnavailableError
from streams.cli.infra import infra
from streams.settings import Settings
from tests.availability import unavailable
from tests.milvus_fixtures import programs

pytestmark = pytest.mark.milvus


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalMilvus]:
    made = LocalMilvus(tmp_path, programs=programs(), exposed=True)
    yield made
    made.stop()


def test_it_lives_as_its_folder_says(server: LocalMilvus, tmp_path: Path) -> None:
    try:
        assert server.start()
    except ServerUnavailableError as error:
        unavailable(str(error))
    again = LocalMilvus(tmp_path, programs=programs())
    assert not again.start(), "it runs already"
    url, pid = server.url, server.pid
    assert (again.url, again.pid) == (url, pid)
    client = MilvusClient(url, timeout=10, dedicated=True)
    assert client.list_collections() == []
    client.close()
    assert again.stop()
    assert not again.stop()
    assert not server.status().running
    with pytest.raises(MilvusError, match="no Milvus server runs"):
        _ = server.url
    assert server._choose_port() == int(url.rpartition(":")[2]), "the port of the last time"
    assert (tmp_path / "milvus").stat().st_mode & 0o077 == 0, "it holds vectors in the clear"


def test_no_other_machine_reaches_it(milvus: LocalMilvus) -> None:
    status = milvus.status()
    if not status.private:
        pytest.skip("this system gives no network namespaces; the server says so when it starts")
    assert status.answers
    (child,) = psutil.Process(status.pid).children()
    assert Path(f"/proc/{child.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    keeper = [c.laddr for c in psutil.Process(status.pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {address.ip for address in keeper} == {"127.0.0.1"}
    for port in (19_530, 19_531, 19_532, 19_533):  # its own, inside
        with socket.socket() as probe:
            probe.settimeout(1)
            assert port == keeper[0].port or probe.connect_ex(("127.0.0.1", port)) != 0


def test_where_it_cannot_be_shut_off_it_does_not_start_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = LocalMilvus(tmp_path, programs=programs())

    def refuse(self: LocalMilvus, port: int, **_options: object) -> None:
        raise NotPrivateError("this system lets no user make a network namespace", "accept it with --exposed")

    monkeypatch.setattr(LocalMilvus, "_launch", refuse)
    monkeypatch.setattr("infra.milvus.package.ServerFolder.ensure", lambda _self: False)
    with pytest.raises(NotPrivateError, match="namespace"):
        server.start()
    assert not server.status().running


def test_commands(milvus: LocalMilvus) -> None:
    settings = Settings(state_dir=milvus.folder.parent)
    said = CliRunner().invoke(infra, ["milvus", "status"], obj=settings)
    assert said.exit_code == 0 and f"answers at {milvus.url}" in said.output
    said = CliRunner().invoke(infra, ["milvus", "up"], obj=settings)
    assert said.exit_code == 0
    assert f"was up already at {milvus.url}" in said.output and f"MONMOUTH_RAG__VECTOR_STORE_URL={milvus.url}" in said.output


def test_commands_without_a_server(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    said = CliRunner().invoke(infra, ["milvus", "status"], obj=settings)
    assert said.exit_code == 1 and "infra milvus up" in said.output
    assert "was not running" in CliRunner().invoke(infra, ["milvus", "down"], obj=settings).output
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = LocalMilvus(tmp_path, programs=programs(), port=taken.getsockname()[1])
        with pytest.raises(MilvusError, match="is taken"):
            server.start()

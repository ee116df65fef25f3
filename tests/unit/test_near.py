"""What is secret goes to no other machine in the clear, whatever kind of connection it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.chain.jsonrpc import JsonRpc
from connectors.chain.rpc import RpcSource
from connectors.registry import ExternalRegistry
from connectors.stores.cassandra.connection import Connection
from connectors.stores.milvus import Access
from connectors.stores.milvus.client import connect
from streams.cluster.arguments import client_arguments
from streams.errors import ConfigurationError, MonmouthError
from streams.near import host_of, is_near
from streams.settings import (
    CassandraSettings,
    KafkaAccessSettings,
    KafkaSettings,
    RegistrySettings,
)

SECRET = "a-word-that-nobody-may-see"
FAR = ["store.example", "10.0.0.1", "0.0.0.0", "localhost.evil", "127.0.0.1.example.org"]


def kafka(host: str, allowed: bool) -> object:
    return client_arguments(
        KafkaSettings(bootstrap=f"{host}:9092", access=KafkaAccessSettings(allow_unencrypted=allowed))
    )  # fmt: skip


def cassandra(host: str, allowed: bool) -> object:
    said = CassandraSettings(contact_points=["127.0.0.1", host], username="me", password=SECRET, allow_unencrypted=allowed)
    return Connection(said, Path())._tls()


def milvus(host: str, allowed: bool) -> object:
    return Access(f"http://{host}:19530", SECRET, allow_unencrypted=allowed).demand_encrypted()


def registry(host: str, allowed: bool) -> object:
    said = RegistrySettings(url=f"http://{host}:8081/x", user="me", password=SECRET, allow_unencrypted=allowed)
    return ExternalRegistry(said)


def node(host: str, allowed: bool) -> object:
    return JsonRpc(f"http://me:{SECRET}@{host}:8545", allow_unencrypted=allowed)


def heads(host: str, allowed: bool) -> object:
    return RpcSource("http://127.0.0.1:8545", f"ws://{SECRET}@{host}:8546", allow_unencrypted=allowed)


def source(host: str, allowed: bool) -> object:
    return RpcSource(f"http://me:{SECRET}@{host}:8545", allow_unencrypted=allowed)


WAYS: list[Callable[[str, bool], object]] = [kafka, cassandra, milvus, registry, node, heads, source]


@pytest.mark.parametrize("host", FAR)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_secret_goes_unencrypted_beyond_this_machine(way: Callable[[str, bool], object], host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{host} is another machine, and .* is not encrypted") as refused:
        way(host, False)
    assert "allow_unencrypted" in refused.value.hint
    assert SECRET not in str(refused.value) + refused.value.hint
    way(host, True)


@pytest.mark.parametrize("way", WAYS)
def test_on_this_machine_nothing_is_asked(way: Callable[[str, bool], object]) -> None:
    for host in ("127.0.0.1", "localhost", "127.9.9.9", "[::1]"):
        if way is not cassandra or not host.startswith("["):  # whose driver takes addresses, not parts of URLs
            way(host, False)


def test_what_tells_no_secret_is_asked_anywhere() -> None:
    ExternalRegistry(RegistrySettings(url="http://registry.example:8081"))
    RpcSource("http://node.example:8545/rpc", "ws://node.example:8546")


def test_what_is_encrypted_goes_anywhere(tmp_path: Path) -> None:
    ExternalRegistry(RegistrySettings(url="https://registry.example", user="me", password=SECRET))
    RpcSource(f"https://me:{SECRET}@node.example", f"wss://{SECRET}@node.example")
    Access("https://milvus.example", SECRET).demand_encrypted()
    Access(str(tmp_path / "lite.db"), SECRET).demand_encrypted()


async def test_nobody_is_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal comes before a connection, and before a password file is read."""

    def connected(*_: Any, **__: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr("pymilvus.MilvusClient", connected)
    monkeypatch.setattr("cassandra.cluster.Cluster", connected)
    with pytest.raises(ConfigurationError, match="another machine"):
        connect(Access("http://milvus.example:19530", SECRET))
    said = CassandraSettings(contact_points=["cassandra.example"], username="me", password_file=Path("missing"))
    with pytest.raises(MonmouthError, match="another machine"):
        await Connection(said, Path()).ready()


def test_loopback() -> None:
    assert all(map(is_near, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")))
    assert not any(map(is_near, ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "")))
    assert [host_of(url) for url in ("http://[::1]:8080", "nonsense", "http://[::1", "")] == ["::1", "", "", ""]

"""A process that starts while its Milvus server is away: it starts, says so, and uses the server when that comes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from connectors.stores.milvus import MilvusVectorStore
from connectors.stores.milvus import store as module
from connectors.stores.milvus.client import ServerAwayError
from connectors.stores.milvus.link import Link
from streams.errors import ConfigurationError, StoreError
from streams.metrics import REGISTRY
from streams.policy import StoreOpenError
from streams.serving.degraded import DegradableVectors
from streams.serving.probes import Probes, failures, vector_store_probe
from streams.switches import VECTORS, Switch, Switches, change
from tests.unit.stores.facts import ALICE

PORTS = itertools.count(1)


class Client:
    """A server without rows."""

    def search(self, *_: Any, **__: Any) -> list[list[Any]]:
        return [[]]

    def create_alias(self, *_: Any, **__: Any) -> None:
        pass

    def _get_connection(self) -> Client:
        return self

    def alloc_timestamp(self, **_: Any) -> int:
        return 1

    def close(self) -> None:
        pass


class Server:
    """``failure``: what who connects meets; None: it is there."""

    def __init__(self) -> None:
        self.failure: Exception | None = ServerAwayError("it is away")
        self.asked = 0
        self.url = f"http://127.0.0.1:{next(PORTS)}"  # of its own: a circuit belongs to an address

    def connect(self, _: object) -> Client:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Client()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setattr(module, "connect", made.connect)
    monkeypatch.setattr(module, "prepare", lambda *_, **__: (b"its name", "FLAT"))
    yield made


async def test_the_gateways_store_is_missed_until_it_comes(server: Server) -> None:
    store = MilvusVectorStore(server.url, late=True)
    probes = Probes({"milvus": vector_store_probe(store, store.dimension)})
    assert failures(await probes.components()) == ["milvus: it is away"]
    assert store.identity == b""
    store.catch_up()
    with pytest.raises(StoreError, match="it is away"):
        await store.claim(b"lane")
    server.failure = None
    assert failures(await Probes({"milvus": vector_store_probe(store, store.dimension)}).components()) == []
    assert store.identity == b"its name"
    assert await store.search(ALICE, _axis(store.dimension), 3) == []
    assert server.asked == 4
    await store.close()


async def test_who_cannot_wait_is_refused_at_once_and_nobody_waits_for_what_is_wrong(server: Server) -> None:
    with pytest.raises(ServerAwayError):
        MilvusVectorStore(server.url)
    for wrong in (StoreError("the token is refused"), ConfigurationError("another program's collection")):
        server.failure = wrong
        with pytest.raises(type(wrong), match=str(wrong.message)):
            MilvusVectorStore(server.url, late=True)


async def test_a_server_that_stays_away_is_not_asked_for_each_call(server: Server) -> None:
    store = MilvusVectorStore(server.url, late=True)
    for _ in range(4):
        with pytest.raises(ServerAwayError):
            await store.search(ALICE, _axis(store.dimension), 3)
    for _ in range(10):
        with pytest.raises(StoreOpenError):
            await store.search(ALICE, _axis(store.dimension), 3)
    assert server.asked == 5
    other = MilvusVectorStore(server.url, late=True)  # starts while the circuit is open
    await asyncio.gather(other.close(), store.close())


def test_all_who_wait_share_one_attempt() -> None:
    going, attempts = threading.Event(), []

    def make() -> None:
        attempts.append(1)
        assert going.wait(5)
        raise StoreError("away")

    link, met = Link(make), []

    def need() -> None:
        try:
            link.need()
        except StoreError as error:
            met.append(error.message)

    threads = [threading.Thread(target=need) for _ in range(8)]
    for thread in threads:
        thread.start()
    threading.Timer(0.3, going.set).start()  # all of them have come by then
    for thread in threads:
        thread.join(5)
    assert met == ["away"] * 8
    assert len(attempts) == 1 and not link.made


async def test_a_gateway_that_does_without_says_when_its_store_is_back(server: Server, tmp_path: Any) -> None:
    store, file = MilvusVectorStore(server.url, late=True), tmp_path / "switches.json"
    change(file, {VECTORS: Switch("it is away", 300.0)})
    vectors = DegradableVectors(store, Switches(file))
    probe = vector_store_probe(vectors, store.dimension)  # type: ignore[arg-type]
    assert "answers come without it" in await probe()
    assert _answers() == 0
    server.failure = None
    assert "answers come without it" in await probe()
    assert _answers() == 1
    await store.close()


def _answers() -> float | None:
    return REGISTRY.get_sample_value("monmouth_degraded_answers", {"part": VECTORS})


def _axis(dimension: int) -> Any:
    return np.eye(1, dimension, dtype=np.float32)[0]


async def test_a_server_that_hangs_holds_no_start_up_and_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", 0.05)
    monkeypatch.setattr("streams.serving.probes.PROBE_SECONDS", 0.2)
    answers, connect = threading.Event(), server.connect

    def hang(access: object) -> Client:
        assert answers.wait(10)
        return connect(access)

    monkeypatch.setattr(module, "connect", hang)
    server.failure = None
    async with asyncio.timeout(5):
        store = await asyncio.to_thread(MilvusVectorStore, server.url, late=True)
        probes = Probes({"milvus": vector_store_probe(store, store.dimension)})
        assert failures(await probes.components()) == ["milvus: no answer within 0.2 s"]
    answers.set()
    async with asyncio.timeout(5):
        assert await store.search(ALICE, _axis(store.dimension), 3) == []
    await store.close()


async def test_who_ends_does_not_wait_for_a_server_that_hangs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", 0.05)
    answers = threading.Event()

    def hang(_: object) -> Client:
        assert answers.wait(10)
        raise ServerAwayError("it is away")

    monkeypatch.setattr(module, "connect", hang)
    store = MilvusVectorStore(server.url, late=True)
    try:
        async with asyncio.timeout(5):
            await store.close()
    finally:
        answers.set()

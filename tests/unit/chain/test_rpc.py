"""The JSON-RPC source against a node that answers well, badly, and with nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from connectors.chain import heads
from connectors.chain.jsonrpc import JsonRpc, RpcError, public
from connectors.chain.rpc import RpcSource
from streams.errors import ConfigurationError, SourceError
from streams.policy import SourceOpenError
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.fake_node import FakeNode, serving
from tests.memory_log import MemoryLog


@pytest.fixture
async def node() -> AsyncIterator[tuple[FakeNode, RpcSource]]:
    async with serving(ScriptedSource(chain(60, transactions=2))) as (fake, url):
        source = RpcSource(url, level="senders", rpc=JsonRpc(url, timeout=5, max_answer=2_000_000))
        yield fake, source
        await source.close()


Node = tuple[FakeNode, RpcSource]


async def test_answers_come_back_as_blocks(node: Node) -> None:
    fake, source = node
    blocks = fake.source.canonical_blocks
    assert await source.chain_id() == CHAIN_ID
    assert await source.genesis() == blocks[0].ref.hash
    assert await source.head() == blocks[-1].ref
    assert await source.final() is None
    assert await source.syncing() is False
    assert await source.span(3, 99) == blocks[3:]
    assert await source.blocks([blocks[2].ref.hash, bytes(32), blocks[1].ref.hash]) == [blocks[2], None, blocks[1]]
    assert await source.canonical([1, 99]) == [blocks[1].ref, None]
    assert await source.ref(bytes(32)) is None


async def test_asks_for_plain_bytes_and_receipts_by_hash(node: Node) -> None:
    fake, source = node
    await source.span(0, 3)
    assert {headers["Accept-Encoding"] for headers in fake.headers} == {"identity"}
    assert fake.calls.count("eth_getBlockReceipts") == 4
    assert "eth_getTransactionReceipt" not in fake.calls


async def test_a_node_without_block_receipts_is_asked_for_each(node: Node) -> None:
    fake, source = node
    fake.refused = {"eth_getBlockReceipts"}
    assert await source.span(0, 5) == fake.source.canonical_blocks[:6]
    fake.calls.clear()
    await source.span(6, 7)
    assert "eth_getBlockReceipts" not in fake.calls


async def test_batches_shrink_to_what_the_node_takes(node: Node) -> None:
    fake, source = node
    blocks = fake.source.canonical_blocks
    fake.longest_batch = 3
    assert await source.span(0, 20) == blocks[:21]
    fake.longest_batch, fake.largest_answer = 1000, 6_000
    assert await source.span(0, 20) == blocks[:21]


async def test_a_node_that_hangs_does_not_hold_up_the_end(node: Node) -> None:
    _, source = node
    hang = asyncio.Event()

    async def silence(*_: Any) -> Any:
        hang.set()
        await asyncio.sleep(60)

    source.head = silence
    producer = BlockProducer(source, MemoryLog(), Stager(CHAIN_ID, 2, Signer(bytes(32))), ChainSettings(), CHAIN_ID)
    running = asyncio.create_task(producer.run())
    await asyncio.wait_for(hang.wait(), 10)
    producer.stop()
    await asyncio.wait_for(running, 5)


async def test_a_node_without_the_finalized_tag_or_syncing(node: Node) -> None:
    fake, source = node
    fake.source.tag = 20
    assert await source.final() == fake.source.at(20)
    fake.refused = {"eth_getBlockByNumber", "eth_syncing"}
    assert await source.final() is None
    assert await source.syncing() is False


def renumbered(text: bytes) -> bytes:
    answers = orjson.loads(text)
    for answer in answers:
        answer["id"] += 1000
    return orjson.dumps(answers)


def doubled(text: bytes) -> bytes:
    answers = orjson.loads(text)
    return orjson.dumps([answers[0], *answers[:-1]])


def swapped_ids(text: bytes) -> bytes:
    answers = orjson.loads(text)
    answers[0]["id"], answers[1]["id"] = answers[1]["id"], answers[0]["id"]
    return orjson.dumps(answers)


TEXTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "html": (lambda _: b"<html>502 Bad Gateway</html>", "not JSON"),
    "empty": (lambda _: b"", "not JSON"),
    "cut": (lambda text: text[: len(text) // 2], "not JSON"),
    "huge": (lambda _: b" " * 3_000_000, "more than 2000000 bytes"),
    "null": (lambda _: b"null", "no JSON-RPC answer"),
    "object": (lambda _: b'{"error": {"message": "batch too large"}}', "batch too large"),
    "list of junk": (lambda _: b"[1, 2]", "no JSON-RPC answer"),
    "neither result nor error": (lambda _: b'[{"id": 1}]', "no JSON-RPC answer"),
    "too few": (lambda text: orjson.dumps(orjson.loads(text)[1:]), "answers to"),
    "other ids": (renumbered, "other calls"),
    "twice": (doubled, "twice"),
    "swapped ids": (swapped_ids, "was asked for block"),
    "error without code": (
        lambda text: orjson.dumps([{"id": a["id"], "error": "no"} for a in orjson.loads(text)]),
        "without a code",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
async def test_nonsense_on_the_wire_is_a_source_error(node: Node, name: str) -> None:
    fake, source = node
    fake.spoil_text, message = TEXTS[name]
    with pytest.raises(SourceError, match=message):
        await source.span(1, 4)


RESULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "block is text": ("eth_getBlockByNumber", lambda _: "0x1"),
    "block is a list": ("eth_getBlockByNumber", lambda _: []),
    "another block": ("eth_getBlockByNumber", lambda body: {**body, "number": "0x1"}),
    "hash of another block": ("eth_getBlockByNumber", lambda body: {**body, "hash": "0x" + "ab" * 32}),
    "number is decimal": ("eth_getBlockByNumber", lambda body: {**body, "number": 3}),
    "header altered": ("eth_getBlockByNumber", lambda body: {**body, "stateRoot": "0x" + "ab" * 32}),
    "no transactions": ("eth_getBlockByNumber", lambda body: {**body, "transactions": []}),
    "hashes only": ("eth_getBlockByNumber", lambda body: {**body, "transactions": [t["hash"] for t in body["transactions"]]}),
    "null receipts": ("eth_getBlockReceipts", lambda _: None),
    "no receipts": ("eth_getBlockReceipts", lambda _: []),
    "receipt is null": ("eth_getBlockReceipts", lambda found: [None, *found[1:]]),
    "receipts of another block": ("eth_getBlockReceipts", lambda found: [{**r, "blockHash": "0x" + "ab" * 32} for r in found]),
    "receipts swapped": ("eth_getBlockReceipts", lambda found: found[::-1]),
    "status altered": ("eth_getBlockReceipts", lambda found: [{**r, "status": "0x0"} for r in found]),
}


@pytest.mark.parametrize("name", RESULTS)
async def test_a_lie_in_an_answer_is_a_source_error(node: Node, name: str) -> None:
    fake, source = node
    method, change = RESULTS[name]
    fake.spoil[method] = change
    with pytest.raises(SourceError):
        await source.span(3, 3)


@pytest.mark.parametrize("change", [lambda _: None, lambda _: {}, lambda _: "0x", lambda _: {"number": "0x1"}])
async def test_a_head_that_is_none_is_a_source_error(node: Node, change: Callable[[Any], Any]) -> None:
    fake, source = node
    fake.spoil["eth_getBlockByNumber"] = change
    with pytest.raises(SourceError):
        await source.head()


@pytest.mark.parametrize("answer", [None, 5, "five", "-0x5", "0x" + "f" * 20])
async def test_a_chain_id_that_is_none_is_a_source_error(node: Node, answer: Any) -> None:
    fake, source = node
    fake.spoil["eth_chainId"] = lambda _: answer
    with pytest.raises(SourceError):
        await source.chain_id()


async def test_http_errors_and_a_dead_port_name_the_node_without_its_key() -> None:
    async with serving(ScriptedSource(chain(1))) as (fake, url):
        fake.status = 503
        secret = url.replace("http://", "http://user:hunter2@") + "v3/apikey"
        source = RpcSource(secret.replace("/v3/apikey", "/?key=apikey"))
        with pytest.raises(SourceError, match="HTTP 503") as caught:
            await source.head()
        await source.close()
    assert "hunter2" not in str(caught.value)
    assert "apikey" not in str(caught.value)
    gone = RpcSource(url)
    with pytest.raises(SourceError, match="does not answer"):
        await gone.head()
    await gone.close()


async def test_a_node_that_stumbles_is_asked_again_and_one_that_refuses_is_not(node: Node) -> None:
    fake, source = node
    cut = iter([b"<html>502</html>", b""])
    fake.spoil_text = lambda text: next(cut, text)
    assert await source.chain_id() == CHAIN_ID
    assert fake.calls == ["eth_chainId"] * 3
    fake.refused = {"eth_chainId"}
    with pytest.raises(RpcError):
        await source.chain_id()
    assert fake.calls == ["eth_chainId"] * 4


async def test_a_node_that_keeps_failing_is_left_alone_for_a_while() -> None:
    async with serving(ScriptedSource(chain(1))) as (fake, url):
        fake.status = 503
        source = RpcSource(url)
        for _ in range(2):
            with pytest.raises(SourceError):
                await source.head()
        asked = len(fake.calls)
        with pytest.raises(SourceOpenError, match="HTTP 503"):
            await source.head()
        assert asked == len(fake.calls) == 5
        await source.close()


def test_only_web_addresses_are_nodes() -> None:
    for url in ("file:///etc/passwd", "127.0.0.1:8545", "", "http://", "http://host:port", "http://host:99999", "http://[::1"):
        with pytest.raises(ConfigurationError):
            JsonRpc(url)
    assert public("https://a:b@node.example:1/key?x=y") == "https://node.example:1"


async def test_the_producer_gets_over_nonsense_and_loses_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.producer.loop.FIRST_PAUSE", 0.001)
    fake, source = node
    spoils = iter([change for change, _ in TEXTS.values()])
    turn = iter(range(10_000))

    def sometimes(text: bytes) -> bytes:
        return next(spoils, lambda same: same)(text) if text.startswith(b"[") and next(turn) % 3 == 2 else text

    fake.spoil_text = sometimes
    log = MemoryLog()
    settings = ChainSettings(batch_blocks=3, poll_interval=0.01)
    producer = BlockProducer(source, log, Stager(CHAIN_ID, 2, Signer(bytes(32))), settings, CHAIN_ID)
    running = asyncio.create_task(producer.run())
    async with asyncio.timeout(20):
        while producer.progress.view.tip != fake.source.head_ref:
            assert not running.done()
            await asyncio.sleep(0.01)
    producer.stop()
    await running
    assert [r["block"]["hash"] for r in log.steps("NEW")] == [block.ref.hash for block in fake.source.canonical_blocks]


async def test_a_push_makes_the_producer_look_and_a_lost_socket_is_reopened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "FIRST_PAUSE", 0.01)
    async with serving(ScriptedSource(chain(5))) as (fake, url):
        source = RpcSource(url, url.replace("http", "ws") + "ws")
        log = MemoryLog()
        settings = ChainSettings(poll_interval=60)
        producer = BlockProducer(source, log, Stager(CHAIN_ID, 1, Signer(bytes(32))), settings, CHAIN_ID)
        running = asyncio.create_task(producer.run())
        try:
            async with asyncio.timeout(20):
                for round_ in range(2):
                    await fake.subscribed.wait()
                    fake.source.grow(1)
                    while len(log.steps("NEW")) < 7 + round_:
                        await fake.push("nonsense")
                        await asyncio.sleep(0.02)
                    await fake.hang_up()
        finally:
            producer.stop()
            await running
            await source.close()

"""The node over real sockets: HTTP, WebSocket subscriptions across every kind of reorg, limits, start and stop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from connectors.chain.devchain import DevChain, DevNode, HeadChange, ReorgPlan, Step, StepKind, canonical, run_script
from streams.errors import ConfigurationError

PATIENCE = 10.0


@pytest.fixture
async def node() -> AsyncIterator[DevNode]:
    chain = DevChain(9, agents=5, transactions=6)
    chain.advance(8)
    async with DevNode(chain) as running:
        yield running


class Client:
    """A WebSocket client that keeps events by subscription."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: dict[str, list[Any]] = {}
        self._id = 0

    async def call(self, method: str, *params: Any) -> Any:
        self._id += 1
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method, "params": list(params)}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if message.get("id") == self._id:
                return message.get("result", message.get("error"))
            self._keep(message)

    def _keep(self, message: dict[str, Any]) -> None:
        assert message["method"] == "eth_subscription"
        assert set(message["params"]) == {"subscription", "result"}
        self.events.setdefault(message["params"]["subscription"], []).append(message["params"]["result"])

    async def settle(self, subscription: str) -> list[Any]:
        """Events so far: an answer comes after all events queued before the question."""
        await self.call("eth_chainId")
        return self.events.pop(subscription, [])


@asynccontextmanager
async def client_of(node: DevNode) -> AsyncIterator[Client]:
    async with connect(node.ws_url) as socket:
        yield Client(socket)


async def post(node: DevNode, body: bytes, **headers: str) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", **headers}
    async with aiohttp.ClientSession() as session, session.post(node.url, data=body, headers=headers) as response:
        return response.status, await response.read()


def apply(node: DevNode, kind: StepKind, depth: int = 0, extra: int = 1) -> list[HeadChange]:
    return list(node.apply(Step(kind, depth, extra)))


def logs_of(node: DevNode, hashes: list[bytes], *, removed: bool) -> list[Any]:
    """What eth_getLogs by hash would say, marked."""
    from connectors.chain.devchain.shapes import receipts_json  # noqa: PLC0415  (the shape is checked elsewhere)

    blocks = [node.chain.block(block_hash) for block_hash in hashes]
    return [{**log, "removed": removed} for b in blocks if b for r in receipts_json(b) for log in r["logs"]]


async def test_http_single_and_batch(node: DevNode) -> None:
    status, body = await post(node, b'{"jsonrpc":"2.0","id":5,"method":"eth_blockNumber"}')
    assert (status, json.loads(body)) == (200, {"jsonrpc": "2.0", "id": 5, "result": "0x8"})
    calls = [{"jsonrpc": "2.0", "id": n, "method": "eth_getBlockByNumber", "params": [hex(n), True]} for n in range(9)]
    _, body = await post(node, json.dumps(calls).encode())
    answers = json.loads(body)
    assert [answer["id"] for answer in answers] == list(range(9))
    assert [answer["result"] for answer in answers] == [block for _, block, _ in canonical(node.chain)]
    assert await post(node, b'{"jsonrpc":"2.0","method":"eth_blockNumber"}') == (200, b"")
    assert json.loads((await post(node, b"nonsense"))[1])["error"] == {"code": -32700, "message": "parse error"}
    subscribe = b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
    assert json.loads((await post(node, subscribe))[1])["error"]["code"] == -32601


async def test_http_refuses_what_a_web_page_could_send(node: DevNode) -> None:
    call = b'{"jsonrpc":"2.0","id":5,"method":"eth_blockNumber"}'
    assert (await post(node, call, **{"Content-Type": "text/plain"}))[0] == 415
    assert (await post(node, call, Host="evil.example"))[0] == 403
    assert (await post(node, call, Host="localhost:1"))[0] == 200
    assert (await post(node, b"x" * (5 * 1024 * 1024 + 1)))[0] == 413
    with pytest.raises(websockets.InvalidStatus, match="403"):
        async with connect(node.ws_url, origin="https://evil.example"):  # type: ignore[arg-type]
            pass


async def test_heads_and_logs_of_new_blocks(node: DevNode) -> None:
    async with client_of(node) as client:
        heads, logs = await client.call("eth_subscribe", "newHeads"), await client.call("eth_subscribe", "logs", {})
        assert heads != logs
        for _ in range(3):
            apply(node, StepKind.ADVANCE)
        seen = await client.settle(heads)
        hashes = [built.block.hash for built in node.chain.line(9)]
        assert [head["hash"] for head in seen] == ["0x" + h.hex() for h in hashes]
        block = await client.call("eth_getBlockByHash", seen[-1]["hash"], False)
        header = {key: block[key] for key in block if key not in ("size", "transactions", "uncles", "withdrawals")}
        assert seen[-1] == {**header, "blockAccessListHash": None, "slotNumber": None}
        assert await client.settle(logs) == logs_of(node, hashes, removed=False)


async def test_a_reorg_is_one_head_and_removed_logs_before_new_ones(node: DevNode) -> None:
    async with client_of(node) as client:
        heads, logs = await client.call("eth_subscribe", "newHeads"), await client.call("eth_subscribe", "logs")
        (change,) = apply(node, StepKind.REORG, 3, 2)
        assert [head["hash"] for head in await client.settle(heads)] == ["0x" + node.chain.head.hash.hex()]
        old, new = ([block.hash for block in blocks] for blocks in (change.removed, change.added))
        assert len(new) == 5
        assert await client.settle(logs) == logs_of(node, old, removed=True) + logs_of(node, new, removed=False)


async def test_a_lower_head_is_announced(node: DevNode) -> None:
    async with client_of(node) as client:
        heads, logs = await client.call("eth_subscribe", "newHeads"), await client.call("eth_subscribe", "logs")
        (change,) = apply(node, StepKind.LOWER, 2)
        (head,) = await client.settle(heads)
        assert head["number"] == "0x6"
        assert await client.settle(logs) == logs_of(node, [block.hash for block in change.removed], removed=True)


async def test_a_silent_rewind_is_not_announced(node: DevNode) -> None:
    async with client_of(node) as client:
        heads, logs = await client.call("eth_subscribe", "newHeads"), await client.call("eth_subscribe", "logs")
        (change,) = apply(node, StepKind.SILENT, 3)
        assert await client.settle(heads) == []
        assert await client.settle(logs) == []
        assert await client.call("eth_blockNumber") == "0x5"
        assert await client.call("eth_getBlockByHash", "0x" + change.removed[0].hash.hex(), False) is None
        apply(node, StepKind.ADVANCE)
        (head,) = await client.settle(heads)
        assert head["number"] == "0x6"
        assert all(log["removed"] is False for log in await client.settle(logs))


async def test_a_flip_is_two_changes(node: DevNode) -> None:
    async with client_of(node) as client:
        heads = await client.call("eth_subscribe", "newHeads")
        tip = "0x" + node.chain.head.hash.hex()
        away, _ = apply(node, StepKind.FLIP, 2)
        seen = [head["hash"] for head in await client.settle(heads)]
        assert seen == ["0x" + away.added[-1].hash.hex(), tip]


async def test_filtered_logs_and_unsubscribe(node: DevNode) -> None:
    transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    async with client_of(node) as client:
        logs = await client.call("eth_subscribe", "logs", {"topics": [[transfer]]})
        apply(node, StepKind.ADVANCE)
        every = logs_of(node, [node.chain.head.hash], removed=False)
        assert await client.settle(logs) == [log for log in every if log["topics"][0] == transfer]
        assert await client.call("eth_unsubscribe", logs) is True
        apply(node, StepKind.ADVANCE)
        assert await client.settle(logs) == []
        assert await client.call("eth_unsubscribe", logs) == {"code": -32000, "message": "subscription not found"}
        wrong = await client.call("eth_subscribe", "newMoons")
        assert wrong == {"code": -32601, "message": 'no "newMoons" subscription in eth namespace'}
        assert (await client.call("eth_subscribe"))["code"] == -32602
        assert (await client.call("eth_subscribe", "logs", {"topics": 5}))["code"] == -32602


async def test_subscriptions_belong_to_their_connection(node: DevNode) -> None:
    async with client_of(node) as one, client_of(node) as other:
        heads = await one.call("eth_subscribe", "newHeads")
        assert (await other.call("eth_unsubscribe", heads))["code"] == -32000
        apply(node, StepKind.ADVANCE)
        assert len(await one.settle(heads)) == 1
        await other.call("eth_chainId")
        assert other.events == {}


async def test_a_client_that_does_not_read_is_cut_off(node: DevNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.chain.devchain.subscriptions.QUEUE_LIMIT", 10)
    async with client_of(node) as client:
        await client.call("eth_subscribe", "logs")
        for _ in range(10):
            apply(node, StepKind.ADVANCE)
        with pytest.raises(websockets.ConnectionClosedError):
            for _ in range(1_000):
                await asyncio.wait_for(client.socket.recv(), PATIENCE)


async def test_a_client_that_stalls_is_cut_off(node: DevNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from the socket, so all buffers on the way fill."""
    monkeypatch.setattr("connectors.chain.devchain.subscriptions.QUEUE_LIMIT", 50)
    async with connect(node.ws_url, max_queue=1) as socket:
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["logs"]}')
        (change,) = apply(node, StepKind.ADVANCE)
        socket.transport.pause_reading()
        async with asyncio.timeout(PATIENCE):
            while node._announcer.connections:
                node.announce(change)
                await asyncio.sleep(0.001)
        socket.transport.abort()
    assert node._sockets == set()


async def test_stop_does_not_wait_for_a_stalled_client(node: DevNode) -> None:
    async with connect(node.ws_url, max_queue=1) as socket:
        await socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["logs"]}')
        await socket.recv()
        (change,) = apply(node, StepKind.ADVANCE)
        socket.transport.pause_reading()
        (connection,) = node._announcer.connections
        async with asyncio.timeout(PATIENCE):
            while connection.outbox.qsize() < 500:
                node.announce(change)
                await asyncio.sleep(0.001)
            await node.stop()
        socket.transport.abort()


async def test_stop_closes_clients_and_frees_the_port() -> None:
    node = DevNode(DevChain(1, transactions=1))
    await node.start()
    async with client_of(node) as client:
        await client.call("eth_subscribe", "newHeads")
        await node.stop()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(client.socket.recv(), PATIENCE)
    await node.stop()
    port = int(node.url.rsplit(":", 1)[1])
    async with DevNode(node.chain, port=port) as again:
        assert again.url == node.url
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            await DevNode(node.chain, port=port).start()


async def test_dropped_clients_can_come_back(node: DevNode) -> None:
    async with client_of(node) as client:
        await node.drop_connections()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(client.socket.recv(), PATIENCE)
    async with client_of(node) as client:
        assert await client.call("eth_blockNumber") == "0x8"


async def test_a_subscriber_can_follow_a_whole_script_from_logs_alone() -> None:
    """Removed and new logs, folded, give eth_getLogs of the final chain: silent rewinds left out, since they say nothing."""
    chain = DevChain(13, agents=4, transactions=5)
    kinds = (StepKind.REORG, StepKind.FLIP, StepKind.NESTED, StepKind.LOWER)
    async with DevNode(chain) as node, client_of(node) as client:
        heads, logs = await client.call("eth_subscribe", "newHeads"), await client.call("eth_subscribe", "logs")
        told: list[tuple[StepKind, bytes]] = []

        def observe(step: Step, _: HeadChange) -> None:
            told.append((step.kind, chain.head.hash))

        changes = await run_script(node, 30, 0.0, ReorgPlan(4, 6, kinds), observe)
        assert changes == len(told)
        assert {kind for kind, _ in told} == {StepKind.ADVANCE, *kinds}
        assert [head["hash"] for head in await client.settle(heads)] == ["0x" + tip.hex() for _, tip in told]
        live: dict[tuple[str, str], Any] = {}
        for log in await client.settle(logs):
            key = (log["blockHash"], log["logIndex"])
            if log["removed"]:
                assert live.pop(key) == {**log, "removed": False}
            else:
                assert key not in live
                live[key] = log
        expected = await client.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
        assert sorted(live.values(), key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16))) == expected


async def test_run_script_plays_given_steps_and_keeps_time(node: DevNode) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    steps = [Step(StepKind.ADVANCE), Step(StepKind.REORG, 2), Step(StepKind.FLIP, 1)]
    assert await run_script(node, 0, 0.05, steps) == 4
    assert loop.time() - start >= 0.2
    assert len(node.chain.reorg_log) == 3

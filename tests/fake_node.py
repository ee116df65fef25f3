"""A small JSON-RPC node over a ``ScriptedSource``, that can be told to answer nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from streams.ports.chain import Block
from tests.chains import ScriptedSource

Spoil = Callable[[Any], Any]


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def number(data: bytes | int) -> str:
    return hex(data if isinstance(data, int) else int.from_bytes(data, "big"))


def body_json(block: Block, *, full: bool) -> dict[str, Any]:
    """eth_getBlockByHash of a block made by ``tests.chains``: legacy transactions, headers up to Shanghai."""
    header = block.header
    place = {"blockHash": hexed(block.ref.hash), "blockNumber": number(block.ref.number)}
    return {
        "number": number(header["number"]), "hash": hexed(block.ref.hash), "parentHash": hexed(header["parent_hash"]),
        "sha3Uncles": hexed(header["ommers_hash"]), "miner": hexed(header["beneficiary"]),
        "stateRoot": hexed(header["state_root"]), "transactionsRoot": hexed(header["transactions_root"]),
        "receiptsRoot": hexed(header["receipts_root"]), "logsBloom": hexed(header["logs_bloom"]),
        "difficulty": number(header["difficulty"]), "gasLimit": number(header["gas_limit"]),
        "gasUsed": number(header["gas_used"]), "timestamp": number(header["timestamp"]),
        "extraData": hexed(header["extra_data"]), "mixHash": hexed(header["mix_hash"]), "nonce": hexed(header["nonce"]),
        "baseFeePerGas": number(header["base_fee_per_gas"] or b""), "withdrawalsRoot": hexed(header["withdrawals_root"] or b""),
        "transactions": [
            {
                **place, "type": "0x0", "hash": hexed(tx["hash"]), "transactionIndex": number(tx["index"]),
                "from": hexed(tx["sender"]), "to": hexed(tx["to"] or b""), "nonce": number(tx["nonce"]),
                "value": number(tx["value"]), "gas": number(tx["gas"]), "gasPrice": number(tx["gas_price"]),
                "input": hexed(tx["input"]), "v": number(tx["v"]), "r": number(tx["r"]), "s": number(tx["s"]),
            } if full else hexed(tx["hash"])
            for tx in block.transactions
        ],
    }  # fmt: skip


def receipts_json(block: Block) -> list[dict[str, Any]]:
    return [
        {
            "blockHash": hexed(block.ref.hash), "transactionHash": hexed(tx["hash"]), "type": "0x0",
            "transactionIndex": number(tx["index"]), "status": "0x1", "gasUsed": number(tx["gas_used"]),
            "cumulativeGasUsed": number(tx["cumulative_gas_used"]), "logsBloom": hexed(tx["logs_bloom"]), "logs": [],
            "contractAddress": None,
        }
        for tx in block.transactions
    ]  # fmt: skip


class FakeNode:
    """``spoil[method]`` changes a result, ``spoil_text`` the bytes of the next answers, ``refused`` lists unknown methods."""

    def __init__(self, source: ScriptedSource) -> None:
        self.source = source
        self.spoil: dict[str, Spoil] = {}
        self.spoil_text: Callable[[bytes], bytes] | None = None
        self.status = 200
        self.longest_batch = 1000
        self.largest_answer = 25_000_000
        self.refused: set[str] = set()
        self.calls: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.subscribers: list[web.WebSocketResponse] = []
        self.subscribed = asyncio.Event()

    async def http(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        asked = orjson.loads(await request.read())
        if isinstance(asked, list) and len(asked) > self.longest_batch:
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}})
        answer = self._batch(asked) if isinstance(asked, list) else self._one(asked)
        text = orjson.dumps(answer)
        return web.Response(status=self.status, body=self.spoil_text(text) if self.spoil_text else text)

    def _batch(self, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As geth: calls beyond the limit of an answer's size get an error each."""
        answers, size = [], 0
        for one in asked:
            answer = self._one(one)
            size += len(orjson.dumps(answer))
            if size > self.largest_answer:
                answer = {"jsonrpc": "2.0", "id": one["id"], "error": {"code": -32003, "message": "response too large"}}
            answers.append(answer)
        return answers

    def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
        method = asked["method"]
        self.calls.append(method)
        if method in self.refused:
            return {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "error": {"code": -32601, "message": f"the method {method} does not exist"},
            }
        result = self._result(method, asked["params"])
        return {"jsonrpc": "2.0", "id": asked["id"], "result": self.spoil[method](result) if method in self.spoil else result}

    def _result(self, method: str, params: list[Any]) -> Any:
        source = self.source
        if method == "eth_chainId":
            return hex(source.id)
        if method == "eth_syncing":
            return {"currentBlock": "0x1"} if source.is_syncing else False
        if method == "eth_getBlockByNumber":
            block = self._numbered(params[0])
            return body_json(block, full=params[1]) if block else None
        if method == "eth_getTransactionReceipt":
            found = (r for b in source.known.values() for r in receipts_json(b) if r["transactionHash"] == params[0])
            return next(found, None)
        block = source.known.get(bytes.fromhex(params[0][2:]))
        if block is None:
            return None
        return receipts_json(block) if method == "eth_getBlockReceipts" else body_json(block, full=params[1])

    def _numbered(self, tag: str) -> Block | None:
        blocks = self.source.canonical_blocks
        if tag == "latest":
            return blocks[-1]
        if tag == "finalized":
            return None if self.source.tag is None else blocks[self.source.tag]
        index = int(tag, 16)
        return blocks[index] if index < len(blocks) else None

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str('{"jsonrpc":"2.0","id":1,"result":"0x1"}')
                self.subscribers.append(socket)
                self.subscribed.set()
        return socket

    async def push(self, text: str = '{"method":"eth_subscription"}') -> None:
        for socket in self.subscribers:
            await socket.send_str(text)

    async def hang_up(self) -> None:
        gone, self.subscribers = self.subscribers, []
        self.subscribed.clear()
        for socket in gone:
            await socket.close()


@asynccontextmanager
async def serving(source: ScriptedSource) -> AsyncIterator[tuple[FakeNode, str]]:
    """The node and its HTTP address; WebSocket on /ws."""
    node = FakeNode(source)
    app = web.Application()
    app.router.add_post("/", node.http)
    app.router.add_get("/ws", node.websocket)
    async with TestServer(app, host="127.0.0.1") as server:
        try:
            yield node, str(server.make_url("/"))
        finally:
            await node.hang_up()

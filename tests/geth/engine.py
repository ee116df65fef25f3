"""A consensus client small enough for a test: builds blocks on any parent and says which one is the head.

Building a block moves the node's head to its parent, so a test forges all its branches before anyone watches, and only adopts
them afterwards. Payloads are kept: what a node lost can be given to it again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from connectors.chain.convert import block_ref
from connectors.chain.jsonrpc import JsonRpc, RpcError
from streams.core.block import ZERO_HASH, BlockRef
from tests.geth.genesis import ACCOUNTS, call_emitter
from tests.geth.node import GethNode

BUILD_TRIES = 60
BUILD_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Payload:
    """A block as the Engine API carries it."""

    ref: BlockRef
    timestamp: int
    body: dict[str, Any]
    beacon_root: str
    requests: list[str]


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Consensus:
    """Drives one node. Use as an async context manager."""

    def __init__(self, node: GethNode) -> None:
        self._url = node.engine
        self._secret = node.secret
        self._rpc: JsonRpc = node.rpc
        self._ids = itertools.count(1)
        self._salts = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None
        self.payloads: dict[bytes, Payload] = {}
        self.genesis = BlockRef(0, ZERO_HASH, ZERO_HASH)
        self._genesis_time = 0

    async def __aenter__(self) -> Consensus:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        first = await self._rpc.call("eth_getBlockByNumber", "0x0", False)
        self.genesis, self._genesis_time = block_ref(first), int(first["timestamp"], 16)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def forge(self, parent: BlockRef, count: int = 1, *, transactions: int = 0) -> list[BlockRef]:
        """A branch of ``count`` new blocks on ``parent``; the first of them holds at least ``transactions`` calls that log."""
        salt = next(self._salts)
        branch: list[BlockRef] = []
        for _ in range(count):
            branch.append(await self._build(branch[-1] if branch else parent, salt, 0 if branch else transactions))
        return branch

    async def adopt(self, head: BlockRef, *, safe: BlockRef | None = None, final: BlockRef | None = None) -> None:
        """Makes a known block the head, with nothing else said if it is already."""
        await self._choose(head, None, safe, final)

    async def feed(self, *refs: BlockRef) -> None:
        """Gives blocks to the node, parents first; it need not have lost them."""
        for ref in refs:
            payload = self.payloads[ref.hash]
            await self._offer(payload)

    async def _build(self, parent: BlockRef, salt: int, transactions: int) -> BlockRef:
        await self._choose(parent)
        for number in range(transactions):
            await self._send(parent, salt, number)
        for attempt in range(BUILD_TRIES):
            payload = await self._propose(parent, salt, attempt)
            if len(payload.body["transactions"]) >= transactions:
                await self._offer(payload)
                self.payloads[payload.ref.hash] = payload
                return payload.ref
        raise RuntimeError(f"geth builds no block of {transactions} transactions on {parent}")

    async def _send(self, parent: BlockRef, salt: int, number: int) -> None:
        sender = ACCOUNTS[salt % len(ACCOUNTS)]
        nonce = int(await self._rpc.call("eth_getTransactionCount", _hex(sender.address), _hex(parent.hash)), 16) + number
        raw = call_emitter(sender, nonce, salt * 1_000 + number).raw
        for _ in range(BUILD_TRIES):  # the pool follows the head with a delay, and refuses what is too early or too late for it
            try:
                await self._rpc.call("eth_sendRawTransaction", _hex(raw))
                return
            except RpcError as error:
                if "already known" in str(error):
                    return
                refused = error
                await asyncio.sleep(BUILD_PAUSE)
        raise refused

    async def _propose(self, parent: BlockRef, salt: int, attempt: int) -> Payload:
        before = self.payloads.get(parent.hash)
        timestamp = (before.timestamp if before else self._genesis_time) + 1
        mark = (salt << 16 | attempt).to_bytes(32, "big")
        attributes = {
            "timestamp": hex(timestamp), "prevRandao": _hex(mark), "suggestedFeeRecipient": _hex(mark[12:]),
            "withdrawals": [], "parentBeaconBlockRoot": _hex(mark),
        }  # fmt: skip
        chosen = await self._choose(parent, attributes)
        await asyncio.sleep(BUILD_PAUSE * (1 + attempt))
        built = await self._call("engine_getPayloadV4", chosen["payloadId"])
        body = built["executionPayload"]
        ref = BlockRef(int(body["blockNumber"], 16), bytes.fromhex(body["blockHash"][2:]), parent.hash)
        return Payload(ref, timestamp, body, _hex(mark), built.get("executionRequests") or [])

    async def _offer(self, payload: Payload) -> None:
        answer = await self._call("engine_newPayloadV4", payload.body, [], payload.beacon_root, payload.requests)
        if answer["status"] != "VALID":
            raise RuntimeError(f"geth does not take block {payload.ref}: {answer}")

    async def _choose(
        self,
        head: BlockRef,
        attributes: dict[str, Any] | None = None,
        safe: BlockRef | None = None,
        final: BlockRef | None = None,
    ) -> dict[str, Any]:
        state = {
            "headBlockHash": _hex(head.hash),
            "safeBlockHash": _hex(safe.hash if safe else ZERO_HASH),
            "finalizedBlockHash": _hex(final.hash if final else ZERO_HASH),
        }
        answer: dict[str, Any] = await self._call("engine_forkchoiceUpdatedV3", state, attributes)
        if answer["payloadStatus"]["status"] != "VALID":
            raise RuntimeError(f"geth does not take {head} as head: {answer}")
        return answer

    async def _call(self, method: str, *params: Any) -> Any:
        assert self._session is not None
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        headers = {"Authorization": f"Bearer {self._token()}"}
        async with self._session.post(self._url, json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _token(self) -> str:
        """A JSON Web Token, HS256, of this second: all that the Engine API asks for."""
        signed = _part(b'{"alg":"HS256","typ":"JWT"}') + b"." + _part(json.dumps({"iat": int(time.time())}).encode())
        return (signed + b"." + _part(hmac.new(self._secret, signed, hashlib.sha256).digest())).decode()

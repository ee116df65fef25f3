"""The development chain held against a real geth: the same moves of the head give a follower and a subscriber the same steps,
and what both answer has the same keys, forms, codes and texts.

Runs by command; see docs/contributing.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from connectors.chain.devchain import DevChain, DevNode, HeadChange
from connectors.chain.rpc import RpcSource
from streams.core.block import BlockRef
from streams.settings import ChainSettings
from tests.forms import form, loose
from tests.geth.engine import Consensus
from tests.geth.fixtures import consensus, geth, geth_binary
from tests.geth.node import GethNode
from tests.integration.producer.story import Story, following, heights, parts, rests, told, until
from tests.memory_log import MemoryLog

__all__ = ["consensus", "geth", "geth_binary"]
pytestmark = [pytest.mark.node, pytest.mark.slow]
DEPTH = 40
SETTINGS = ChainSettings(poll_interval=0.05, rewind_confirmations=2)
QUIET_SECONDS = 0.5


class Move(NamedTuple):
    """``advance`` count; ``reorg`` depth, extra blocks; ``rewind``, ``silent`` depth; ``back`` to the tip before the last."""

    kind: str
    depth: int = 0
    extra: int = 0


MOVES = (
    Move("advance", 1), Move("advance", 4), Move("reorg", 1, 1), Move("reorg", 3, 0), Move("back"), Move("advance", 2),
    Move("rewind", 2), Move("advance", 40), Move("reorg", 30, 2), Move("back"), Move("advance", 1), Move("silent", 3),
    Move("advance", 2), Move("reorg", 2, -1), Move("advance", 12),
)  # fmt: skip
Apply = Callable[[int], Awaitable[None]]


class Seen(NamedTuple):
    tips: list[tuple[str, int]]
    finals: list[tuple[str, int]]
    heads: list[int]


async def watch(url: str, ws_url: str, story: Story, apply: Apply) -> Seen:
    """What a follower writes and a subscriber hears while all moves are made, each when the log had followed."""
    heads: list[int] = []
    log = MemoryLog()
    async with connect(ws_url) as socket, following(RpcSource(url, ws_url, level="senders"), log, SETTINGS) as producer:
        await until(rests(producer, story))
        await subscribe(socket, "newHeads")
        listening = asyncio.create_task(listen(socket, heads))
        for number in range(len(MOVES)):
            await apply(number)
            await until(rests(producer, story))
        await asyncio.sleep(QUIET_SECONDS)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    tips, finals = parts(told(log.notifications))
    assert (tips, finals) == parts(story.events)
    return Seen(heights(tips), heights(finals), heads)


async def listen(socket: ClientConnection, heads: list[int]) -> None:
    async for message in socket:
        heads.append(int(json.loads(message)["params"]["result"]["number"], 16))  # noqa: PERF401 - the listener is cut off


async def subscribe(socket: ClientConnection, *params: Any) -> None:
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": list(params)}))
    assert "result" in json.loads(await socket.recv())


async def on_devchain() -> Seen:
    chain = DevChain(7, agents=4, transactions=2, finality_depth=DEPTH)
    story = Story(chain.head.ref)
    tips = [chain.head.hash]

    def change(move: Move) -> HeadChange:
        if move.kind == "advance":
            return chain.advance(move.depth)
        if move.kind == "reorg":
            return chain.reorg(move.depth, move.extra)
        if move.kind == "back":
            return chain.switch(tips[-2])
        return chain.rewind(move.depth) if move.kind == "rewind" else chain.silent_rewind(move.depth)

    async with DevNode(chain) as node:

        async def apply(number: int) -> None:
            made = node.announce(change(MOVES[number]))
            tips.append(chain.head.hash)
            story.know(block.ref for block in made.added)
            story.moved(chain.head.ref, chain.final.ref if chain.final else None)

        return await watch(node.url, node.ws_url, story, apply)


async def on_geth(node: GethNode, consensus: Consensus) -> Seen:
    lines = await forged(consensus)
    story = Story(consensus.genesis)
    story.know(ref for line in lines for ref in line)
    await consensus.adopt(consensus.genesis)
    final = consensus.genesis

    async def apply(number: int) -> None:
        nonlocal final
        head = lines[number][-1]
        if head.number - DEPTH > final.number:
            final = lines[number][head.number - DEPTH]
        tag = final if final.number else None
        if MOVES[number].kind == "silent":
            await node.rpc.call("debug_setHead", hex(head.number))
        else:
            await consensus.feed(*lines[number][1:])
            await consensus.adopt(head, safe=tag, final=tag)
        story.moved(head, tag)

    return await watch(node.http, node.ws, story, apply)


async def forged(consensus: Consensus) -> list[list[BlockRef]]:
    """The canonical line after each move."""
    lines = [[consensus.genesis]]
    for move in MOVES:
        line = lines[-1]
        if move.kind == "back":
            lines.append(lines[-2])
        elif move.kind == "advance":
            lines.append([*line, *await consensus.forge(line[-1], move.depth, transactions=1)])
        elif move.kind == "reorg":
            kept = line[: -move.depth]
            lines.append([*kept, *await consensus.forge(kept[-1], move.depth + move.extra, transactions=1)])
        else:
            lines.append(line[: -move.depth])
    return lines[1:]


async def test_the_same_moves_give_the_same_steps(geth: GethNode, consensus: Consensus) -> None:
    here, there = await on_devchain(), await on_geth(geth, consensus)
    assert here == there


class Side(NamedTuple):
    """One node, after a reorg of two blocks with transactions."""

    url: str
    ws_url: str
    latest: str
    orphan: str
    transaction: str
    reorg: Callable[[], Awaitable[None]]


@asynccontextmanager
async def devchain_side() -> AsyncIterator[Side]:
    chain = DevChain(7, agents=8, transactions=8)
    chain.advance(4)
    orphan = chain.head
    chain.reorg(2, 1)
    async with DevNode(chain) as node:

        async def reorg() -> None:
            node.announce(chain.switch(orphan.hash))

        latest = chain.head
        sent = latest.transactions[0].hash
        yield Side(node.url, node.ws_url, _hex(latest.hash), _hex(orphan.hash), _hex(sent), reorg)


@asynccontextmanager
async def geth_side(node: GethNode, consensus: Consensus) -> AsyncIterator[Side]:
    trunk = await consensus.forge(consensus.genesis, 2, transactions=2)
    orphans = await consensus.forge(trunk[-1], 1, transactions=2)
    orphans += await consensus.forge(orphans[-1], 1, transactions=2)
    winners = await consensus.forge(trunk[-1], 2)
    winners += await consensus.forge(winners[-1], 1, transactions=3)
    await consensus.adopt(orphans[-1])
    await consensus.adopt(winners[-1])
    latest = _hex(winners[-1].hash)
    sent = (await node.rpc.call("eth_getBlockByHash", latest, False))["transactions"][0]
    yield Side(node.http, node.ws, latest, _hex(orphans[-1].hash), sent, lambda: consensus.adopt(orphans[-1]))


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


async def post(url: str, body: Any, content_type: str = "application/json") -> tuple[int, Any]:
    sent = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": content_type}
    async with aiohttp.ClientSession() as session, session.post(url, data=sent, headers=headers) as response:
        text = await response.text()
    return response.status, json.loads(text) if text.startswith(("{", "[")) else text.strip()


async def call(side: Side, method: str, *params: Any) -> Any:
    _, answer = await post(side.url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    return answer


def outcome(answer: Any) -> Any:
    """Forms of a result; an error in full."""
    if isinstance(answer, dict) and "result" in answer:
        return ("result", loose_form(answer["result"]))
    return answer


def loose_form(value: Any) -> Any:
    return loose(form(value), "extraData", "input", "data", "r", "s", "size") if isinstance(value, dict) else form(value)


NOWHERE = "0x" + "12" * 32


def questions(side: Side) -> list[tuple[str, list[Any]]]:
    numbers: list[Any] = [
        "latest", "earliest", "pending", "safe", "finalized", "0x1", "0xffff", "0x01", "0x", "1", "bogus", "", 1, None, True,
        [], "0x10000000000000000", "0x8000000000000000",
    ]  # fmt: skip
    hashes: list[Any] = [side.latest, side.orphan, NOWHERE, NOWHERE[:-2], "0x", "12", "bogus", 1, None, True, {}]
    places: list[Any] = [
        *numbers, *hashes, {"blockHash": side.orphan}, {"blockNumber": "0x1"}, {"blockHash": NOWHERE}, {},
        {"blockHash": side.latest, "blockNumber": "0x1"}, {"blockHash": side.orphan, "requireCanonical": True},
    ]  # fmt: skip
    return [
        ("eth_chainId", []), ("eth_syncing", []), ("eth_blockNumber", []), ("net_version", []), ("eth_nothing", []),
        ("eth_chainId", [1]), ("eth_getBlockByNumber", []), ("eth_getBlockByNumber", ["latest"]),
        ("eth_getBlockByNumber", ["latest", None]), ("eth_getBlockByNumber", ["latest", 1]),
        ("eth_getBlockByNumber", ["latest", False, 1]), ("eth_getBlockReceipts", []), ("eth_getBlockByHash", [NOWHERE]),
        *(("eth_getBlockByNumber", [number, False]) for number in numbers),
        *(("eth_getBlockByHash", [block, False]) for block in hashes),
        *(("eth_getBlockReceipts", [place]) for place in places),
        *(("eth_getTransactionReceipt", [tx]) for tx in (side.transaction, NOWHERE, "0x12", None)),
        *(("eth_getTransactionByHash", [tx]) for tx in (NOWHERE, "0x12", None)),
        ("eth_getLogs", [{"blockHash": NOWHERE}]), ("eth_getLogs", [{"fromBlock": "0x3", "toBlock": "0x1"}]),
        ("eth_getLogs", [{"fromBlock": "0xffff", "toBlock": "0xffffff"}]), ("eth_getLogs", []),
        ("eth_subscribe", ["newHeads"]), ("eth_unsubscribe", ["0x1"]),
    ]  # fmt: skip


async def test_questions_have_the_same_answers(geth: GethNode, consensus: Consensus) -> None:
    different = []
    async with devchain_side() as here, geth_side(geth, consensus) as there:
        for (method, ours), (_, theirs) in zip(questions(here), questions(there), strict=True):
            mine, real = outcome(await call(here, method, *ours)), outcome(await call(there, method, *theirs))
            if mine != real:
                different.append(f"{method}{ours}\n  devchain {mine}\n  geth     {real}")
    assert not different, "\n".join(["", *different])


@pytest.mark.parametrize(
    "body",
    [
        "", "x", "{", "[]", "{}", "[1]", "1", "null", '"x"', '{"id":1}', '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', '{"id":1,"method":"eth_chainId"}',
        '{"jsonrpc":"2.0","method":"eth_chainId"}', '{"jsonrpc":"2.0","id":null,"method":"eth_chainId"}',
        '{"jsonrpc":"2.0","id":"a","method":"eth_chainId","params":{}}',
        '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":null}',
        '{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', '{"jsonrpc":"2.0","id":1,"method":1}',
        '{"jsonrpc":"2.0","id":1,"method":"x"}',
        '[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},1,{"jsonrpc":"2.0","method":"eth_chainId"}]',
    ],
)  # fmt: skip
async def test_requests_of_any_form_have_the_same_answers(geth: GethNode, body: str) -> None:
    async with DevNode(DevChain(7)) as node:
        assert await post(node.url, body) == await post(geth.http, body)


async def test_blocks_transactions_receipts_and_events_have_the_same_forms(geth: GethNode, consensus: Consensus) -> None:
    async with devchain_side() as here, geth_side(geth, consensus) as there:
        mine, real = await forms(here), await forms(there)
    assert mine == real


async def forms(side: Side) -> dict[str, Any]:
    """By name: the form of everything a follower reads, of orphans too, and of what a subscriber hears during a reorg."""
    found: dict[str, Any] = {}
    for name, block_hash in (("latest", side.latest), ("orphan", side.orphan)):
        full = (await call(side, "eth_getBlockByHash", block_hash, True))["result"]
        found[f"{name} full"] = loose_form(full)
        found[f"{name} slim"] = loose_form((await call(side, "eth_getBlockByHash", block_hash, False))["result"])
        for tx in full["transactions"]:
            found[f"transaction {tx['type']}"] = loose_form(tx) | {"accessList": form(tx.get("accessList"))}
        for receipt in (await call(side, "eth_getBlockReceipts", block_hash))["result"]:
            found[f"receipt {receipt['type']}"] = loose_form(receipt)
            for entry in receipt["logs"]:
                found["log"] = loose_form(entry)
    async with connect(side.ws_url) as heads, connect(side.ws_url) as logs:
        await subscribe(heads, "newHeads")
        await subscribe(logs, "logs", {})
        await side.reorg()
        event = json.loads(await asyncio.wait_for(heads.recv(), 10))
        found["newHeads"] = loose_form(event.pop("params")["result"]), event
        removed = [json.loads(await asyncio.wait_for(logs.recv(), 10))["params"]["result"] for _ in range(3)]
        found["removed log"] = loose_form(removed[0]), removed[0]["removed"]
        assert [int(entry["logIndex"], 16) for entry in removed] == [0, 1, 2]
    return found

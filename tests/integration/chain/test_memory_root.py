"""A memory root anchored on a real node: deployed, set by the agent alone, read back with proofs, and refused when forged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from coincurve import PrivateKey

from connectors.chain.jsonrpc import JsonRpc, RpcError
from connectors.chain.memory_root import (
    READ_ROOT,
    SHARED_CODE,
    SLOT,
    Anchor,
    NotAnchoredError,
    init_code,
    owned_code,
    read_anchor,
    set_root_call,
)
from connectors.chain.rlp import encode
from connectors.chain.trie import keccak
from connectors.chain.verify import signing_hash, transaction_rlp, uint
from streams.cli import main
from streams.core.merkle.document import MemberDocument
from streams.core.merkle.sparse import SparseTree
from streams.decoding.calldata import decode_call
from streams.errors import SourceError
from streams.identity.key_file import make_key
from streams.identity.signed_root import read_signed_root, sign_root
from streams.ports.chain import Transaction
from tests.chains import transaction
from tests.integration.node_fixtures import CHAIN_ID, Anvil
from tests.samples import h

pytestmark = pytest.mark.node

AGENT_KEY = PrivateKey(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))  # anvil's first
TREE = SparseTree.of({h(n): h(n + 1) for n in range(9)})


def address_of(key: PrivateKey) -> bytes:
    return keccak(key.public_key.format(compressed=False)[1:])[12:]


AGENT = address_of(AGENT_KEY)


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


class Node:
    """What an agent does with a node."""

    def __init__(self, anvil: Anvil) -> None:
        self.rpc, self.http = anvil.rpc, anvil.http

    async def send(self, sender: bytes | str, to: bytes | None, data: bytes, value: int = 0) -> dict[str, Any]:
        call = {"from": sender if isinstance(sender, str) else hexed(sender), "data": hexed(data), "gas": "0x493e0"}
        call |= {"value": hex(value), **({"to": hexed(to)} if to is not None else {})}
        return await self.mined(await self.rpc.call("eth_sendTransaction", call))

    async def mined(self, tx: str) -> dict[str, Any]:
        await self.rpc.call("evm_mine")
        receipt: dict[str, Any] = await self.rpc.call("eth_getTransactionReceipt", tx)
        return receipt

    async def deploy(self, runtime: bytes) -> bytes:
        receipt = await self.send((await self.rpc.call("eth_accounts"))[1], None, init_code(runtime))
        place = bytes.fromhex(receipt["contractAddress"][2:])
        assert await self.rpc.call("eth_getCode", hexed(place), "latest") == hexed(runtime)
        return place

    async def delegate(self, to: bytes, data: bytes) -> dict[str, Any]:
        """A type 4 transaction of the agent to itself that delegates its account, and calls what it is then."""
        nonce = int(await self.rpc.call("eth_getTransactionCount", hexed(AGENT), "latest"), 16)
        message = keccak(b"\x05" + encode([uint(CHAIN_ID), to, uint(nonce + 1)]))
        signed = AGENT_KEY.sign_recoverable(message, hasher=None)
        tx: Transaction = {
            **transaction(0, nonce), "type": 4, "sender": AGENT, "to": AGENT, "nonce": nonce.to_bytes(8, "big"), "value": b"",
            "gas": 300_000, "max_fee_per_gas": uint(10**11), "max_priority_fee_per_gas": uint(1), "input": data,
            "tx_chain_id": CHAIN_ID,
            "authorization_list": [
                {"chain_id": uint(CHAIN_ID), "address": to, "nonce": (nonce + 1).to_bytes(8, "big"), "y_parity": signed[64],
                 "r": signed[:32].lstrip(b"\0"), "s": signed[32:64].lstrip(b"\0")}
            ],
        }  # fmt: skip
        signed = AGENT_KEY.sign_recoverable(signing_hash(tx), hasher=None)
        tx["r"], tx["s"], tx["v"] = signed[:32].lstrip(b"\0"), signed[32:64].lstrip(b"\0"), uint(signed[64])
        return await self.mined(await self.rpc.call("eth_sendRawTransaction", hexed(transaction_rlp(tx))))


@pytest.fixture
def node(anvil: Anvil) -> Node:
    return Node(anvil)


async def test_a_delegated_account_holds_its_root(node: Node) -> None:
    shared = await node.deploy(SHARED_CODE)
    stranger = (await node.rpc.call("eth_accounts"))[2]
    with pytest.raises(NotAnchoredError, match="not the memory root contract"):
        await read_anchor(node.rpc, AGENT)
    assert (await node.delegate(shared, set_root_call(TREE.root)))["status"] == "0x1"
    anchor = await read_anchor(node.rpc, AGENT)
    assert (anchor.root, anchor.holder) == (TREE.root, AGENT)
    assert await node.rpc.call("eth_call", {"to": hexed(AGENT), "data": hexed(READ_ROOT)}, "latest") == hexed(TREE.root)
    assert await node.rpc.call("eth_getStorageAt", hexed(AGENT), "0x10", "latest") == hexed(TREE.root)

    # A stranger, the shared copy itself, and calls of another shape change nothing; ether still arrives.
    assert (await node.send(stranger, AGENT, set_root_call(h(7))))["status"] == "0x0"
    assert (await node.send(stranger, shared, set_root_call(h(7))))["status"] == "0x0"
    for wrong in (set_root_call(h(7))[:-1], set_root_call(h(7)) + b"\0", b"\1", READ_ROOT[:3]):
        assert (await node.send(AGENT, AGENT, wrong))["status"] == "0x0"
    assert (await node.send(stranger, AGENT, b"", value=5))["status"] == "0x1"
    assert (await read_anchor(node.rpc, AGENT)).root == TREE.root

    # The agent moves on; the older block still proves the older root.
    older = anchor.block
    assert (await node.send(AGENT, AGENT, set_root_call(h(9))))["status"] == "0x1"
    assert (await read_anchor(node.rpc, AGENT)).root == h(9)
    assert (await read_anchor(node.rpc, AGENT, block=hexed(older.hash))).root == TREE.root
    assert (await read_anchor(node.rpc, AGENT, block=hex(older.number))) == anchor


async def test_a_contract_deployed_for_one_agent(node: Node) -> None:
    own = await node.deploy(owned_code(AGENT))
    stranger = (await node.rpc.call("eth_accounts"))[2]
    with pytest.raises(NotAnchoredError, match="anchored no memory root"):
        await read_anchor(node.rpc, AGENT, contract=own)
    assert (await node.send(stranger, own, set_root_call(h(7))))["status"] == "0x0"
    assert (await node.send(AGENT, own, set_root_call(TREE.root)))["status"] == "0x1"
    assert (await read_anchor(node.rpc, AGENT, contract=own)).root == TREE.root
    other = bytes.fromhex(stranger[2:])
    with pytest.raises(NotAnchoredError, match="not the memory root contract of agent"):
        await read_anchor(node.rpc, other, contract=own)


class Liar(JsonRpc):
    """A node that answers falsely. ``lie`` gets method, parameters and the honest answer."""

    lie: Callable[[str, list[Any], Any], Any]

    async def call(self, method: str, *params: Any) -> Any:
        return self.lie(method, list(params), await super().call(method, *params))


async def test_a_node_that_lies_is_refused(node: Node) -> None:
    shared = await node.deploy(SHARED_CODE)
    await node.delegate(shared, set_root_call(TREE.root))
    old = await node.rpc.call("eth_getBlockByNumber", "latest", False)
    old_proof = await node.rpc.call("eth_getProof", hexed(AGENT), [hexed(SLOT.to_bytes(32, "big"))], {"blockHash": old["hash"]})
    await node.send(AGENT, AGENT, set_root_call(h(9)))
    other_slot = await node.rpc.call("eth_getProof", hexed(AGENT), [hexed((SLOT + 1).to_bytes(32, "big"))], "latest")
    forged_root = h(66)

    def with_proof(answer: Any) -> Callable[[str, list[Any], Any], Any]:
        return lambda method, params, honest: answer if method == "eth_getProof" and params[1] else honest

    def forged(method: str, params: list[Any], honest: Any) -> Any:
        if method != "eth_getProof" or not params[1]:
            return honest
        nodes = [node.replace(h(9).hex(), forged_root.hex()) for node in honest["storageProof"][0]["proof"]]
        assert nodes != honest["storageProof"][0]["proof"]
        return {**honest, "storageProof": [{"key": "0x10", "value": hexed(forged_root), "proof": nodes}]}

    def other_state(method: str, params: list[Any], honest: Any) -> Any:
        return {**honest, "stateRoot": old["stateRoot"]} if method.startswith("eth_getBlock") else honest

    def other_block(method: str, params: list[Any], honest: Any) -> Any:
        return old if method == "eth_getBlockByHash" else honest

    def other_code(method: str, params: list[Any], honest: Any) -> Any:
        return "0xef0100" + "77" * 20 if method == "eth_getCode" else honest

    head = (await node.rpc.call("eth_getBlockByNumber", "latest", False))["hash"]
    for lie, block, says in (
        (forged, "latest", "does not lead"),
        (with_proof(old_proof), "latest", "does not lead"),
        (with_proof({**old_proof, "accountProof": other_slot["accountProof"]}), "latest", "does not lead"),
        (with_proof(None), "latest", "no proof"),
        (other_state, "latest", "does not hash"),
        (other_block, head, "the node sent"),
        (other_code, "latest", "does not delegate"),
    ):
        liar = Liar(node.http)
        liar.lie = lie
        try:
            with pytest.raises(SourceError, match=says):
                await read_anchor(liar, AGENT, block=block)
        finally:
            await liar.close()
    assert (await read_anchor(node.rpc, AGENT)).root == h(9)
    with pytest.raises((SourceError, RpcError)):
        await read_anchor(node.rpc, AGENT, block=hexed(h(1)))


@asynccontextmanager
async def gateway_of(root: bytes) -> AsyncIterator[str]:
    """Something that answers as a gateway does when asked for a root."""

    async def answer(_: web.Request) -> web.Response:
        view = {"agent": hexed(AGENT), "count": 9, "checksum": hexed(h(1)), "merkle_root": hexed(root), "block": None}
        return web.json_response(view)

    app = web.Application()
    app.router.add_get("/v1/agents/{agent}/root", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize(("published", "code"), [(TREE.root, 0), (h(8), 1)])
async def test_command_line_compares_with_the_gateway(
    node: Node, capsys: pytest.CaptureFixture[str], published: bytes, code: int
) -> None:
    own = await node.deploy(owned_code(AGENT))
    await node.send(AGENT, own, set_root_call(TREE.root))
    command = ["proof", "anchored", "--rpc", node.http, "--agent", hexed(AGENT), "--contract", hexed(own)]
    async with gateway_of(published) as url:
        assert await asyncio.to_thread(main, [*command, "--gateway", url]) == code
    assert capsys.readouterr().out.startswith("no: " if code else "yes: ")


async def test_command_line(node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = await node.deploy(SHARED_CODE)
    await node.delegate(shared, set_root_call(TREE.root))
    anchor: Anchor = await read_anchor(node.rpc, AGENT)
    saved = tmp_path / "memory.json"
    command = ["proof", "anchored", "--rpc", node.http, "--agent", hexed(AGENT), "--proof", str(saved)]

    async def run(*more: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, [*command, *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    saved.write_text(json.dumps(MemberDocument(TREE.root, h(4), h(5), TREE.prove(h(4))).record()))
    code, out, err = await run()
    assert (code, out.startswith("yes: " + TREE.root.hex()), "node's own word" in err) == (0, True, True)
    code, out, err = await run("--block", hexed(anchor.block.hash))
    assert (code, err) == (0, "")
    code, out, _ = await run("--contract", hexed(shared))
    assert code == 1
    await node.send(AGENT, AGENT, set_root_call(h(9)))
    code, out, _ = await run()
    assert (code, out[:3]) == (1, "no:")
    saved.write_text(json.dumps(MemberDocument(TREE.root, h(4), h(6), TREE.prove(h(4))).record()))
    code, out, _ = await run("--block", hexed(anchor.block.hash))
    assert (code, out[:3]) == (1, "no:")


async def test_the_agents_own_signature_on_the_anchored_root(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = await node.deploy(owned_code(AGENT))
    await node.send(AGENT, own, set_root_call(TREE.root))
    alice, mallory = make_key(tmp_path / "alice.key"), make_key(tmp_path / "mallory.key")
    saved = tmp_path / "root.json"

    async def run(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, ["proof", *arguments, "--rpc", node.http])
        return code, capsys.readouterr().out

    signing = ["sign", "--agent", hexed(AGENT), "--contract", hexed(own), "--key-file"]
    code, document = await run(*signing, str(tmp_path / "alice.key"))
    assert code == 0
    saved.write_text(document)
    await node.send(AGENT, own, set_root_call(h(9)))  # the agent moves on; its word for the older block stands
    code, out = await run("signed", str(saved), "--key", alice.public.hex())
    assert (code, out.startswith(f"yes: agent {hexed(AGENT)} signed {TREE.root.hex()}")) == (0, True)
    assert (await run("signed", str(saved), "--key", mallory.public.hex()))[0] == 1

    # Mallory's own word; a root that the chain does not hold, truly signed; another chain.
    place = read_signed_root(saved.read_bytes()).place
    for key, said, trusted, says in (
        (mallory, place, alice, "is not that of agent"),
        (alice, replace(place, root=h(9)), alice, "the chain 31337 holds"),
        (alice, replace(place, chain_id=1), alice, "the chain 31337 holds"),
    ):
        saved.write_text(sign_root(key, said).document())
        code, out = await run("signed", str(saved), "--key", trusted.public.hex())
        assert (code, says in out) == (1, True), out

    code, out = await run(*signing, str(tmp_path / "alice.key"), "--calldata")
    call = decode_call(bytes.fromhex(out.strip()[2:]))
    assert code == 0
    assert call is not None
    published = read_signed_root(call.arguments["content"])
    assert (call.method.intent, published.place.root, published.holds()) == ("memory_store", h(9), True)

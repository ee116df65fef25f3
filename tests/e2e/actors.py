"""Accounts that act on a real node: calls of the agents' interface, a token that emits Transfer, plain transfers."""

from __future__ import annotations

from typing import Any

from connectors.chain.devchain.contracts.abi import call_data, event_topic
from streams.core.ids import chain_memory_id
from tests.integration.node_fixtures import CHAIN_ID, Anvil

HUB = "0x" + "a9" * 20
"""No code lives here: a call succeeds whatever it says, and the chain keeps it."""
TRANSFER = event_topic("Transfer(address,address,uint256)")
RUNTIME = bytes.fromhex("602435600052600435337f") + TRANSFER + bytes.fromhex("60206000a3600160005260206000f3")
"""Emits Transfer(caller, first argument, second argument) and returns true."""
INIT = bytes.fromhex(f"60{len(RUNTIME):02x}80600b6000396000f3") + RUNTIME


def words(sender: str, data: bytes, to: str = HUB, value: int = 0) -> dict[str, str]:
    """A transaction request."""
    return {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(400_000)}


def store(sender: str, text: str, kind: int = 0, tag: str = "note") -> dict[str, str]:
    return words(sender, call_data("storeMemory(uint8,bytes,uint16,string[])", kind, text.encode(), 5_000, [tag]))


def learn(sender: str, text: str) -> dict[str, str]:
    return words(sender, call_data("learn(string)", text))


def forget(sender: str, memory_id: bytes) -> dict[str, str]:
    return words(sender, call_data("forgetMemory(bytes32)", memory_id))


def pay(sender: str, to: str, wei: int) -> dict[str, str]:
    return words(sender, b"", to, wei)


def token_transfer(sender: str, token: str, to: str, amount: int) -> dict[str, str]:
    return words(sender, call_data("transfer(address,uint256)", to, amount), token)


async def deploy_token(node: Anvil) -> str:
    """Address of a fresh token; its block is mined."""
    sender = (await node.rpc.call("eth_accounts"))[0]
    request = {"from": sender, "data": "0x" + INIT.hex(), "gas": hex(400_000)}
    sent = await node.rpc.call("eth_sendTransaction", request)
    await node.rpc.call("evm_mine")
    address: str = (await node.rpc.call("eth_getTransactionReceipt", sent))["contractAddress"]
    return address


async def mine(node: Anvil, *requests: dict[str, str]) -> list[dict[str, Any]]:
    """One block of these transactions, in this order; their receipts, every one a success."""
    sent = [await node.rpc.call("eth_sendTransaction", request) for request in requests]
    await node.rpc.call("evm_mine")
    receipts = [await node.rpc.call("eth_getTransactionReceipt", one) for one in sent]
    assert [receipt["status"] for receipt in receipts] == ["0x1"] * len(sent)
    return receipts


def asked_memory(receipt: dict[str, Any]) -> bytes:
    """Id of the memory that the call of this receipt asked for."""
    block, sender = bytes.fromhex(receipt["blockHash"][2:]), bytes.fromhex(receipt["from"][2:])
    return chain_memory_id(CHAIN_ID, block, int(receipt["transactionIndex"], 16), sender, 0)

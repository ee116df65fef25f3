"""A real EVM node takes the development chain's transactions, and says of them what the development chain says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from connectors.chain.devchain import DevChain, DevNode
from connectors.chain.devchain.contracts import CONTRACTS
from connectors.chain.jsonrpc import JsonRpc

pytestmark = pytest.mark.node

PLACE = {"blockHash", "blockNumber", "blockTimestamp", "transactionIndex"}
FUNDS = hex(10**30)


@pytest.fixture
def chain() -> DevChain:
    chain = DevChain(31, agents=6, transactions=12)
    chain.advance(12)
    return chain


async def adopt(anvil: JsonRpc, chain: DevChain) -> None:
    """Send every transaction of the chain to anvil, each mined at once."""
    for agent in chain.agents:
        await anvil.call("anvil_setBalance", "0x" + agent.hex(), FUNDS)
    for built in chain.line():
        for transaction in built.block.transactions:
            assert await anvil.call("eth_sendRawTransaction", "0x" + transaction.raw.hex()) == "0x" + transaction.hash.hex()


async def test_anvil_reads_the_same_transactions(chain: DevChain, anvil: JsonRpc) -> None:
    await adopt(anvil, chain)
    compared: Counter[str] = Counter()
    async with DevNode(chain) as node:
        ours = JsonRpc(node.url)
        try:
            for built in chain.line():
                for transaction in built.block.transactions:
                    name = "0x" + transaction.hash.hex()
                    one, other = [await client.call("eth_getTransactionByHash", name) for client in (ours, anvil)]
                    check_transaction(one, other)
                    receipts = [await client.call("eth_getTransactionReceipt", name) for client in (ours, anvil)]
                    compared[check_receipt(*receipts, contract=transaction.to in CONTRACTS)] += 1
            for agent in chain.agents:
                nonces = [await c.call("eth_getTransactionCount", "0x" + agent.hex(), "latest") for c in (ours, anvil)]
                assert nonces[0] == nonces[1]
        finally:
            await ours.close()
    assert min(compared["plain"], compared["contract"]) > 10


def check_transaction(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every field that does not depend on the block; ``gasPrice`` of a type 2 depends on its base fee."""
    skip = PLACE | ({"gasPrice"} if ours["type"] == "0x2" else set())
    for key in ours.keys() - skip:
        assert ours[key] == theirs[key], key


def check_receipt(ours: dict[str, Any], theirs: dict[str, Any], *, contract: bool) -> str:
    """Keys are alike; gas is alike where no contract runs (anvil has none of ours)."""
    assert ours.keys() <= theirs.keys()
    for key in ("from", "to", "type", "transactionHash", "contractAddress"):
        assert ours[key] == theirs[key], key
    if contract:
        return "contract"
    assert (ours["status"], ours["gasUsed"], ours["logs"]) == (theirs["status"], theirs["gasUsed"], theirs["logs"])
    return "plain"


async def test_blocks_have_the_same_keys(chain: DevChain, anvil: JsonRpc) -> None:
    await adopt(anvil, chain)
    async with DevNode(chain) as node:
        ours = JsonRpc(node.url)
        try:
            for full in (True, False):
                one, other = [await c.call("eth_getBlockByNumber", "latest", full) for c in (ours, anvil)]
                other.pop("totalDifficulty")  # geth gives it no more after the merge, anvil does
                assert one.keys() == other.keys()
                assert {key: type(value) for key, value in one.items()} == {key: type(value) for key, value in other.items()}
            for client in (ours, anvil):
                assert await client.call("eth_getBlockByHash", "0x" + "00" * 32, True) is None
                assert await client.call("eth_getTransactionByHash", "0x" + "ab" * 32) is None
        finally:
            await ours.close()


async def test_a_tampered_transaction_is_another_senders(chain: DevChain, anvil: JsonRpc) -> None:
    """The comparison can fail: with a changed value the signature recovers to someone without funds, or to no one."""
    transaction = next(t for built in chain.line() for t in built.block.transactions if t.type == 2)
    raw = bytearray(transaction.raw)
    raw[-1] ^= 1
    with pytest.raises(Exception, match=r"eth_sendRawTransaction"):
        await anvil.call("eth_sendRawTransaction", "0x" + raw.hex())

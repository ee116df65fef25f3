"""The graph agent: profiles, identities, feedback, refusals. Histories: tests/property/test_graph_agent.py."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode

from schemas.codec import codec
from streams import topics
from streams.agents.base import Record
from streams.agents.graph import GraphAgent
from streams.core.block import BlockRef
from streams.errors import PoisonError
from tests.fakes import MemoryState, record_of
from tests.transactions import AGENT, CONTRACT, PEER, chain_transaction, log

BLOCK = BlockRef(1, (1).to_bytes(32, "big"), bytes(32))
OTHER = b"\xe5" * 20


def records(*transactions: Any) -> list[Record]:
    return [record_of(topics.TRANSACTIONS, "ChainTransaction", tx | {"index": i}) for i, tx in enumerate(transactions)]


def profile(agent: GraphAgent) -> Any:
    rows = {emit.key: emit for emit in agent.emit_before_commit()}
    emit = rows[AGENT]
    return None if emit.value is None else codec().decode(codec().encode(emit.type, emit.value))[1]


def registered(owner: bytes = AGENT) -> dict[str, Any]:
    return log(CONTRACT, "Registered(uint256,string,address)", 7, owner, data=encode(["string"], ["ipfs://card"]))


def described(key: str, value: bytes) -> dict[str, Any]:
    data = encode(["string", "bytes"], [key, value])
    return log(CONTRACT, "MetadataSet(uint256,string,string,bytes)", 7, bytes(32), data=data)


def rated(index: int) -> dict[str, Any]:
    types = ["uint64", "int128", "uint8", "string", "string", "string", "string", "bytes32"]
    data = encode(types, [index, 90, 0, "", "", "", "", bytes(32)])
    signature = "NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)"
    return log(CONTRACT, signature, 7, AGENT, bytes(32), data=data)


def test_a_profile_names_identities_capabilities_and_feedback() -> None:
    agent = GraphAgent(0, MemoryState())
    first = [registered(), described("capabilities", b"swap, lend,swap"), described("agentWallet", PEER)]
    agent.apply(BLOCK, records(chain_transaction(logs=first), chain_transaction(logs=[rated(1), rated(2)])))
    row = profile(agent)
    (identity,) = row["identities"]
    assert (identity["registry"], identity["agent_id"], identity["owner"]) == (CONTRACT, b"\x07", AGENT)
    assert (identity["uri"], identity["wallet"]) == ("ipfs://card", PEER)
    assert (row["capabilities"], row["feedback_given"]) == (["lend", "swap"], 2)
    assert row["block"] == BLOCK.record() | {"parent": row["block"]["parent"]}


def test_feedback_that_is_revoked_and_an_identity_that_is_passed_on() -> None:
    state = MemoryState()
    agent = GraphAgent(0, state)
    agent.apply(BLOCK, records(chain_transaction(logs=[registered(), described("agentWallet", PEER), rated(1)])))
    before, content = profile(agent), dict(state.content)
    revoked = log(CONTRACT, "FeedbackRevoked(uint256,address,uint64)", 7, AGENT, 1)
    passed = log(CONTRACT, "Transfer(address,address,uint256)", AGENT, OTHER, 7)
    later = [record_of(topics.TRANSACTIONS, "ChainTransaction", chain_transaction(block=2, logs=[revoked, passed]))]
    second = BlockRef(2, (2).to_bytes(32, "big"), BLOCK.hash)
    agent.apply(second, later)
    row = profile(agent)
    assert row["feedback_given"] == 0
    assert (row["identities"][0]["owner"], row["identities"][0]["wallet"]) == (OTHER, None)
    agent.revert(second, later)
    assert profile(agent) == before
    assert state.content == content


def test_an_undone_first_block_leaves_a_tombstone() -> None:
    agent = GraphAgent(0, MemoryState())
    agent.apply(BLOCK, records(chain_transaction()))
    assert profile(agent)["standing"]["transactions"] == 1
    agent.revert(BLOCK, records(chain_transaction()))
    assert profile(agent) is None


@pytest.mark.parametrize("again", [GraphAgent.apply, GraphAgent.revert])
def test_what_is_no_transaction_is_refused_and_leaves_nothing(again: Any) -> None:
    state = MemoryState()
    agent = GraphAgent(0, state)
    with pytest.raises(PoisonError, match="no input of the graph agent"):
        again(agent, BLOCK, [record_of(topics.TRANSACTIONS, "Memory", {})])
    assert (state.content, list(agent.emit_before_commit())) == ({}, [])


def test_a_revert_of_what_was_never_applied_changes_nothing() -> None:
    state = MemoryState()
    agent = GraphAgent(0, state)
    agent.apply(BLOCK, records(chain_transaction()))
    content = dict(state.content)
    agent.revert(BLOCK, [record_of(topics.TRANSACTIONS, "ChainTransaction", chain_transaction(block=9))])
    assert state.content == content

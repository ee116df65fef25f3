"""Edges of the knowledge graph that a transaction adds."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode

from streams.decoding.relations import MAX_RELATIONS, NOWHERE, Relation, identity_node, micros_of, relations_of
from tests.transactions import (
    AGENT,
    CONTRACT,
    PEER,
    USDC,
    call_data,
    chain_transaction,
    log,
    number,
    transfer_log,
)

ETHER = 10**18
POOL = b"\xd4" * 20


def ends(relations: list[Relation]) -> list[tuple[str, bytes, str]]:
    return [(relation.kind, relation.target, relation.target_kind) for relation in relations]


def test_a_payment_is_a_transfer_in_millionths() -> None:
    (relation,) = relations_of(chain_transaction(to=PEER, value=number(2 * ETHER)))
    assert (relation.kind, relation.target, relation.amount, relation.micros) == ("TRANSFER", PEER, 2 * ETHER, 2_000_000)


def test_a_token_transfer_is_known_by_its_log_and_its_decimals() -> None:
    data = call_data("transfer(address a, uint256 b)", PEER, 5_000_000)
    found = relations_of(chain_transaction(to=USDC, input=data, logs=[transfer_log(USDC, AGENT, PEER, 5_000_000)]))
    assert ends(found) == [("INTERACTION", USDC, "TOKEN"), ("TRANSFER", PEER, "ACCOUNT")]
    assert (found[0].micros, found[1].micros, found[1].token) == (None, 5_000_000, USDC)
    assert micros_of(5 * ETHER, 1, CONTRACT) == 5_000_000


SWAP = log(
    POOL, "Swap(address,uint256,uint256,uint256,uint256,address)", CONTRACT, AGENT,
    data=encode(["uint256"] * 4, [7_000_000, 0, 0, 3]),
)  # fmt: skip


def test_a_swap_is_an_edge_to_the_pool_with_what_was_given() -> None:
    logs = [transfer_log(USDC, AGENT, POOL, 7_000_000), SWAP]
    found = relations_of(chain_transaction(input=b"\x01\x02\x03\x04", logs=logs))
    assert ends(found) == [("INTERACTION", CONTRACT, "CONTRACT"), ("SWAP", POOL, "POOL")]
    assert (found[1].token, found[1].micros) == (USDC, 7_000_000)


@pytest.mark.parametrize(
    ("signature", "indexed", "words", "action"),
    [
        ("Mint(address,uint256,uint256)", [AGENT], 2, "add"),
        ("Burn(address,uint256,uint256,address)", [AGENT, PEER], 2, "remove"),
    ],
)
def test_liquidity_is_an_edge_to_the_pool(signature: str, indexed: list[bytes], words: int, action: str) -> None:
    event = log(POOL, signature, *indexed, data=encode(["uint256"] * words, [1] * words))
    found = relations_of(chain_transaction(logs=[event]))
    assert ends(found)[1:] == [("LIQUIDITY_PROVISION", POOL, "POOL")]
    assert found[1].arguments == {"action": action}


def test_delegation_is_that_of_the_sender_alone() -> None:
    mine = log(CONTRACT, "DelegateChanged(address,address,address)", AGENT, NOWHERE, PEER)
    others = log(CONTRACT, "DelegateChanged(address,address,address)", PEER, NOWHERE, AGENT)
    assert ends(relations_of(chain_transaction(logs=[mine, others])))[1:] == [("DELEGATION", PEER, "ACCOUNT")]


def test_collaboration_is_an_edge_to_the_peer() -> None:
    data = call_data("collaborate(address a, string b)", PEER, "together")
    assert ends(relations_of(chain_transaction(input=data)))[1:] == [("INTERACTION", PEER, "ACCOUNT")]


def test_an_identity_is_a_node_of_its_registry() -> None:
    event = log(CONTRACT, "Registered(uint256,string,address)", 7, AGENT, data=encode(["string"], ["ipfs://card"]))
    relation = relations_of(chain_transaction(logs=[event]))[1]
    assert (relation.kind, relation.target, relation.target_kind) == ("IDENTITY", identity_node(CONTRACT, 7), "IDENTITY")
    assert relation.arguments == {
        "registry": f"0x{CONTRACT.hex()}", "agent_id": "7", "uri": "ipfs://card", "owner": f"0x{AGENT.hex()}",
    }  # fmt: skip


def test_a_collectible_that_others_move_is_told_too() -> None:
    moved = log(CONTRACT, "Transfer(address,address,uint256)", PEER, POOL, 7)
    found = relations_of(chain_transaction(logs=[moved]))
    assert (found[1].kind, found[1].target, found[1].arguments["token_id"]) == ("INTERACTION", POOL, "7")


def test_counterparties_and_failures_tell_no_more_than_was_sent() -> None:
    logs: list[Any] = [transfer_log(USDC, AGENT, PEER, 1)]
    assert relations_of(chain_transaction(role="COUNTERPARTY", agent=PEER, logs=logs)) == []
    assert len(relations_of(chain_transaction(status=0, logs=logs))) == 1
    assert ends(relations_of(chain_transaction(to=None, status=0))) == [("INTERACTION", NOWHERE, "CONTRACT")]
    assert relations_of(chain_transaction(to=None, contract_address=POOL))[0].target == POOL


def test_relations_of_one_transaction_are_limited() -> None:
    logs = [transfer_log(USDC, AGENT, bytes([n]) * 20, 1) for n in range(1, 100)]
    found = relations_of(chain_transaction(logs=logs))
    assert len(found) == MAX_RELATIONS
    assert [relation.target[0] for relation in found[1:]] == list(range(1, MAX_RELATIONS))

from __future__ import annotations

from schemas.codec import codec
from streams import topics
from streams.agents.intent import IntentAgent
from streams.core.block import BlockRef
from tests.fakes import MemoryState, record_of
from tests.transactions import AGENT, CONTRACT, PEER, USDC, call_data, chain_transaction

BLOCK = BlockRef(1, (1).to_bytes(32, "big"), bytes(32))


def emitted(*transactions):
    records = [record_of(topics.TRANSACTIONS, "ChainTransaction", tx, i, key=tx["agent"]) for i, tx in enumerate(transactions)]
    return list(IntentAgent(0, MemoryState()).apply(BLOCK, records))


def test_one_intent_per_record_in_order_keyed_by_agent() -> None:
    payment = chain_transaction(value=b"\x05")
    received = chain_transaction(agent=PEER, role="COUNTERPARTY", index=1, to=PEER, value=b"\x05")
    emits = emitted(payment, received)
    assert [(e.topic, e.key, e.type) for e in emits] == [("rag.intents", AGENT, "Intent"), ("rag.intents", PEER, "Intent")]
    assert [e.value["transaction_index"] for e in emits] == [0, 1]


def test_the_record_is_what_the_schema_wants_and_values_are_text() -> None:
    emit = emitted(chain_transaction(to=USDC, input=call_data("transfer(address a,uint256 b)", PEER, 10**30)))[0]
    assert codec().decode(codec().encode("Intent", emit.value)) == ("Intent", emit.value)
    assert emit.value["intent"] == "transfer"
    assert emit.value["confidence"] == 1.0
    assert emit.value["method"] == "transfer(address,uint256)"
    assert emit.value["slots"] == {"recipient": f"0x{PEER.hex()}", "amount": str(10**30), "token": f"0x{USDC.hex()}"}


def test_unknown_is_said() -> None:
    emit = emitted(chain_transaction(to=CONTRACT, input=b"\xde\xad\xbe\xef\xff"))[0]
    assert (emit.value["intent"], emit.value["confidence"], emit.value["method"]) == ("unknown", 0.0, None)
    assert emit.value["slots"] == {}


def test_words_get_runners_up() -> None:
    emit = emitted(chain_transaction(to=CONTRACT, input=b"swap 2 ETH for USDC"))[0]
    names = [alternative["intent"] for alternative in emit.value["alternatives"]]
    assert len(names) == 3
    assert emit.value["intent"] not in names
    confidences = [alternative["confidence"] for alternative in emit.value["alternatives"]]
    assert confidences == sorted(confidences, reverse=True)

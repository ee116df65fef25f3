"""Sentences, slots and intents of whole records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode, encode

from streams.decoding.calldata import decode_call
from streams.decoding.nl.parser import default_reader
from streams.decoding.table import METHODS
from streams.decoding.text import MAX_TEXT, quote
from tests.transactions import (
    AGENT,
    CONTRACT,
    PEER,
    USDC,
    WETH,
    call_data,
    chain_transaction,
    log,
    mainnet_transactions,
    number,
    transfer_log,
)

ETHER = 10**18
V2_SWAP = "swapExactTokensForTokens(uint256 a,uint256 b,address[] c,address d,uint256 e)"


def told(**fields: Any) -> tuple[str, str]:
    """(intent, text) of a record."""
    reading = default_reader().read(chain_transaction(**fields))
    return reading.intent, reading.text


SNAPSHOTS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "payment": ({"value": number(3 * ETHER // 2)}, ("transfer", "0xa1a1a1a1… sent 1.5 ETH to 0xc3c3c3c3…")),
    "failed payment": (
        {"value": number(ETHER), "status": 0},
        ("transfer", "0xa1a1a1a1… tried to send 1 ETH to 0xc3c3c3c3…, but the transaction failed."),
    ),
    "creation": ({"to": None, "contract_address": PEER}, ("deploy", "0xa1a1a1a1… deployed contract 0xb2b2b2b2…")),
    "token transfer": (
        {"to": USDC, "input": call_data("transfer(address a,uint256 b)", PEER, 1_500_000)},
        ("transfer", "0xa1a1a1a1… sent 1.5 USDC to 0xb2b2b2b2…"),
    ),
    "token transfer for another": (
        {"to": USDC, "input": call_data("transferFrom(address a,address b,uint256 c)", PEER, CONTRACT, 1_000_000)},
        ("transfer", "0xa1a1a1a1… sent 1 USDC from 0xb2b2b2b2… to 0xc3c3c3c3…"),
    ),
    "collectible by its log": (
        {
            "input": call_data("transferFrom(address a,address b,uint256 c)", AGENT, PEER, 12),
            "logs": [log(CONTRACT, "Transfer(address,address,uint256)", AGENT, PEER, 12)],
        },
        ("transfer", "0xa1a1a1a1… sent NFT 12 of collection 0xc3c3c3c3… to 0xb2b2b2b2…"),
    ),
    "unlimited approval": (
        {"to": USDC, "input": call_data("approve(address a,uint256 b)", PEER, 2**256 - 1)},
        ("approve", "0xa1a1a1a1… gave 0xb2b2b2b2… unlimited allowance over USDC."),
    ),
    "revocation": (
        {"to": USDC, "input": call_data("approve(address a,uint256 b)", PEER, 0)},
        ("approve", "0xa1a1a1a1… revoked the allowance of 0xb2b2b2b2… over USDC."),
    ),
    "swap with what came of it": (
        {
            "input": call_data(V2_SWAP, 2_000_000, ETHER, [USDC, WETH], AGENT, 9),
            "logs": [transfer_log(USDC, AGENT, PEER, 2_000_000), transfer_log(WETH, PEER, AGENT, 2 * ETHER)],
        },
        ("swap", "0xa1a1a1a1… swapped 2 USDC for at least 1 WETH, receiving 2 WETH and giving 2 USDC."),
    ),
    "packed path": (
        {"input": call_data(
            "exactInput((bytes a,address b,uint256 c,uint256 d) p)",
            (USDC + b"\0\1\xf4" + CONTRACT + b"\0\1\xf4" + WETH, AGENT, 5_000_000, 0),
        )},
        ("swap", "0xa1a1a1a1… swapped 5 USDC for WETH."),
    ),
    "batch": (
        {"input": call_data("multicall(uint256 a,bytes[] b)", 9, [
            call_data("selfPermit()"), call_data("refundETH()"), call_data(V2_SWAP, 7_000_000, 0, [USDC, WETH], AGENT, 9),
        ])},
        ("swap", "0xa1a1a1a1… swapped 7 USDC for WETH."),
    ),
    "router commands": (
        {"input": call_data("execute(bytes a,bytes[] b,uint256 c)", b"\x0b\x08", [
            b"", encode(["address", "uint256", "uint256", "address[]", "bool"], [AGENT, ETHER, 3_000_000, [WETH, USDC], False]),
        ], 9)},
        ("swap", "0xa1a1a1a1… swapped 1 WETH for at least 3 USDC."),
    ),
    "wrapping": (
        {"to": WETH, "value": number(ETHER), "input": call_data("deposit()")}, ("wrap", "0xa1a1a1a1… wrapped 1 WETH."),
    ),
    "a vault is no wrapped ether": (
        {"value": number(ETHER), "input": call_data("deposit()")},
        ("vault", "0xa1a1a1a1… deposited 1 ETH into vault 0xc3c3c3c3…"),
    ),
    "vote": (
        {"input": call_data("castVoteWithReason(uint256 a,uint8 b,string c)", 7, 0, 'too "risky"')},
        ("vote", "0xa1a1a1a1… voted against proposal 7 because \"too 'risky'\"."),
    ),
    "memory": (
        {"input": call_data("storeMemory(uint8 a,bytes b,uint16 c,string[] d)", 1, b"gas is\ncheap", 500, ["gas"])},
        ("memory_store", '0xa1a1a1a1… stored a long-term memory: "gas is cheap".'),
    ),
    "query": (
        {"input": call_data("query(string a)", "what is my balance")}, ("query", '0xa1a1a1a1… asked "what is my balance".'),
    ),
    "unknown method": (
        {
            "input": b"\xde\xad\xbe\xef" + bytes(32), "value": number(ETHER),
            "logs": [transfer_log(USDC, PEER, AGENT, 1_000_000)],
        },
        ("unknown", "0xa1a1a1a1… called unknown method 0xdeadbeef of 0xc3c3c3c3… with 1 ETH, receiving 1 USDC."),
    ),
    "counterparty": (
        {
            "agent": PEER, "role": "COUNTERPARTY", "to": USDC,
            "input": call_data("transfer(address a,uint256 b)", PEER, 1_000_000),
            "logs": [transfer_log(USDC, AGENT, PEER, 1_000_000)],
        },
        ("transfer", "0xa1a1a1a1… sent 1 USDC to 0xb2b2b2b2…; 0xb2b2b2b2… received 1 USDC."),
    ),
    "words": (
        {"input": b"Hello there, how are you?"}, ("unknown", '0xa1a1a1a1… wrote "Hello there, how are you?" to 0xc3c3c3c3…'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_sentence(name: str) -> None:
    fields, expected = SNAPSHOTS[name]
    assert told(**fields) == expected


def test_slots_are_text_and_amounts_are_exact() -> None:
    reading = default_reader().read(chain_transaction(input=call_data(V2_SWAP, 2**200, 1, [USDC, WETH], AGENT, 9)))
    assert reading.method == "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    assert reading.confidence == 1.0
    assert reading.slots == {
        "amount_in": str(2**200), "amount_out_min": "1", "path": f"[0x{USDC.hex()}, 0x{WETH.hex()}]",
        "recipient": f"0x{AGENT.hex()}", "deadline": "9", "token_in": f"0x{USDC.hex()}", "token_out": f"0x{WETH.hex()}",
    }  # fmt: skip


def test_a_spoken_order_carries_what_it_asks_for() -> None:
    reading = default_reader().read(chain_transaction(input=call_data("execute(string a)", "swap 2 ETH for USDC")))
    assert (reading.intent, reading.confidence) == ("execute", 1.0)
    assert reading.slots["request"] == "swap"
    assert (reading.slots["request_token_in"], reading.slots["request_token_out"]) == ("ETH", "USDC")
    assert len(reading.alternatives) == 3


def test_words_in_call_data_are_parsed_with_the_parsers_confidence() -> None:
    reading = default_reader().read(chain_transaction(input=b"please swap 2 ETH for USDC"))
    assert reading.intent == "swap"
    assert reading.method is None
    assert 0.5 < reading.confidence < 1
    assert reading.slots["amount"] == "2"


def test_strangers_text_stays_on_one_line_between_marks() -> None:
    assert quote('a"b\n\u202ec\x00d ') == '"a\'b c d"'
    assert len(told(input=call_data("query(string a)", "word " * 10_000))[1]) <= MAX_TEXT


def test_real_transactions_of_all_eras(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """13,721 real transactions: none fails, every decoded call encodes back to the bytes on the chain, most calls are known."""
    reader, intents, calls, known = default_reader(), Counter[str](), 0, 0
    for folder in ("mainnet_full", "mainnet_blocks"):
        for transaction in mainnet_transactions(data_dir / "ethereum" / folder):
            reading = reader.read(transaction)
            intents[reading.intent] += 1
            assert 0 < len(reading.text) <= MAX_TEXT
            assert "\n" not in reading.text
            data = transaction["input"]
            if transaction["to"] is None or len(data) < 4:
                continue
            calls += 1
            call = decode_call(data)
            known += call is not None
            if call is not None:
                assert encoded_again(data, call.suffix) == data
    with capsys.disabled():
        print(f"\n{sum(intents.values())} transactions, {known} of {calls} calls known ({known / calls:.1%}); {dict(intents)}")
    assert sum(intents.values()) > 13_000
    assert known / calls > 0.7
    assert intents["unknown"] / sum(intents.values()) < 0.12


def encoded_again(data: bytes, suffix: bytes) -> bytes:
    """Selector, the arguments through a decoder and an encoder of their own, suffix."""
    types = [p.type for p in METHODS[data[:4]].signature.parameters]
    return data[:4] + encode(types, decode(types, data[4:])) + suffix

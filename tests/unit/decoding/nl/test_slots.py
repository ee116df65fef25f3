from __future__ import annotations

from itertools import pairwise

import pytest

from streams.decoding.nl.roles import missing, slots_for
from streams.decoding.nl.slots import MAX_SCANNED, mask, plain_amount, scan


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Swap 2 ETH for USDC on Uniswap v3", "swap AMOUNT TOKEN for TOKEN on VENUE"),
        ("send 1,500.5 usdc to bob.eth in 3 days", "send AMOUNT TOKEN to ADDRESS DATE"),
        ("agent #7 votes on proposal 42 with 0.5% slippage", "AGENT votes on PROPOSAL with PERCENT slippage"),
        ("bridge half of my $PEPE to Arbitrum", "bridge AMOUNT my TOKEN to CHAIN"),
        ("what happened between block 100 and 200", "what happened between BLOCK"),
        ("pay 0x8ba1f109551bd432803012645ac136ddd64dba72 last Friday", "pay ADDRESS DATE"),
        ("ethics and linked lists", "ethics and linked lists"),
        ("", ""),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text, scan(text)) == masked


def test_spans_are_in_order_and_do_not_overlap() -> None:
    spans = scan("swap 2 ETH for 3 USDC at 0.5% on 2024-03-01 with agent 7")
    assert [span.kind for span in spans] == ["amount", "token", "amount", "token", "percent", "date", "agent"]
    assert all(first.end <= second.start for first, second in pairwise(spans))


def test_only_the_front_of_a_text_is_read() -> None:
    assert scan("x" * MAX_SCANNED + " 2 ETH") == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("2k", "2000"),
        ("1.5k", "1500"),
        ("1,500", "1500"),
        ("0.25", "0.25"),
        ("$3", "3"),
        ("1.0001m", "1000100"),
        ("half of", "half"),
    ],
)
def test_amounts_are_written_out(text: str, plain: str) -> None:
    assert plain_amount(text) == plain


@pytest.mark.parametrize(
    ("text", "given", "taken"),
    [
        ("swap 2 ETH for USDC", "ETH", "USDC"),
        ("buy 2 ETH with USDC", "USDC", "ETH"),
        ("get 2 ETH for my DAI", "DAI", "ETH"),
        ("turn my LINK into WBTC", "LINK", "WBTC"),
    ],
)
def test_direction_of_a_swap(text: str, given: str, taken: str) -> None:
    slots = slots_for("swap", text, scan(text))
    assert (slots["token_in"], slots["token_out"]) == (given, taken)


@pytest.mark.parametrize(
    ("text", "recipient"),
    [
        ("send 2 ETH to bob.eth", "bob.eth"),
        ("from agent 3 send 2 ETH to agent 7", "agent 7"),
        ("pay Alice 2 ETH", "Alice"),
        ("move 5 USDC to my cold wallet", "my cold wallet"),
    ],
)
def test_recipient(text: str, recipient: str) -> None:
    assert slots_for("transfer", text, scan(text))["recipient"] == recipient


def test_a_repeated_kind_gets_a_number() -> None:
    slots = slots_for("liquidity", "pool 1 ETH and 3000 USDC", scan("pool 1 ETH and 3000 USDC"))
    assert slots == {"amount": "1", "token": "ETH", "amount_2": "3000", "token_2": "USDC"}


def test_what_an_intent_cannot_do_without() -> None:
    assert missing("swap", {"token_in": "ETH"})
    assert not missing("swap", {"token_in": "ETH", "token_out": "DAI"})
    assert missing("transfer", {"amount": "2"})
    assert missing("bridge", {"chain": "base"})
    assert not missing("bridge", {"chain": "base", "token": "ETH"})
    assert not missing("balance", {})

"""A mixed stream of texts like the ones agents leave: mostly one sentence, some notes, few long ones; seeded."""

from __future__ import annotations

import random

SENTENCES = (
    "sent {n} ETH to 0x{a:08x}… in block {b}",
    "swapped {n} USDC for {m} ETH on the pool 0x{a:08x}…, paid {b} gwei per gas",
    "added {n} ETH and {m} USDC of liquidity to the pool 0x{a:08x}…",
    "remember that the treasury wallet is 0x{a:08x}… and that transfers above {n} ETH need two approvals",
    "staked {n} MON with validator {b}; rewards of {m} MON are due at the end of the epoch",
    "the counterparty 0x{a:08x}… answered after {b} blocks, so it is treated as slow",
)
WORDS = (
    "price pool agent block reward route budget limit order token bridge vote partner risk window signal volume depth "
    "gas spread yield collateral deadline proof memory question answer note plan goal"
).split()


def mixed(count: int, seed: int = 7) -> list[str]:
    """``count`` texts; about 40 tokens on average, at most about 230."""
    draw = random.Random(seed)
    texts = []
    for i in range(count):
        kind = draw.random()
        if kind < 0.8:
            sentence = draw.choice(SENTENCES)
            texts.append(sentence.format(n=draw.randint(1, 900), m=draw.randint(1, 90_000), a=draw.getrandbits(32), b=i))
        else:
            length = draw.randint(40, 90) if kind < 0.95 else draw.randint(120, 200)
            texts.append(" ".join(draw.choice(WORDS) for _ in range(length)))
    return texts

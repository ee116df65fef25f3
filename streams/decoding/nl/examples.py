"""Examples from templates: expansion, pools, and the split by whole templates.

Invariant: the same seed gives the same examples on every machine; ``Example.line`` is unique per template, and a template is
in one part only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

from streams.decoding.nl import background
from streams.decoding.nl.templates import TEMPLATES

Part = Literal["train", "calibration", "test"]
NONE = "none"
SEED = 20_240_601
PER_TEMPLATE = 12
_PARTS: tuple[Part, ...] = ("train", "test", "train", "calibration", "train")

_POOLS: dict[str, tuple[str, ...]] = {
    name: tuple(values.split("|"))
    for name, values in {
        "token": "ETH|USDC|DAI|WBTC|LINK|USDT|weth|usdc|eth|UNI|ARB|stETH|CRV|MON|$PEPE|dai|tokens",
        "amount": "2|0.5|100|1,500|2k|50|3.25|10|1000|12.5|one|five|20|0.01|1m|250|75",
        "venue": "Uniswap|Curve|Aave|Compound|Lido|1inch|Balancer|SushiSwap|uniswap v3|Morpho",
        "chain": "Arbitrum|Optimism|Base|Polygon|mainnet|zkSync|Scroll|Linea",
        "party": "0x8ba1f109551bd432803012645ac136ddd64dba72|0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed|bob.eth"
        "|dao-treasury.eth|agent 7|agent #12|alice.eth|0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045|vault.eth|agent 3",
        "agent": "agent 7|agent 12|agent #3|agent 44|agent 501",
        "date": "yesterday|today|tomorrow|last week|on Friday|next month|2024-03-01|in 3 days|every Monday|this week",
        "percent": "1%|0.5%|2 percent|10%|25%|30 bps",
        "block": "block 100|block 19000000|blocks 100 to 200|block #77",
        "proposal": "proposal 42|proposal #7|proposal 118|EIP-1559|AIP 33",
        "number": "3|5|10|42|7|100|12",
        "word": "FOO|Zebra|gamma|Nimbus|kappa|blorp|Tulip|quasar|vexel|Ordo",
        "thing": "dinner|work|lottery|ticket|design|audit|server",
        "topic": "gas limits|slippage|my cold wallet|the treasury|risk|arbitrage|my trading style|liquidations|the last swap",
        "fact": "i prefer low slippage|my cold wallet ends in 72|never trade before noon|gas above 90 gwei is too much"
        "|the treasury pays on Fridays|Greta runs the lending desk|use Curve for stablecoins|the oracle is late on Mondays"
        "|agent 7 owes me 20 USDC|my risk limit is 5%",
        "act": "raise the fee|fund the grants|add a new market|pause the bridge|cut emissions|buy back tokens",
        "hash": "0x3f1a9c…|0x77ab01|0xdeadbeefcafe0123|0x0badc0de",
    }.items()
} | {name: tuple(values.split("|")) for name, values in background.POOLS.items()}

_OPENERS = ("please ", "can you ", "could you ", "hey, ", "i want to ", "now ", "i'd like to ", "")
_CLOSERS = (" please", " now", " thanks", " asap", "!", ".", "?", "")
_CHOICE = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]")


@dataclass(frozen=True)
class Example:
    """``line``: which template, such as ``swap/3``."""

    text: str
    intent: str
    line: str
    part: Part


def expand(template: str, rng: Random) -> str:
    """One random expansion of a template."""

    def choose(match: re.Match[str]) -> str:
        if match.group(1) is not None:
            return str(rng.choice(match.group(1).split("|")))
        return str(rng.choice(match.group(2).split("|"))) if rng.random() < 0.5 else ""

    text: str = template
    while _CHOICE.search(text):
        text = _CHOICE.sub(choose, text)
    text = re.sub(r"\{(\w+)\}", lambda match: _filled(match.group(1), rng), text)
    filled: str = " ".join(text.split())
    return filled


def _filled(pool: str, rng: Random) -> str:
    if pool == "noise":
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(rng.randint(3, 12)))
    return rng.choice(_POOLS[pool])


def examples(per_template: int = PER_TEMPLATE, seed: int = SEED) -> list[Example]:
    """All examples, each text once, in a fixed order."""
    found: dict[str, Example] = {}
    for intent, text in [*TEMPLATES.items(), (NONE, background.BACKGROUND)]:
        for number, template in enumerate(filter(None, map(str.strip, text.splitlines()))):
            rng, line = Random(f"{seed}/{intent}/{number}"), f"{intent}/{number}"
            for _ in range(per_template):
                example = Example(_dressed(expand(template, rng), rng), intent, line, _PARTS[number % len(_PARTS)])
                found.setdefault(example.text, example)
    return list(found.values())


def _dressed(text: str, rng: Random) -> str:
    """With or without a polite opener, an ending, and a capital letter, whatever the intent."""
    if rng.random() < 0.35:
        text = rng.choice(_OPENERS) + text
    if rng.random() < 0.3:
        text += rng.choice(_CLOSERS)
    return text[:1].upper() + text[1:] if rng.random() < 0.4 else text

"""The slot scanner: amounts, tokens, addresses, agents, blocks, venues, chains, dates in free text.

One compiled alternation, tried left to right, longest kinds first. Invariant: spans do not overlap and are in text order;
``mask`` replaces each by the upper-case name of its kind and lower-cases the rest, so what is left is how a thing is asked.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TOKENS = (
    "eth|ether|weth|steth|wsteth|reth|usdc|usdt|tether|dai|wbtc|btc|bitcoin|link|uni|arb|mon|pepe|crv|op|aave|comp|mkr|ldo|"
    "shib|matic|pol|sol|bnb|frax|lusd|gho|ens|stablecoins?|tokens?"
)
VENUES = (
    "uniswap|sushiswap|sushi|curve|aave|compound|lido|1inch|balancer|rocket ?pool|morpho|maker|pancakeswap|paraswap|cow ?swap"
)
CHAINS = "arbitrum|optimism|base|polygon|mainnet|ethereum mainnet|zksync|scroll|linea|avalanche|gnosis(?: chain)?|solana|bsc"
_DAY = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_UNIT = "second|minute|hour|day|week|month|year"
_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|fifty|hundred|thousand"

_KINDS = (
    ("address", r"\b0x[0-9a-f]+…?|\b[a-z0-9-]+\.eth\b"),
    (
        "date",
        (
            rf"\b\d{{4}}-\d\d-\d\d\b|\b(?:in|within) \d+ (?:{_UNIT})s?\b|\b\d+ (?:{_UNIT})s? ago\b"
            rf"|\b(?:last|next|this|every|each|past) (?:{_UNIT}|{_DAY})\b|\b(?:on )?(?:{_DAY})s?\b"
            r"|\b(?:yesterday|today|tonight|tomorrow|daily|weekly|monthly)\b"
        ),
    ),
    ("percent", r"\b\d+(?:\.\d+)? ?(?:%|percent\b|bps\b)"),
    ("block", r"\bblocks? #?\d+(?: (?:and|to|through) (?:block )?#?\d+)?"),
    ("agent", r"\bagent #?\d+\b"),
    ("proposal", r"\bproposals? #?\d+\b|\b(?:mip|eip|aip|uip)[ -]?\d+\b"),
    (
        "amount",
        (
            r"\$?\b\d[\d,]*(?:\.\d+)? ?(?:k|m|thousand|million|billion)?\b"
            rf"|\b(?:{_WORDS})\b|\bhalf(?: of)?\b|\ball (?:of )?(?=my\b)"
        ),
    ),
    ("venue", rf"\b(?:{VENUES})(?: ?v\d)?\b"),
    ("chain", rf"\b(?:{CHAINS})\b"),
    ("token", rf"\$[a-z]{{2,10}}\b|\b(?:{TOKENS})\b"),
)
_SCANNER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _KINDS), re.IGNORECASE)
MAX_SCANNED = 2_000
"""Characters of a text that are read; requests are short, and the scanner is linear in this."""


class Span(NamedTuple):
    """``text`` as written, from ``start`` to ``end`` of the scanned text."""

    kind: str
    text: str
    start: int
    end: int


def scan(text: str) -> list[Span]:
    """Spans of the first MAX_SCANNED characters."""
    return [Span(m.lastgroup or "", m.group(), m.start(), m.end()) for m in _SCANNER.finditer(text[:MAX_SCANNED])]


def mask(text: str, spans: list[Span]) -> str:
    """The text with each span replaced by its kind."""
    parts, position = [], 0
    for span in spans:
        parts += [text[position : span.start].lower(), f" {span.kind.upper()} "]
        position = span.end
    return " ".join("".join([*parts, text[position:MAX_SCANNED].lower()]).split())


_SCALE = {"k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "billion": 10**9}


def plain_amount(text: str) -> str:
    """``2k`` as ``2000``; words stay words."""
    match = re.fullmatch(r"\$?([\d,]+)(?:\.(\d+))? ?([a-z]+)?", text.strip().lower())
    if match is None:
        return text.strip().lower().removesuffix(" of")
    whole, part, unit = match.group(1).replace(",", ""), match.group(2) or "", match.group(3)
    zeros = len(str(_SCALE.get(unit or "", 1))) - 1
    digits, rest = part[:zeros].ljust(zeros, "0"), part[zeros:]
    return f"{int(whole + digits)}" + (f".{rest}" if rest.strip("0") else "")

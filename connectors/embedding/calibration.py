"""Texts on which the int8 variant learns how large each channel of each activation gets.

They are of the kinds the product sees (records of transactions, intents, questions, notes, prose, other scripts) and are no
part of any test. Fixed, so that the same weights and code give the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

_ASSETS = ("ETH", "USDC", "WBTC", "DAI", "stETH", "MON")
_PLACES = ("Uniswap V3", "Curve", "Aave", "Lido", "a bridge to Base")
_PEOPLE = ("0x8ba1f109", "vitalik.eth", "agent 12", "the treasury", "my cold wallet")
_AMOUNTS = ("0.05", "3", "1,250.75", "10000", "4.2 million")
_PATTERNS = (
    "Swapped {amount} {asset} for {other} on {place}; received less than quoted because of slippage.",
    "transfer {amount} {asset} to {person}",
    "Staked {amount} {asset} with {place} for the rewards, unlocking in 21 days.",
    "What did I pay {person} last week?",
    "How much {asset} is left after the last trade on {place}?",
    "Transaction failed: execution reverted, allowance of {asset} for {place} too low. Gas used 61,204.",
    "Remember that {person} prefers {asset} over {other} and never more than 1% slippage.",
    "{person} called method swapExactTokensForTokens with {amount} {asset}, path {asset} {other}, success, block 19000123",
    "Removed liquidity from the {asset}/{other} pool on {place}, fees earned {amount} {other}.",
    '{{"intent": "swap", "from": "{asset}", "to": "{other}", "amount": "{amount}"}}',
    "The meeting with the design team moved to Thursday afternoon; bring the sketches and the budget.",
    "Il faut vérifier le solde avant d'envoyer {amount} {asset} à {person} ☕",
    "请在 {place} 上把 {amount} {asset} 换成 {other}",
    "Reminder: the vote on proposal 42 closes on Friday at noon UTC, quorum is four percent of supply.",
    "ok",
)
SHORT_TEXTS = 96
LONG_TEXTS = 4


def _sentences() -> Iterator[str]:
    assets, places, people, amounts = cycle(_ASSETS), cycle(_PLACES), cycle(_PEOPLE), cycle(_AMOUNTS)
    for pattern in cycle(_PATTERNS):
        asset, place, person, amount = next(assets), next(places), next(people), next(amounts)
        other = _ASSETS[(_ASSETS.index(asset) + 2) % len(_ASSETS)]
        yield pattern.format(asset=asset, other=other, place=place, person=person, amount=amount)


def calibration_texts() -> list[str]:
    """SHORT_TEXTS of one sentence, LONG_TEXTS of eight."""
    sentences = list(islice(_sentences(), SHORT_TEXTS + 8 * LONG_TEXTS))
    rest = sentences[SHORT_TEXTS:]
    return sentences[:SHORT_TEXTS] + [" ".join(rest[start : start + 8]) for start in range(0, len(rest), 8)]

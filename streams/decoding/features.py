"""Features of a transaction: classes, tags, priority and importance. Pure functions of one record.

``importance`` = 0.3 kind + 0.4 value + 0.2 gas + 0.1 failure, each from 0 to 1, rounded to four places:
  kind     weight of the intent / 1.5 (weights below: swap 1.5 ... unknown 0.5);
  value    log10(1 + ether moved) / 3, so 999 ETH and more count fully;
  gas      log10(gas used / 21,000) / 2, so a plain payment counts nothing and 2.1 million gas fully;
  failure  1 if the transaction failed.
``priority`` = weight x product over gas used, value in wei and each amount, v > 0, of 1 + (log10 v + 1) / 10.
Rounding keeps both equal across machines whose logarithms differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log10

from schemas.records import ChainTransaction

WEI = 10**18
GWEI = 10**9
TRANSFER_SELECTOR = bytes.fromhex("a9059cbb")
COMPLEX_DATA = 100
COMPLEX_GAS = 1_000_000

WEIGHTS = {"swap": 1.5, "liquidity": 1.3, "stake": 1.2, "unknown": 0.5}
"""By intent; all others weigh 1."""


@dataclass(frozen=True, slots=True)
class Features:
    """``value_class``: zero, small (< 1 ETH), medium (< 10), large (< 100), whale; ``gas_class``: by tip, low (< 10 gwei),
    medium (< 50), high (< 200), urgent; ``complexity``: none, simple, complex (over 100 bytes of call data).
    """

    value_class: str
    gas_class: str
    complexity: str
    token_transfer: bool
    gas_heavy: bool
    first_transaction: bool
    priority: float
    importance: float


def number(value: bytes | None) -> int:
    """An unsigned integer as the records hold it."""
    return int.from_bytes(value or b"", "big")


def value_class(wei: int) -> str:
    """Class of an amount of the native coin."""
    if wei == 0:
        return "zero"
    limits = ((1, "small"), (10, "medium"), (100, "large"))
    return next((name for limit, name in limits if wei < limit * WEI), "whale")


def gas_class(tip: int) -> str:
    """Class of a tip (or, before tips, a gas price) in wei."""
    limits = ((10, "low"), (50, "medium"), (200, "high"))
    return next((name for limit, name in limits if tip < limit * GWEI), "urgent")


def complexity(data: bytes) -> str:
    """Class of call data by size."""
    if not data:
        return "none"
    return "complex" if len(data) > COMPLEX_DATA else "simple"


def weight(intent: str) -> float:
    """Weight of an intent."""
    return WEIGHTS.get(intent, 1.0)


def priority(intent: str, values: Iterable[int]) -> float:
    """See the module text."""
    product = weight(intent)
    for value in values:
        if value > 0:
            product *= 1 + (log10(value) + 1) / 10
    return round(product, 4)


def importance(intent: str, wei: int, gas_used: int, status: int | None) -> float:
    """See the module text."""
    value = min(1.0, log10(1 + wei / WEI) / 3)
    gas = min(1.0, max(0.0, log10(max(gas_used, 1) / 21_000) / 2))
    return round(0.3 * weight(intent) / 1.5 + 0.4 * value + 0.2 * gas + 0.1 * (status == 0), 4)


def features_of(transaction: ChainTransaction, intent: str, amounts: Iterable[int] = ()) -> Features:
    """Features of one record whose intent is known."""
    wei, data, tip = number(transaction["value"]), transaction["input"], transaction["max_priority_fee_per_gas"]
    return Features(
        value_class=value_class(wei),
        gas_class=gas_class(number(transaction["gas_price"] if tip is None else tip)),
        complexity=complexity(data),
        token_transfer=data[:4] == TRANSFER_SELECTOR,
        gas_heavy=transaction["gas_used"] > COMPLEX_GAS,
        first_transaction=number(transaction["nonce"]) == 0,
        priority=priority(intent, (transaction["gas_used"], wei, *amounts)),
        importance=importance(intent, wei, transaction["gas_used"], transaction["status"]),
    )


def tags_of(intent: str, features: Features, status: int | None, *more: str) -> list[str]:
    """Labels of the memory of a transaction, in a fixed order, each once."""
    tags = [intent, *more]
    tags += ["failed"] * (status == 0) + [f"value:{features.value_class}"] * (features.value_class != "zero")
    tags += ["complex"] * (features.complexity == "complex") + ["gas-heavy"] * features.gas_heavy
    return list(dict.fromkeys(tags))

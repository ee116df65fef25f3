"""From spans to the slots of an intent, and which slots an intent cannot do without.

Invariant: a slot holds text of the request (amounts with their thousands written out); nothing is made up, so a slot whose
role is not clear is missing, and an intent that needs it is not accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from streams.decoding.nl.slots import Span, plain_amount

VALUE_MOVING = frozenset({"swap", "transfer", "stake", "lend", "liquidity", "approve", "bridge", "deploy", "order", "vote"})
"""Intents that spend, lock or commit something: they need a higher confidence, and are never read from a negation."""

REQUIRED: Mapping[str, tuple[frozenset[str], ...]] = {
    "swap": (frozenset({"token_in"}), frozenset({"token_out"})),
    "transfer": (frozenset({"amount"}), frozenset({"recipient"})),
    "bridge": (frozenset({"chain"}), frozenset({"token", "amount"})),
    "approve": (frozenset({"token", "address", "venue", "agent"}),),
    "lend": (frozenset({"token", "amount", "venue"}),),
    "order": (frozenset({"token", "amount"}),),
}
"""Each group must have at least one of its slots."""

NEGATED = re.compile(
    r"\b(?:don'?t|do not|never|won'?t|cannot|can'?t|didn'?t|should (?:i|we)|how (?:do|does|did|can|would|to|should)|what if|"
    r"why|what happens|would it|is it|explain|tell me about|instead of|yesterday i|i already)\b",
    re.IGNORECASE,
)
_RECIPIENT = re.compile(r"\bto (?P<to>(?:my|his|her|their|our) [a-z' ]{3,30}|[A-Z][a-z]+)\b")
_PAYEE = re.compile(r"\b(?:pay|give|tip|reimburse|refund|pay back) (?P<to>[A-Z][a-z]+)\b")
_BUYING = re.compile(r"\b(?:buy|purchase|get|acquire|grab|ape into)\b.*\b(?:with|using|for|from)\b", re.IGNORECASE)


def slots_for(intent: str, text: str, spans: list[Span]) -> dict[str, str]:
    """Slots by name; a second span of a kind gets the suffix ``_2``, and so on."""
    slots: dict[str, str] = {}
    for span in spans:
        value = plain_amount(span.text) if span.kind == "amount" else span.text.strip()
        name, number = span.kind, 2
        while name in slots:
            name, number = f"{span.kind}_{number}", number + 1
        slots[name] = value
    if intent == "swap":
        return _swap_roles(text, slots)
    if intent == "transfer":
        recipient = _recipient(text, spans)
        if recipient:
            slots["recipient"] = recipient
    return slots


def missing(intent: str, slots: Mapping[str, str]) -> bool:
    """Whether ``intent`` lacks a slot it needs."""
    return any(not group & slots.keys() for group in REQUIRED.get(intent, ()))


def _swap_roles(text: str, slots: dict[str, str]) -> dict[str, str]:
    first, second = slots.pop("token", None), slots.pop("token_2", None)
    if first is None or second is None:
        return slots if first is None else slots | {"token": first}
    buying = _BUYING.search(text) is not None
    return slots | {"token_in": second if buying else first, "token_out": first if buying else second}


def _recipient(text: str, spans: list[Span]) -> str | None:
    """An address, name or agent that money goes to: the one after "to", or the only one there is."""
    parties = [span for span in spans if span.kind in ("address", "agent")]
    after = [span for span in parties if re.search(r"\b(?:to|into|for|towards)\s*$", text[: span.start], re.IGNORECASE)]
    if after or len(parties) == 1:
        return (after or parties)[-1].text
    named = _RECIPIENT.search(text) or _PAYEE.search(text)
    return named.group("to") if named else None

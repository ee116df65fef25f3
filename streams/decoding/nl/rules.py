"""Verb rules: requests so plainly put that no model is asked. Written against masked text (see ``slots.mask``).

Invariant: a rule looks at the whole front of a request, never at one word; its confidence is not set here but measured on
held-out templates by ``train``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_POLITE = (
    r"^(?:(?:please|hey|hi|ok|now|just|kindly|can you|could you|would you|will you|i want to|i'd like to|i would like to|"
    r"i need to|let's|go ahead and|help me|agent,?),? )*"
)


class Rule(NamedTuple):
    """``name`` is what metrics call it."""

    name: str
    intent: str
    pattern: re.Pattern[str]


def _rule(name: str, intent: str, pattern: str) -> Rule:
    return Rule(name, intent, re.compile(_POLITE + pattern))


RULES: tuple[Rule, ...] = (
    _rule("bridge", "bridge", r"bridge\b.*\b(?:TOKEN|AMOUNT)\b.*\b(?:to|from|over|onto|into)\b.*CHAIN"),
    _rule(
        "swap",
        "swap",
        r"(?:swap|exchange|convert|trade) (?:my |some |AMOUNT ?)*(?:of )?(?:my )?TOKEN (?:for|to|into|->) (?:AMOUNT )?TOKEN",
    ),
    _rule("buy", "swap", r"(?:buy|purchase) (?:some |AMOUNT )*TOKEN (?:with|using) (?:my |some |AMOUNT )*TOKEN(?: on VENUE)?$"),
    _rule("transfer", "transfer", r"(?:send|transfer|pay|wire) AMOUNT TOKEN (?:over )?to (?:ADDRESS|AGENT)(?: DATE)?[.!]?$"),
    _rule("stake", "stake", r"(?:stake|unstake|restake) (?:my |AMOUNT )*TOKEN\b"),
    _rule("lend", "lend", r"(?:borrow|supply|repay|lend) (?:my |AMOUNT )*TOKEN\b.*\b(?:VENUE|against|loan|collateral)"),
    _rule("vote", "vote", r"(?:vote|cast)\b.*\bPROPOSAL\b"),
    _rule("approve", "approve", r"(?:approve|allow|authori[sz]e) (?:VENUE|ADDRESS|AGENT|the router) to (?:spend|use)\b"),
    _rule("revoke", "approve", r"revoke\b.*\b(?:allowance|approval|permission)s?\b"),
    _rule("alert", "alert", r"(?:alert|notify|ping|warn|tell) me (?:when|if|once|whenever|as soon as)\b"),
    _rule("price", "price", r"(?:what is|what's|show me|get) the (?:current |live )?(?:price of|TOKEN price)"),
    _rule("balance", "balance", r"(?:what is|what's|show|check|get) (?:me )?my (?:current )?(?:TOKEN )?balances?\b"),
    _rule("remember", "memory_store", r"(?:remember|memori[sz]e|note down|make a note)(?: that|:| this)\b"),
    _rule("forget", "memory_forget", r"forget (?:that|what|about|everything|my|the)\b"),
)


def match_rule(masked: str) -> Rule | None:
    """The first rule that fits, or None."""
    return next((rule for rule in RULES if rule.pattern.search(masked)), None)

"""What a text or a question gives away besides its words: whether it asks, what kind of answer it wants or holds, entities.

Invariant: pure, and a cue only ever adds to a score or takes from it; none filters. (A question may name the wrong person.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streams.retrieval.words import FUNCTION_WORDS, plain

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_TIME = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|last|next|ago|weeks?|weekends?|months?|years?|mornings?|evenings?|since|recently"
    rf"|{'|'.join(MONTHS)}|{'|'.join(WEEKDAYS)}|(?:19|20)\d\d|\d{{1,2}}:\d\d)\b"
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|couple|few|several|once|twice|hundred"
    r"|thousand|million)\b"
)
_WANTS_TIME = re.compile(r"\b(?:when|how long|how recently|what (?:date|day|month|year|time)|which (?:date|day|month|year))\b")
_WANTS_NUMBER = re.compile(r"\bhow (?:many|much|often|old|long|far|big|large)\b|\bwhat (?:amount|number|price|sum)\b")
_HEX = re.compile(r"0[xX][0-9a-fA-F]{8}")
_NAME = re.compile(r"\b[A-Z][\w-]*(?:\.[a-z]{2,})?|\b[\w-]+\.eth\b|\b\d+(?:[.,]\d+)*\b|\"([^\"]{2,80})\"|“([^”]{2,80})”")


def asks(text: str) -> bool:
    """Whether a text ends as a question: it tells less than its words promise."""
    return text.rstrip(' "”)').endswith("?")


def tells_time(text: str) -> bool:
    return _TIME.search(text.lower()) is not None


def tells_number(text: str) -> bool:
    return _NUMBER.search(text.lower()) is not None


def wants_time(question: str) -> bool:
    return _WANTS_TIME.search(question.lower()) is not None


def wants_number(question: str) -> bool:
    return _WANTS_NUMBER.search(question.lower()) is not None


def entities(text: str) -> frozenset[str]:
    """Names, tickers, addresses (shortened), amounts and quotations, in lower case. Function words are none of them."""
    found = {match.group(0).lower() for match in _HEX.finditer(text)}
    for match in _NAME.finditer(text):
        word = plain(match.group(1) or match.group(2) or match.group(0))
        if len(word) > 1 and word not in FUNCTION_WORDS:
            found.add(word.removesuffix("'s"))
    return frozenset(found)


def figures(words: Sequence[str]) -> frozenset[str]:
    """Words with digits in them: what tells two alike texts apart."""
    # No letter is a digit: most words are told by one look.
    return frozenset(word for word in words if not word.isalpha() and any(map(str.isdigit, word)))

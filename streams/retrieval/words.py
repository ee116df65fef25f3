"""Words of texts and questions, as the lexical index counts them.

Words are runs of letters and digits in lower case, without accents, reduced to their English stem; an address or hash keeps
its first eight digits, as in ``streams.core.canonical_text``, so that a shortened one still meets the whole one.
Invariants: pure; memories and questions go through the same reduction, or they would not meet.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence

import Stemmer

HEX_DIGITS = 8
MAX_WORD = 40
"""Longer runs are no words (encoded bytes), and a stemmer's time grows with them."""

_WORD = re.compile(r"0x[0-9a-f]+|[^\W_]+(?:['’][^\W_]+)?")
_POSSESSIVE = re.compile(r"['’](?:s|t|re|ve|ll|d|m)?$")

FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a about after all also am an and any are as at be been being but by can could did do does doing for from get"
        " got had has have having he her hers him his how i if in into is it its just like me might more most my no"
        " nor not of off on once or our out over own she should so some such than that the their them then there these"
        " they this those to too under until up us very was we were what when where which who whom whose why will with"
        " would you your"
    )
)
"""Words that say how something is asked or said, not what about."""


class _Stems(threading.local):
    """A stemmer keeps a buffer, so each thread has its own."""

    def __init__(self) -> None:
        self.stem = Stemmer.Stemmer("english").stemWord


_stems = _Stems()


def plain(text: str) -> str:
    """Lower case without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def raw_words(text: str) -> list[str]:
    """Words in order, in lower case, not stemmed; long hex numbers shortened, possessive endings cut off."""
    words = []
    for word in _WORD.findall(plain(text)):
        if word.startswith("0x") and len(word) > 2 + HEX_DIGITS:
            words.append(word[: 2 + HEX_DIGITS])
        elif len(word) <= MAX_WORD:
            words.append(word if word.isalpha() else _POSSESSIVE.sub("", word))
    return words


def stemmed(words: Sequence[str]) -> list[str]:
    """Stems, in order, of the words that carry meaning."""
    return [_stems.stem(word) for word in words if word not in FUNCTION_WORDS]


def terms(text: str) -> list[str]:
    """What the lexical index counts of a text or a question."""
    return stemmed(raw_words(text))

"""The text of a memory as models and caches see it: one spelling for what means the same.

JSON is told as its keys and values, in one order. Content bytes are read as UTF-8 (what is not becomes U+FFFD); hex numbers
behind 0x keep eight digits, in lower case, since an address costs a model 30 tokens and says no more than its beginning;
then Unicode NFC; runs of white space become one space; then at most MAX_CHARS characters, far beyond the 256 tokens a model
reads, so that no content costs more than that.
Invariants: pure, and idempotent: the canonical text of a canonical text is itself. The same function serves memories and
questions, or they would not meet.
"""

from __future__ import annotations

import re
import unicodedata

from streams.core.structured import JSON, plain_type, told

MAX_BYTES = 65_536
MAX_CHARS = 16_384
HEX_DIGITS = 8
_LONG_HEX = re.compile(rf"0[xX]([0-9a-fA-F]{{{HEX_DIGITS}}})[0-9a-fA-F]+")
_TEXT_TYPES = frozenset({"application/json", "application/yaml", "application/xml"})


def is_text(media_type: str) -> bool:
    """Whether content of this media type is text; parameters and case do not matter."""
    name = plain_type(media_type)
    return name.startswith("text/") or name in _TEXT_TYPES


def _shorten(match: re.Match[str]) -> str:
    return "0x" + match.group(1).lower()


def canonical_text(content: bytes | str, media_type: str = "text/plain") -> str | None:
    """The canonical text, or None if ``media_type`` is not text: such a memory has no vector."""
    if not is_text(media_type):
        return None
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if plain_type(media_type) == JSON and (said := told(raw)) is not None:
        raw = said.encode("utf-8", "replace")
    text = raw[:MAX_BYTES].decode("utf-8", "replace")
    if len(raw) > MAX_BYTES:
        text = text.rstrip("�")  # the cut may have split a character
    text = unicodedata.normalize("NFC", _LONG_HEX.sub(_shorten, text))
    return " ".join(text.split())[:MAX_CHARS].rstrip()

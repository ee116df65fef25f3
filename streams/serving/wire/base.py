"""What all shapes share: bases, limits, blocks, the point an answer is true for."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from streams.core.block import BlockRef
from streams.serving.addresses import to_hex

CONTENT_LIMIT = 64 * 1024
QUERY_LIMIT = 4_096
RESULTS_LIMIT = 1_000
"""Of a question: so many that the budget of tokens is what bounds an answer."""
LEAST = "Least cosine of all; None takes the server's setting, which binds only what the vector alone speaks for."
LIST_LIMIT = 1_000
TAGS_LIMIT = 32
WAIT_LIMIT = 30.0
EDGES_LIMIT = 64


def _encodable(text: str) -> str:
    """JSON can spell half of a surrogate pair, which is no character and has no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds a character that does not exist") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class Wire(BaseModel):
    """Base of all shapes; fields nobody knows are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Answer(BaseModel):
    """Base of answers; a newer server may say more than this client knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ErrorBody(Answer):
    """Every error. ``error`` is for programs, ``message`` and ``hint`` for people."""

    error: str
    message: str
    hint: str = ""


class Block(Answer):
    """A block."""

    number: int
    hash: str
    parent: str

    @classmethod
    def of(cls, ref: BlockRef | None) -> Block | None:
        """From a BlockRef."""
        return None if ref is None else cls(number=ref.number, hash=to_hex(ref.hash), parent=to_hex(ref.parent))


class AsOf(Answer):
    """The point of the log an answer is true for, and the moment the request asked for, if it named one."""

    sequence: int | None
    head: Block | None
    known_block: int | None = None
    known_time: int | None = None
    valid_at: int | None = None

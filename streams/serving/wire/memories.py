"""Shapes of memories, of requests that write them, and of where they come from."""

from __future__ import annotations

from base64 import b64encode

from pydantic import Field

from schemas.records import Memory, MemorySource, MemoryType
from streams.core.block import BlockRef
from streams.serving.addresses import to_hex
from streams.serving.wire.base import TAGS_LIMIT, WAIT_LIMIT, Answer, AsOf, Block, Text, Wire


def text_of(memory: Memory) -> str | None:
    """The content as text, or None if it is not text."""
    if not memory["media_type"].startswith("text/"):
        return None
    try:
        return memory["content"].decode()
    except UnicodeDecodeError:
        return None


class Citation(Answer):
    """Where a memory comes from. All but ``memory_id`` and ``source`` are null for a memory that a command stored."""

    memory_id: str
    source: MemorySource
    block: Block | None
    transaction: str | None
    transaction_index: int | None

    @classmethod
    def of(cls, memory: Memory) -> Citation:
        """From the record."""
        chain = memory["source"] == "CHAIN"
        return cls(
            memory_id=to_hex(memory["id"]),
            source=memory["source"],
            block=Block.of(BlockRef.of(memory["block"])) if memory["block"] else None,
            transaction=to_hex(memory["transaction"]) if memory["transaction"] else None,
            transaction_index=memory["transaction_index"] if chain else None,
        )


class StoreRequest(Wire):
    """A memory to keep. Exactly one of ``text`` and ``content_base64``."""

    text: Text | None = Field(None, description="Content as text.")
    content_base64: str | None = Field(None, description="Content as bytes, in base64.")
    media_type: Text = Field("text/plain", min_length=1, max_length=128)
    type: MemoryType = "LONG_TERM"
    importance: float = Field(0.5, ge=0, le=1)
    tags: list[Text] = Field(default_factory=list, max_length=TAGS_LIMIT)
    timestamp: int | None = Field(None, ge=0, le=2**53, description="Unix seconds; None is now.")
    command_id: str | None = Field(None, description="UUID; repeat one to be sure that a retry stores nothing twice.")
    wait: float = Field(0, ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show the memory.")


class Receipt(Answer):
    """A command the log has acknowledged. ``visible``: reads show its effect already.

    ``write_token``: for ``wait_for`` of a read of this agent, which then shows it.
    """

    command_id: str
    memory_id: str
    visible: bool
    write_token: str = ""


class MemoryView(Answer):
    """A live memory. ``text`` for text media types, else ``content_base64``."""

    id: str
    agent: str
    type: MemoryType
    text: str | None
    content_base64: str | None
    media_type: str
    importance: float
    tags: list[str]
    timestamp: int
    citation: Citation

    @classmethod
    def of(cls, memory: Memory) -> MemoryView:
        """From the record."""
        text = text_of(memory)
        return cls(
            id=to_hex(memory["id"]),
            agent=to_hex(memory["agent"]),
            type=memory["type"],
            text=text,
            content_base64=None if text is not None else b64encode(memory["content"]).decode(),
            media_type=memory["media_type"],
            importance=memory["importance"],
            tags=list(memory["tags"]),
            timestamp=memory["timestamp"],
            citation=Citation.of(memory),
        )


class MemoryList(Answer):
    """Live memories, newest first."""

    agent: str
    items: list[MemoryView]
    as_of: AsOf

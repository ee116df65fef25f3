"""Shapes of memories: what they say, where they come from, when they are true."""

from __future__ import annotations

from base64 import b64encode
from uuid import UUID

from pydantic import Field

from schemas.records import EdgeKind, Memory, MemoryEdge, MemoryForm, MemorySource, MemoryType
from streams.core.block import BlockRef
from streams.core.canonical_text import is_text
from streams.core.structured import NUMBERS, plain_type
from streams.core.validity import Validity
from streams.serving.addresses import to_hex
from streams.serving.wire.base import Answer, AsOf, Block


def text_of(memory: Memory) -> str | None:
    """The content as text, or None if it is not text."""
    if not is_text(memory["media_type"]) and plain_type(memory["media_type"]) != NUMBERS:
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
        index = memory["transaction_index"]
        return cls(
            memory_id=to_hex(memory["id"]),
            source=memory["source"],
            block=Block.of(BlockRef.of(memory["block"])) if memory["block"] else None,
            transaction=to_hex(memory["transaction"]) if memory["transaction"] else None,
            transaction_index=index if index >= 0 else None,
        )


class ValidityView(Answer):
    """From when to when a memory is true, by all that is known at the moment of the read; see ``streams/core/validity.py``."""

    valid_from: int
    valid_to: int | None
    superseded_by: list[str]
    invalidated_by: list[str]
    contradicts: list[str]

    @classmethod
    def of(cls, validity: Validity) -> ValidityView:
        """From what was computed."""
        return cls(
            valid_from=validity.valid_from,
            valid_to=validity.valid_to,
            superseded_by=list(map(to_hex, validity.superseded_by)),
            invalidated_by=list(map(to_hex, validity.invalidated_by)),
            contradicts=list(map(to_hex, validity.contradicts)),
        )


class EdgeView(Answer):
    """What a memory says about another. ``source`` null: from this memory."""

    kind: EdgeKind
    source: str | None
    target: str
    relation: str
    strength: float
    until: int | None

    @classmethod
    def of(cls, edge: MemoryEdge) -> EdgeView:
        """From the record."""
        return cls(
            kind=edge["kind"],
            source=to_hex(edge["source"]) if edge["source"] is not None else None,
            target=to_hex(edge["target"]),
            relation=edge["relation"],
            strength=edge["strength"],
            until=edge["until"],
        )


class MemoryView(Answer):
    """A live memory. ``text`` for text media types, else ``content_base64``.

    ``valid_from`` and ``valid_to`` are what the memory itself says; ``validity`` is what it all comes to.
    """

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
    form: MemoryForm = "MEMORY"
    subject: str | None = None
    predicate: str | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    edges: list[EdgeView] = Field(default_factory=list)
    session: str | None = None
    imported_from: str | None = None
    validity: ValidityView | None = None

    @classmethod
    def of(cls, memory: Memory, validity: Validity | None = None) -> MemoryView:
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
            form=memory["form"],
            subject=memory["subject"],
            predicate=memory["predicate"],
            valid_from=memory["valid_from"],
            valid_to=memory["valid_to"],
            edges=[EdgeView.of(edge) for edge in memory["edges"]],
            session=str(UUID(bytes=memory["session"])) if memory["session"] is not None else None,
            imported_from=to_hex(memory["imported_from"]) if memory["imported_from"] is not None else None,
            validity=ValidityView.of(validity) if validity is not None else None,
        )


class MemoryList(Answer):
    """Live memories, newest first."""

    agent: str
    items: list[MemoryView]
    as_of: AsOf

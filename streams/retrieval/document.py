"""A memory as the ranking sees it.

The words counted are those of the text, of its author and of its date (month and year), since a question says "in May 2023"
where a memory says "yesterday". The author is the memory's subject and what tags of the form ``author:NAME`` name; whoever
imports a conversation sets the tag and the session, and writes ``NAME: what was said``, so that the name is embedded too.
Invariant: pure; equal memories make equal documents.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from schemas.records import Memory
from streams.core.canonical_text import canonical_text
from streams.core.structured import JSON, NUMBERS, features, leaves, plain_type
from streams.retrieval.cues import asks, entities, figures, tells_number, tells_time
from streams.retrieval.fields import Fields
from streams.retrieval.words import raw_words, stemmed

AUTHOR = "author:"
MAX_WORDS = 2_000
"""Of a longer text the beginning is counted."""
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799


@dataclass(frozen=True, slots=True)
class Document:
    """``thread``: memories of one thread follow each other by (time, place); neighbours give each other context.

    ``gap``: seconds after which the next one of the thread is no neighbour any more; None: always is. ``numbers``: of a memory
    that is nothing but numbers; ``fields``: of a structure, and of these by name. Names and values are the text as well.
    """

    id: bytes
    agent: bytes
    text: str
    words: tuple[str, ...]
    spoken: int
    authors: frozenset[str]
    entities: frozenset[str]
    figures: frozenset[str]
    thread: bytes
    gap: int | None
    time: int
    place: tuple[int, int]
    importance: float
    numbers: dict[str, float] | None
    fields: Fields | None
    question: bool
    timed: bool
    counted: bool


def date_words(timestamp: int) -> list[str]:
    """Month and year, as words; none for a time outside the calendar."""
    if not _EARLIEST <= timestamp <= _LATEST:
        return []
    day = dt.datetime.fromtimestamp(timestamp, dt.UTC)
    return [day.strftime("%B").lower(), str(day.year)]


def author_words(memory: Memory) -> list[str]:
    """Words of the names of whoever the memory is from or about."""
    names = [memory["subject"] or "", *(tag[len(AUTHOR) :] for tag in memory["tags"] if tag.startswith(AUTHOR))]
    return [word for name in names for word in raw_words(name)]


def _fields_of(memory: Memory) -> Fields | None:
    if plain_type(memory["media_type"]) not in {JSON, NUMBERS}:
        return None
    found = Fields.of(leaves(memory["content"]))
    return found if found.names or found.numbers else None


def document_of(memory: Memory) -> Document | None:
    """The document, or None if the memory has no text."""
    numbers = features(memory["content"]) if plain_type(memory["media_type"]) == NUMBERS else None
    told_as = JSON if numbers else memory["media_type"]
    text = canonical_text(memory["content"], told_as)
    if text is None or memory["form"] != "MEMORY" or memory["sealed"] is not None:
        return None
    spoken = raw_words(text)[:MAX_WORDS]
    authors = author_words(memory)
    missing = [word for word in authors if word not in spoken[:8]]
    session, block = memory["session"], memory["block"]
    return Document(
        id=memory["id"],
        agent=memory["agent"],
        text=text,
        words=tuple(stemmed([*spoken, *missing, *date_words(memory["timestamp"])])),
        spoken=len(stemmed(spoken)),
        authors=frozenset(authors),
        entities=entities(text),
        figures=figures(spoken),
        thread=memory["agent"] + (session or memory["source"].encode()),
        gap=None if session else 3_600,
        time=memory["timestamp"],
        place=(block["number"] if block else -1, memory["transaction_index"]),
        importance=min(1.0, max(0.0, memory["importance"])),
        numbers=numbers,
        fields=_fields_of(memory),
        question=asks(text),
        timed=tells_time(text),
        counted=tells_number(text),
    )

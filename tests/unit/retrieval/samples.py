"""Documents with the least said about them, and vectors that tell texts apart."""

from __future__ import annotations

import numpy as np
from blake3 import blake3

from schemas.defaults import plain_memory
from schemas.records import Memory
from streams.retrieval.document import Document, document_of
from streams.retrieval.index import MemoryIndex
from streams.retrieval.question import Asked

ALICE = b"\xa1" * 20
DIMENSION = 16


def memory(text: str, at: int = 0, *, agent: bytes = ALICE, author: str | None = None, session: int | None = 1) -> Memory:
    made = plain_memory(blake3(agent + text.encode() + at.to_bytes(8)).digest(), agent, "EPISODIC", "COMMAND", at)
    place = None if session is None else bytes([session]) * 16
    return {**made, "content": text.encode(), "subject": author, "session": place}


def document(text: str, at: int = 0, *, agent: bytes = ALICE, author: str | None = None, session: int | None = 1) -> Document:
    made = document_of(memory(text, at, agent=agent, author=author, session=session))
    assert made is not None
    return made


def vector(text: str) -> np.ndarray:
    """Words hashed into a few dimensions: texts that share words are near."""
    row = np.zeros(DIMENSION, np.float32)
    for word in text.lower().split():
        row[blake3(word.encode()).digest()[0] % DIMENSION] += 1
    length = np.linalg.norm(row)
    return row / length if length else np.eye(1, DIMENSION, dtype=np.float32)[0]


def index_of(*documents: Document) -> MemoryIndex:
    index = MemoryIndex(DIMENSION)
    for each in documents:
        index.put(each, vector(each.text))
    return index


def asked(question: str) -> Asked:
    return Asked.of(question, vector(question))

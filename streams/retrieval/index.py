"""One agent's memories, ready to be ranked: vectors, words, cues, order.

Assumes vectors are L2-normalised float32. Not safe for threads; its owner sees to that.
Invariants: signals depend on the documents that are there, on nothing that was; a row appears iff it was put and not removed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.retrieval.columns import Columns
from streams.retrieval.document import Document
from streams.retrieval.fields import FieldIndex
from streams.retrieval.layout import Layout, laid_out
from streams.retrieval.lexical import LexicalIndex, rarest
from streams.retrieval.links import BYTES, Link, Linked, joined
from streams.retrieval.numbers import NumberIndex
from streams.retrieval.question import Asked
from streams.retrieval.signals import SIGNALS, Signals

WORDS_SHARES = (0.5, 0.4, 0.3, 0.2)
"""How much a neighbour's words count, by distance."""
DENSE_SHARES = (1.0, 0.5)
K1 = 1.2
B = 0.5
NEARLY = 7 * 86_400
"""Seconds beside a named span of time within which a memory still counts a little."""
ENTRY_BYTES = 400
"""Of the tables by id, and of the layout."""

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Corpus:
    """Of the documents a question is asked of, in one or several indexes: how many, how long, how many hold each term."""

    documents: int = 0
    words: float = 0.0
    newest: int = 0
    holders: dict[str, int] = field(default_factory=dict)


class MemoryIndex:
    """Documents by memory id."""

    def __init__(self, dimension: int) -> None:
        self._columns = Columns(dimension)
        self._words = LexicalIndex()
        self._entities = LexicalIndex()
        self._numbers = NumberIndex()
        self._fields = FieldIndex()
        self._slots: dict[bytes, int] = {}
        self._links: dict[bytes, tuple[Link, ...]] = {}
        self._ready: _Ready | None = None

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, memory_id: bytes) -> bool:
        return memory_id in self._slots

    def holds(self, memory_id: bytes) -> bool:
        """Whether there is anything of this record: a document, or links."""
        return memory_id in self._slots or memory_id in self._links

    @property
    def nbytes(self) -> int:
        """Memory held, Python's objects estimated."""
        parts = self._columns.nbytes + self._words.nbytes + self._entities.nbytes + self._numbers.nbytes + self._fields.nbytes
        return parts + ENTRY_BYTES * len(self) + BYTES * sum(map(len, self._links.values()))

    def put(self, document: Document, vector: Floats | None) -> None:
        """Adds or replaces one memory."""
        slot = self._slots.get(document.id)
        if slot is None:
            slot = self._slots[document.id] = self._columns.take()
        self._columns.put(slot, document, vector)
        self._words.put(slot, document.words)
        self._entities.put(slot, sorted(document.entities))
        self._numbers.remove(slot)
        if document.numbers:
            self._numbers.put(slot, document.numbers)
        self._fields.remove(slot)
        if document.fields is not None:
            self._fields.put(slot, document.fields)
        self._ready = None

    def link(self, record_id: bytes, links: tuple[Link, ...]) -> None:
        """Sets what a record, a memory here or an amendment, says of memories that belong together."""
        if links == self._links.get(record_id, ()):
            return
        if links:
            self._links[record_id] = links
        else:
            del self._links[record_id]
        self._ready = None

    def remove(self, memory_id: bytes) -> None:
        """Takes one memory out, and what it says of others, if it is there."""
        self.link(memory_id, ())
        slot = self._slots.pop(memory_id, None)
        if slot is not None:
            self._columns.give(slot)
            self._words.remove(slot)
            self._entities.remove(slot)
            self._numbers.remove(slot)
            self._fields.remove(slot)
            self._ready = None

    def vector(self, memory_id: bytes) -> Floats:
        """Of a memory that is there; zero if it has none."""
        row: Floats = self._columns.vectors[self._slots[memory_id]]
        return row

    def count(self, corpus: Corpus, asked: Asked) -> None:
        """Adds this index to a corpus."""
        if not self._slots:
            return
        ready = self._made_ready()
        corpus.documents += len(self._slots)
        corpus.words += ready.words
        corpus.newest = max(corpus.newest, int(ready.table["time"].max()))
        for term in asked.terms:
            corpus.holders[term] = corpus.holders.get(term, 0) + self._words.holders(term)
        for entity in asked.entities:
            corpus.holders[f" {entity}"] = corpus.holders.get(f" {entity}", 0) + self._entities.holders(entity)

    def signals(self, asked: Asked, rarity: Mapping[str, float], corpus: Corpus) -> Signals:
        """Of every memory here. ``rarity``: of the question's terms, and of its entities behind a space."""
        ready = self._made_ready()
        table, layout = ready.table, ready.layout
        cosine = np.vecdot(self._columns.vectors, asked.vector)[ready.slots].astype(np.float32)
        embedded = self._columns.embedded[ready.slots]
        cosine[~embedded] = cosine[embedded].min() if embedded.any() else 0.0
        own, near = self._lexical(asked, rarity, corpus, ready)
        column = {
            "dense": cosine,
            "dense_near": layout.around(cosine, DENSE_SHARES),
            "dense_linked": ready.linked.best(cosine),
            "words": own,
            "words_near": near,
            "words_linked": ready.linked.best(own),
            "thread": layout.of_thread(near),
            "author": self._authors(asked)[table["author"]],
            "entities": self._shared_entities(asked, rarity, ready),
            "dates": _in_spans(table["time"], asked.spans(corpus.newest)),
            "structure": self._structure(asked, rarity, corpus, ready),
            "answers": asked.wants_time * table["timed"] + asked.wants_number * table["counted"],
            "length": np.log1p(table["spoken"]),
            "question": table["question"],
        }
        values = np.stack([np.asarray(column[name], np.float32) for name in SIGNALS], axis=1)
        similarity = np.where(embedded, cosine, np.float32(np.nan)).astype(np.float32)
        return Signals(ready.ids, values, similarity, table["importance"], table["time"])

    def _lexical(self, asked: Asked, rarity: Mapping[str, float], corpus: Corpus, ready: _Ready) -> tuple[Floats, Floats]:
        """BM25 of each memory by itself, and with shares of its neighbours' words."""
        layout = ready.layout
        mean = corpus.words / max(1, corpus.documents)
        norm = K1 * (1 - B + B * ready.length / max(1.0, mean))
        own, near = np.zeros(len(ready.ids), np.float32), np.zeros(len(ready.ids), np.float32)
        for term, times in asked.terms.items():
            slots, counts = self._words.postings(term)
            if not len(slots):
                continue
            held = np.zeros(len(ready.ids), np.float32)
            held[ready.position[slots]] = counts
            weight = times * rarity[term] * (K1 + 1)
            own += weight * held / (held + norm)
            held += layout.around(held, WORDS_SHARES)
            near += weight * held / (held + norm)
        return own, near

    def _authors(self, asked: Asked) -> Floats:
        """Whether the question names someone, for each set of authors."""
        return np.array([not names.isdisjoint(asked.words) for names in self._columns.author_sets], np.float32)

    def _shared_entities(self, asked: Asked, rarity: Mapping[str, float], ready: _Ready) -> Floats:
        shared = np.zeros(len(ready.ids), np.float32)
        whole = sum(rarity[f" {entity}"] for entity in asked.entities)
        for entity in asked.entities:
            slots, _ = self._entities.postings(entity)
            if len(slots):
                shared[ready.position[slots]] += rarity[f" {entity}"] / whole
        return shared

    def _structure(self, asked: Asked, rarity: Mapping[str, float], corpus: Corpus, ready: _Ready) -> Floats:
        """How near the numbers as a whole are, or the fields one by one: what speaks more for a memory."""
        near = np.zeros(len(ready.ids), np.float32)
        unheard = rarest(corpus.documents)
        slots, scores = self._fields.search({term: rarity[term] or unheard for term in asked.terms}, asked.numbers)
        near[ready.position[slots]] = scores
        slots, scores = self._numbers.search(asked.numbers)
        near[ready.position[slots]] = np.maximum(near[ready.position[slots]], scores)
        return near

    def _made_ready(self) -> _Ready:
        if self._ready is None:
            self._ready = _ready(self._columns, self._slots, [link for links in self._links.values() for link in links])
        return self._ready


@dataclass(frozen=True, slots=True)
class _Ready:
    """The documents in the order of the layout, until one changes.

    ``position``: by slot. ``length``: words, with the neighbours' shares. ``words``: their exact sum, the same in any order.
    """

    layout: Layout
    ids: list[bytes]
    slots: NDArray[np.int64]
    position: NDArray[np.int64]
    table: NDArray[np.void]
    length: Floats
    words: float
    linked: Linked


def _ready(columns: Columns, slots_of: Mapping[bytes, int], links: Sequence[Link]) -> _Ready:
    ids, slots = list(slots_of), np.fromiter(slots_of.values(), np.int64, len(slots_of))
    table = columns.table[slots]
    place = np.stack([table["block"], table["index"]])
    layout = laid_out(table["thread"], table["gap"], table["time"], place, table["tie"])
    position = np.zeros(len(columns.table), np.int64)
    position[slots[layout.order]] = np.arange(len(ids))
    table = table[layout.order]
    length = table["words"] + layout.around(table["words"].astype(np.float32), WORDS_SHARES)
    named = [ids[i] for i in layout.order.tolist()]
    linked = joined(links, {memory_id: at for at, memory_id in enumerate(named)} if links else {})
    return _Ready(layout, named, slots[layout.order], position, table, length, math.fsum(length.tolist()), linked)


def _in_spans(time: NDArray[np.int64], spans: list[tuple[int, int]]) -> Floats:
    """1 inside of a span, less and less within NEARLY seconds of it."""
    best = np.zeros(len(time), np.float32)
    for begin, end in spans:
        beside = np.maximum(np.maximum(begin - time, time - (end - 1)), 0)
        best = np.maximum(best, np.clip(1.0 - beside / NEARLY, 0.0, 1.0).astype(np.float32))
    return best

"""Answers in two levels: compressed, bounded by bytes (L2); those of hot questions beside it as they are sent (L1). Pure.

XXH3-64 of a question, with a seed of this process, finds its entry; the question itself decides, so that no question can be
made to fetch the answer of another one. An entry is served only if it is younger than the time to live and ``fresh`` says so of
the stamp it was put with; else it is dropped then and there, so that one question has one entry at most.
Invariants:
  * a look-up is exactly one of L1_HIT, L2_HIT, ABSENT, EXPIRED, STALE;
  * bytes held never exceed the limit: a quarter is L1's, the rest L2's. L2 evicts by last access, until what is needed and a
    tenth of its room are free; an entry in L1 is one in L2 too, and a hit in either counts as access to both;
  * after ``purge(agent)`` no answer of that agent is held, nor taken from a computation that began before.
Not safe for threads: it belongs to the event loop.
"""

from __future__ import annotations

import secrets
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import zstandard
from xxhash import xxh3_64_intdigest

from streams.serving.cache.frequency import Frequency

S = TypeVar("S")
HOT = 5
"""Askings above which a question is hot."""
COUNTED = 10_000
ENTRY_BYTES = 1_024
"""Python's own objects around one entry: measured by a test."""
LEVEL = 1


class Event(StrEnum):
    """What happens in a cache."""

    L1_HIT = "l1_hit"
    L2_HIT = "l2_hit"
    ABSENT = "absent"
    EXPIRED = "expired"
    STALE = "stale"
    PROMOTED = "promoted"
    L1_EVICTED = "l1_evicted"
    EVICTED = "evicted"
    SWEPT = "swept"
    REFUSED = "refused"
    PURGED = "purged"


HITS = (Event.L1_HIT, Event.L2_HIT)
MISSES = (Event.ABSENT, Event.EXPIRED, Event.STALE)


@dataclass(frozen=True, slots=True)
class Question:
    """What an answer answers. ``asked`` equals another one only if both must have the same answer in the same state."""

    agent: bytes
    asked: Hashable


@dataclass(frozen=True, slots=True)
class Limits:
    """``size``: bytes of both levels; ``hot``: entries of L1; ``ttl``: seconds."""

    size: int
    hot: int
    ttl: float

    @property
    def l1_bytes(self) -> int:
        """L1's share."""
        return self.size // 4

    @property
    def l2_bytes(self) -> int:
        """L2's share."""
        return self.size - self.l1_bytes


@dataclass(slots=True)
class _Entry(Generic[S]):
    question: Question
    stamp: S
    packed: bytes
    size: int
    born: float


class TwoLevels(Generic[S]):
    """``clock``: seconds, from any beginning; ``observe``: told of each event."""

    def __init__(self, limits: Limits, clock: Callable[[], float], observe: Callable[[Event], None] = lambda _: None) -> None:
        self.limits = limits
        self.counts: Counter[Event] = Counter()
        self.l1_bytes = self.l2_bytes = 0
        self.frequency = Frequency(COUNTED)
        self._clock = clock
        self._observe = observe
        self._entries: OrderedDict[int, _Entry[S]] = OrderedDict()
        self._ready: OrderedDict[int, bytes] = OrderedDict()
        self._of_agent: dict[bytes, set[int]] = {}
        self._seed = secrets.randbits(64)
        self._purges = 0
        self._pack = zstandard.ZstdCompressor(level=LEVEL)
        self._unpack = zstandard.ZstdDecompressor()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def hot(self) -> int:
        """Entries in L1."""
        return len(self._ready)

    @property
    def hit_rate(self) -> float:
        """Hits over look-ups since the start."""
        hits = sum(self.counts[event] for event in HITS)
        looks = hits + sum(self.counts[event] for event in MISSES)
        return hits / looks if looks else 0.0

    def look_up(self, question: Question, fresh: Callable[[S], bool]) -> bytes | None:
        """The answer, if there is one and its stamp is ``fresh``."""
        digest = self._digest(question)
        count = self.frequency.add(digest)
        entry = self._entries.get(digest)
        if entry is None or entry.question != question:
            self._count(Event.ABSENT)
            return None
        if self._clock() - entry.born >= self.limits.ttl:
            self._drop(digest)
            self._count(Event.EXPIRED)
            return None
        if not fresh(entry.stamp):
            self._drop(digest)
            self._count(Event.STALE)
            return None
        self._entries.move_to_end(digest)
        ready = self._ready.get(digest)
        if ready is not None:
            self._ready.move_to_end(digest)
            self._count(Event.L1_HIT)
            return ready
        self._count(Event.L2_HIT)
        body = self._unpack.decompress(entry.packed)
        if count > HOT:
            self._promote(digest, body)
        return body

    def ticket(self) -> int:
        """Take one before an answer is computed, and ``put`` with it."""
        return self._purges

    def put(self, question: Question, stamp: S, body: bytes, ticket: int) -> bool:
        """Keeps an answer in the place of an older one. False: it is too large, or an agent was purged since the ticket."""
        packed = self._pack.compress(body)
        size = ENTRY_BYTES + sys.getsizeof(packed) + 2 * len(repr(question.asked))
        digest = self._digest(question)
        self._drop(digest)
        if ticket != self._purges or not self._make_room(size):
            self._count(Event.REFUSED)
            return False
        self._entries[digest] = _Entry(question, stamp, packed, size, self._clock())
        self._of_agent.setdefault(question.agent, set()).add(digest)
        self.l2_bytes += size
        return True

    def purge(self, agent: bytes) -> int:
        """Forgets every answer of the agent, and how often it was asked for; how many there were."""
        self._purges += 1
        digests = list(self._of_agent.get(agent, ()))
        for digest in digests:
            self._drop(digest)
            self.frequency.drop(digest)
            self._count(Event.PURGED)
        return len(digests)

    def sweep(self) -> int:
        """Takes out what has outlived its time; how many."""
        now = self._clock()
        old = [digest for digest, entry in self._entries.items() if now - entry.born >= self.limits.ttl]
        for digest in old:
            self._drop(digest)
            self._count(Event.SWEPT)
        return len(old)

    def resize(self, limits: Limits) -> None:
        """Other limits, from now on."""
        self.limits = limits
        while self.l2_bytes > limits.l2_bytes:
            self._evict()
        while self.l1_bytes > limits.l1_bytes or len(self._ready) > limits.hot:
            self._demote()

    def top(self, limit: int) -> list[tuple[int, int]]:
        """(name, askings) of the questions asked for most; the name tells nothing of the question."""
        return self.frequency.top(limit)

    def _digest(self, question: Question) -> int:
        text = repr(question.asked).encode("utf-8", "surrogatepass")
        return xxh3_64_intdigest(question.agent + text, seed=self._seed)

    def _count(self, event: Event) -> None:
        self.counts[event] += 1
        self._observe(event)

    def _make_room(self, size: int) -> bool:
        room = self.limits.l2_bytes
        if size > room - room // 10:
            return False
        if self.l2_bytes + size > room:
            while self.l2_bytes + size > room - room // 10:
                self._evict()
        return True

    def _evict(self) -> None:
        self._drop(next(iter(self._entries)))
        self._count(Event.EVICTED)

    def _promote(self, digest: int, body: bytes) -> None:
        size = sys.getsizeof(body)
        if size > self.limits.l1_bytes or self.limits.hot < 1:
            return
        self._ready[digest] = body
        self.l1_bytes += size
        self._count(Event.PROMOTED)
        while self.l1_bytes > self.limits.l1_bytes or len(self._ready) > self.limits.hot:
            self._demote()

    def _demote(self) -> None:
        _, body = self._ready.popitem(last=False)
        self.l1_bytes -= sys.getsizeof(body)
        self._count(Event.L1_EVICTED)

    def _drop(self, digest: int) -> None:
        entry = self._entries.pop(digest, None)
        if entry is None:
            return
        self.l2_bytes -= entry.size
        owned = self._of_agent[entry.question.agent]
        owned.discard(digest)
        if not owned:
            del self._of_agent[entry.question.agent]
        body = self._ready.pop(digest, None)
        if body is not None:
            self.l1_bytes -= sys.getsizeof(body)

"""What is asked of the finder. Hashable: equal requests at the same state of memory have equal answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.records import Memory, MemoryType
from streams.core.moment import Moment
from streams.ports.stores import MemoryFilter
from streams.serving.context.order import Order
from streams.serving.context.render import Style
from streams.serving.context.window import Priority, Semantic, Window


@dataclass(frozen=True, slots=True)
class Only:
    """Which memories may be used at all. ``types`` and ``tags``, sorted: any of them. Times are unix seconds, inclusive."""

    types: tuple[MemoryType, ...] | None = None
    tags: tuple[str, ...] | None = None
    min_importance: float = 0.0
    since: int | None = None
    until: int | None = None

    def admits(self, memory: Memory) -> bool:
        """Whether the memory passes."""
        return (
            (self.types is None or memory["type"] in self.types)
            and (self.tags is None or not set(self.tags).isdisjoint(memory["tags"]))
            and memory["importance"] >= self.min_importance
            and (self.since is None or memory["timestamp"] >= self.since)
            and (self.until is None or memory["timestamp"] <= self.until)
        )

    def filter(self, window: Window | None = None) -> MemoryFilter:
        """The same for the store, with what it can know of the window: a superset of what both admit."""
        tags, least = self.tags, self.min_importance
        if isinstance(window, Semantic) and tags is None:
            tags = window.tags
        if isinstance(window, Priority):
            least = max(least, window.least)
        return MemoryFilter(
            types=None if self.types is None else frozenset(self.types),
            tags=None if tags is None else frozenset(tags),
            min_importance=least,
            since=self.since,
            until=self.until,
        )


EVERYTHING = Only()


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """A question, a window, or both.

    ``query`` None: the window itself, newest first, and from ``cursor`` on older ones. With a question the window says which
    memories may answer it. ``min_similarity`` None takes the server's setting; ``max_tokens`` can only lower its limit.
    ``truncate``: one memory that is too long may be cut. ``when`` None is now. ``zone``: marks of the session asked about; of
    none, what lies in no session is meant.
    """

    agent: bytes
    query: str | None = None
    max_results: int = 10
    min_similarity: float | None = None
    max_tokens: int | None = None
    window: Window | None = None
    only: Only = EVERYTHING
    cursor: str | None = None
    order: Order = "score"
    render: Style | None = None
    truncate: bool = False
    when: Moment | None = None
    zone: frozenset[bytes] = frozenset()


Admits = Callable[[Memory], bool]

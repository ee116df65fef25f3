"""All events of the graph that a gateway holds, by source and edge, in canonical order.

Each event carries what the edge's events up to it add up to, so an edge as of any block is its newest visible event.
Memory is bounded: beyond ``limit`` events, old ones are let go where a newer final event of the same edge stands, then edges
that have faded out of sight; what was true before ``horizon`` is then not known any more. Kept in any case: of each edge in
sight and of each agent's transactions the newest final event, and what believed registries said. Where that alone is too much,
the table is full.
Invariant: an event that the log took back leaves the table when its tombstone is read; before that the chain view hides it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator

from streams.core.graph.snapshot import Kind
from streams.core.graph.tally import FAINT, faded
from streams.errors import ConfigurationError, MonmouthError
from streams.serving.graph.events import Event

ROOM = 10
"""Looking through everything is put off until a tenth more than the limit is there, so that it is seldom done."""
Visible = Callable[[Event], bool]
EdgeName = tuple[Kind, bytes]


class GraphTable:
    """``final``: height up to which blocks are final, None if not known; asked when room must be made."""

    def __init__(self, limit: int, final: Callable[[], int | None]) -> None:
        self.horizon = 0
        self.version = 0
        self._limit = limit
        self._final = final
        self._edges: dict[bytes, dict[EdgeName, list[Event]]] = {}
        self._names: dict[bytes, tuple[bytes, EdgeName]] = {}
        self._sent: dict[bytes, list[Event]] = {}
        self._said: list[Event] = []
        self._superseded: deque[tuple[int, Event]] = deque()
        self._thinned: set[tuple[bytes, EdgeName]] = set()

    def __len__(self) -> int:
        return len(self._names)

    @property
    def sources(self) -> list[bytes]:
        """Agents with events."""
        return list(self._edges)

    def put(self, event: Event) -> None:
        """Adds an event; one that is there already is replaced. Raises ConfigurationError if there is no room."""
        self.version += 1
        self.remove(event.id)
        events = self._edges.setdefault(event.source, {}).setdefault(event.edge, [])
        insort(events, event)
        if events[-1] is event and len(events) > 1:
            self._superseded.append((event.number, events[-2]))
            if len(self._superseded) > 2 * self._limit:  # what was undone, and done again, is in it many times
                newest = {old.id: (number, old) for number, old in self._superseded if old.id in self._names}
                self._superseded = deque(sorted(newest.values()))
        self._names[event.id] = event.source, event.edge
        if event.standing is not None:
            insort(self._sent.setdefault(event.source, []), event)
        if event.said is not None:
            insort(self._said, event)
        if len(self._names) > self._limit:
            self._make_room()

    def remove(self, event_id: bytes) -> None:
        """Takes an event out; one that is not there is not missed. Raises MonmouthError if the edge is not known any more."""
        name = self._names.pop(event_id, None)
        if name is None:
            return
        self.version += 1
        source, edge = name
        event = next(event for event in reversed(self._edges[source][edge]) if event.id == event_id)
        self._drop(event)
        if edge not in self._edges.get(source, {}) and name in self._thinned:
            raise MonmouthError(
                "a reorganisation went below what the gateway kept of the graph",
                "Start the gateway again: it reads the log anew.",
            )

    def _drop(self, event: Event) -> None:
        edges = self._edges[event.source]
        _take_out(edges[event.edge], event)
        if not edges[event.edge]:
            del edges[event.edge]
        if not edges:
            del self._edges[event.source]
        if event.standing is not None:
            _take_out(self._sent[event.source], event)
            if not self._sent[event.source]:
                del self._sent[event.source]
        if event.said is not None:
            _take_out(self._said, event)

    def newest(self, source: bytes, visible: Visible) -> Iterator[Event]:
        """Of each edge of ``source``, the newest event that is visible."""
        for events in self._edges.get(source, {}).values():
            found = next((event for event in reversed(events) if visible(event)), None)
            if found is not None:
                yield found

    def sent(self, source: bytes, visible: Visible) -> list[Event]:
        """Events of the transactions of ``source``, oldest first."""
        return [event for event in self._sent.get(source, ()) if visible(event)]

    def said(self, visible: Visible) -> list[Event]:
        """What believed registries said, oldest first."""
        return [event for event in self._said if visible(event)]

    def _make_room(self) -> None:
        final = self._final()
        line = -1 if final is None else final
        while len(self._names) > self._limit and self._superseded and self._superseded[0][0] <= line:
            event = self._superseded.popleft()[1]
            if event is self._last_sent(event.source, line):
                self._superseded.append((line + 1, event))
            elif self._may_go(event, line):
                self._let_go(event)
                self._thinned.add((event.source, event.edge))
        if len(self._names) <= self._limit + self._limit // ROOM:
            return
        for event in list(self._faint(line)):
            self._let_go(event)
            self._thinned.discard((event.source, event.edge))
        if len(self._names) > self._limit:
            raise ConfigurationError(
                f"the graph has more than {self._limit} events that cannot be let go",
                "Set graph.max_events higher, where the gateway has the memory for it (about 1.5 KiB an event).",
            )

    def _let_go(self, event: Event) -> None:
        self.horizon = max(self.horizon, event.number + 1)
        del self._names[event.id]
        self._drop(event)

    def _may_go(self, event: Event, final: int) -> bool:
        """Whether it is still there, a later final event of its edge stands, and nothing else needs it."""
        if event.id not in self._names or event.said is not None:
            return False
        events = self._edges[event.source][event.edge]
        after = bisect_left(events, event) + 1
        return after < len(events) and events[after].number <= final

    def _faint(self, final: int) -> Iterator[Event]:
        """The last events of edges that have faded out of sight. One that comes later carries all that these said."""
        now = max((events[-1].timestamp for events in self._sent.values() if events[-1].number <= final), default=0)
        for source, edges in self._edges.items():
            last_sent = self._last_sent(source, final)
            for event, *more in edges.values():
                kept = more or event.number > final or event.said is not None or event is last_sent
                if not kept and faded(event.tally.weight, now - event.timestamp) < FAINT:
                    yield event

    def _last_sent(self, source: bytes, final: int) -> Event | None:
        return next((event for event in reversed(self._sent.get(source, ())) if event.number <= final), None)


def _take_out(events: list[Event], event: Event) -> None:
    del events[bisect_left(events, event)]

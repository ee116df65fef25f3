"""What the graph keeps in LocalState: for each edge and each agent a stack, one entry an event, newest on top.

An entry holds what everything up to that event adds up to, so taking an event back is taking its entry off: exact, though
weights and reputations are rounded. Keys (numbers are u64, big-endian):
  ``e`` + edge + number -> mark (16 bytes), tally;  ``n`` + edge -> how many, where edge = agent (20), kind (1), target;
  ``s`` + agent + number -> mark, page;             ``c`` + agent -> how many;
  ``i`` + agent + number -> a statement in a registry, as JSON;
  ``d`` -> sum modulo 2^256 of the ids of all events that stand, little-endian.
Invariants: ``pop`` after ``push`` restores the bytes; an event is popped only if its mark lies on top. Nothing is pruned, as an
undo may reach below finality: a transaction leaves about 400 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

import orjson

from streams.agents.base import LocalState
from streams.core.block import BlockRef
from streams.core.graph.identity import Said
from streams.core.graph.standing import Standing
from streams.core.graph.tally import Tally

MARK = 16
VOLUME = 40
_TALLY = Struct(f">{MARK}sQ{VOLUME}sQQqq")
_PAGE = Struct(f">{MARK}sq32s32sQQQQQ{VOLUME}sQqqIQq")
_DIGEST = b"d"
_MODULUS = 2**256


@dataclass(frozen=True, slots=True)
class Page:
    """An agent after one of its transactions, which lies in ``block``. ``edges``: kept apart; ``statements``: in registries."""

    block: BlockRef
    standing: Standing
    edges: int = 0
    statements: int = 0
    feedback: int = 0


class Books:
    """A view of one partition's LocalState."""

    def __init__(self, state: LocalState) -> None:
        self._state = state

    def tally(self, edge: bytes) -> Tally | None:
        """What the edge's events add up to."""
        count = self._count(b"n" + edge)
        if not count:
            return None
        _, events, volume, weight, strength, first, last = _TALLY.unpack(self._entry(b"e" + edge, count))
        return Tally(events, int.from_bytes(volume, "big"), weight, strength, first, last)

    def push_tally(self, edge: bytes, event: bytes, tally: Tally) -> None:
        """Notes an event."""
        volume = tally.volume.to_bytes(VOLUME, "big")
        entry = (event[:MARK], tally.events, volume, tally.weight, tally.strength, tally.first, tally.last)
        self._push(b"n", b"e", edge, _TALLY.pack(*entry))

    def pop_tally(self, edge: bytes, event: bytes) -> bool:
        """Takes an event back, if it is the newest of this edge."""
        return self._pop(b"n", b"e", edge, event)

    def page(self, agent: bytes) -> Page | None:
        """The agent as it stands."""
        count = self._count(b"c" + agent)
        if not count:
            return None
        _, number, block, parent, sent, failed, whale, complex_ops, gas, volume, reputation, first, last, edges, said, given = (
            _PAGE.unpack(self._entry(b"s" + agent, count))
        )
        standing = Standing(sent, failed, whale, complex_ops, gas, int.from_bytes(volume, "big"), reputation, first, last)
        return Page(BlockRef(number, block, parent), standing, edges, said, given)

    def push_page(self, agent: bytes, event: bytes, page: Page) -> None:
        """Notes a transaction."""
        of, block = page.standing, page.block
        entry = _PAGE.pack(
            event[:MARK], block.number, block.hash, block.parent,
            of.transactions, of.failures, of.whale, of.complex_ops, of.gas, of.volume.to_bytes(VOLUME, "big"),
            of.reputation, of.first, of.last, page.edges, page.statements, page.feedback,
        )  # fmt: skip
        self._push(b"c", b"s", agent, entry)

    def pop_page(self, agent: bytes, event: bytes) -> bool:
        """Takes a transaction back, if it is the agent's newest; its statements go too."""
        page = self.page(agent)
        if page is None or not self._pop(b"c", b"s", agent, event):
            return False
        before = self.page(agent)
        for number in range(before.statements if before else 0, page.statements):
            self._state.delete(b"i" + agent + _number(number))
        return True

    def put_statement(self, agent: bytes, number: int, said: Said) -> None:
        """Keeps the ``number``-th statement, from 0."""
        token = None if said.token is None else said.token.hex()
        self._state.put(b"i" + agent + _number(number), orjson.dumps([said.event, dict(said.arguments), token]))

    def statements(self, agent: bytes, start: int, end: int) -> Iterator[Said]:
        """Statements from ``start`` to before ``end``."""
        for number in range(start, end):
            event, arguments, token = orjson.loads(self._state.get(b"i" + agent + _number(number)) or b"[]")
            yield Said(event, arguments, None if token is None else bytes.fromhex(token))

    @property
    def digest(self) -> bytes:
        """Of all events that stand."""
        return self._state.get(_DIGEST) or bytes(32)

    def count(self, event: bytes, sign: int) -> None:
        """Adds an event to the digest, or takes it out."""
        total = (int.from_bytes(self.digest, "little") + sign * int.from_bytes(event, "little")) % _MODULUS
        if total:
            self._state.put(_DIGEST, total.to_bytes(32, "little"))
        else:
            self._state.delete(_DIGEST)

    def _count(self, key: bytes) -> int:
        return int.from_bytes(self._state.get(key) or b"", "big")

    def _entry(self, stack: bytes, number: int) -> bytes:
        entry = self._state.get(stack + _number(number))
        assert entry is not None
        return entry

    def _push(self, counts: bytes, entries: bytes, name: bytes, entry: bytes) -> None:
        count = self._count(counts + name) + 1
        self._state.put(entries + name + _number(count), entry)
        self._state.put(counts + name, _number(count))

    def _pop(self, counts: bytes, entries: bytes, name: bytes, event: bytes) -> bool:
        count = self._count(counts + name)
        if not count or not self._entry(entries + name, count).startswith(event[:MARK]):
            return False
        self._state.delete(entries + name + _number(count))
        if count > 1:
            self._state.put(counts + name, _number(count - 1))
        else:
            self._state.delete(counts + name)
        return True


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")

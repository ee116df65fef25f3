"""Sessions of the agents of one partition: commands to facts about their memories, and the latest record of each session.

Keys of local state: ``s`` + agent (20) + session id (16): the Session record in wire form; ``n`` + agent + session id + number
(8, big-endian, in order of arrival): a Memory the session holds, in wire form; ``o`` + agent + memory id (32): where it lies,
or session id and GONE for one that it held and lost; ``g`` + agent + session id + memory id: which of these there are.
Invariants:
  * what a session holds is a function of the commands of its agent in log order, and of when the broker took a close for being
    over its time (``expiry``): no clock, no block;
  * a memory that a session takes lives in the log as any other, marked with the session; when the session ends with promotion,
    a copy that is no session's takes its place in the same transaction, else it is deleted; nothing else is left behind;
  * a command sent again takes nothing a second time, also of what the session has lost meanwhile.
Assumes a session's memories are forgotten by command: a transaction that forgets one does not keep it from being promoted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from schemas.codec import codec
from schemas.records import Memory, MemoryCommand, MemoryFact, MemoryType, Session
from streams import topics
from streams.agents.base import Emit, LocalState
from streams.agents.expiry import is_due, says_expired
from streams.agents.memory_facts import delete_fact, upsert_fact
from streams.agents.memory_limits import MAX_TAGS, MAX_TIMESTAMP
from streams.core import session as rules
from streams.core.ids import command_cause, content_id
from streams.core.session import SessionRefused
from streams.errors import PoisonError
from streams.signing import Signer, Verifier, row_holds, signed_row

MOST_ENDED = 64
"""Ended sessions an agent's records are kept of."""
GONE = b"\xff" * 8
PASSING: frozenset[MemoryType] = frozenset({"SHORT_TERM", "WORKING"})
"""Types that become LONG_TERM when a session's memory is kept."""


def promoted_id(agent: bytes, session_id: bytes, memory_id: bytes) -> bytes:
    """Names what stays of a session's memory."""
    return content_id("monmouth/memory/promoted", agent, session_id, memory_id)


class Sessions:
    """Sessions of one partition, in ``state``."""

    def __init__(self, state: LocalState, signer: Signer | None = None) -> None:
        """``signer``: stands behind the records that are published."""
        self._state = state
        self._signer = signer
        self._touched: dict[bytes, Session | None] = {}

    def concern(self, command: MemoryCommand) -> bool:
        """Whether a command is about a session, or about a memory that one holds."""
        if command["op"] == "FORGET":  # whatever session it names: what it forgets says where that lies
            return self._place(command["agent"], command["memory_id"] or b"") is not None
        return command["session"] is not None or command["op"].startswith("SESSION_")

    def of(self, agent: bytes, session_id: bytes) -> Session | None:
        """One session."""
        wire = self._state.get(b"s" + agent + session_id)
        return None if wire is None else cast("Session", codec().decode(wire)[1])

    def facts(self, command: MemoryCommand, stored: list[MemoryFact], appended: int = 0) -> list[MemoryFact]:
        """Facts of a command that concerns a session. ``stored``: those it leads to without one. Raises PoisonError.

        ``appended``: when the broker took it, in unix seconds; 0: not known.
        """
        before = dict(self._touched)
        try:
            return list(self._facts(command, stored, appended))
        except SessionRefused as refused:
            self._touched = before
            raise PoisonError(f"{command['op']}: {refused}", "Open a session, or leave the session out.") from None

    def erase(self, agent: bytes) -> None:
        """Leaves nothing of the agent's sessions; their records become tombstones."""
        for kind in (b"n", b"o", b"g", b"s"):
            for key, _ in list(self._state.scan(kind + agent)):
                self._state.delete(key)
                if kind == b"s":
                    self._touched[key[1:]] = None

    def touched(self) -> Iterator[Emit]:
        """Sessions that changed since the last call, as they are now."""
        for key, session in self._touched.items():
            if session is None:
                yield Emit(topics.SESSIONS, key, "Session", None)
                continue
            yield Emit(topics.SESSIONS, key, "Session", signed_row("Session", session, self._signer))
        self._touched = {}

    def _facts(self, command: MemoryCommand, stored: list[MemoryFact], appended: int) -> Iterator[MemoryFact]:
        agent, session_id, now = command["agent"], command["session"], command["timestamp"]
        if command["op"] == "FORGET":
            self._forget(agent, command["memory_id"] or b"")
            yield from stored
            return
        if session_id is None:
            raise SessionRefused("no session is named")
        if not 0 <= now <= MAX_TIMESTAMP:  # and what is counted from it fits a record
            raise SessionRefused(f"timestamp {now} is not in unix seconds")
        if command["op"] == "SESSION_OPEN":
            yield from self._open(command, session_id, appended)
            return
        session = self._known(agent, session_id)
        rules.demand_author(session, command["author"], stores=command["op"] == "STORE")
        terms: dict[str, Any] = {**(command["session_terms"] or {})}
        match command["op"]:
            case "STORE":
                yield from self._store(command, session, stored)
            case "SESSION_CHANGE":
                yield from self._cut(command, self._put(rules.changed(dict(session), terms, now)))
            case "SESSION_MERGE":
                yield from self._merge(command, session, terms.get("merge_from"))
            case "SESSION_CLOSE":
                due = not says_expired(command) or is_due(command, session, appended)
                if session["state"] == rules.OPEN and due:
                    keep = terms.get("promote")
                    yield from self._end(command, session, session["promote"] if keep is None else bool(keep), appended)
            case other:
                raise SessionRefused(f"{other} is nothing a session takes part in")

    def _open(self, command: MemoryCommand, session_id: bytes, appended: int) -> Iterator[MemoryFact]:
        agent = command["agent"]
        if command["author"] not in (None, agent):
            raise SessionRefused("a session is its owner's to open")
        if self.of(agent, session_id) is not None:
            return  # sent again
        session = rules.opened(session_id, agent, command["session_terms"], command["timestamp"])
        for oldest in rules.to_close([dict(found) for found in self._all(agent) if found["state"] == rules.OPEN]):
            yield from self._end(command, cast("Session", oldest), oldest["promote"], appended)
        self._put(session)

    def _store(self, command: MemoryCommand, session: Session, stored: list[MemoryFact]) -> Iterator[MemoryFact]:
        agent = session["agent"]
        (fact,) = stored
        memory = fact["memory"]
        assert memory is not None
        if self._state.get(b"o" + agent + memory["id"]) is not None:
            return  # sent again
        if memory["subject"] is not None or memory["edges"]:
            raise SessionRefused("what is said in a session bears on nothing outside of it: no statements, no edges")
        after = rules.taken(dict(session), command["timestamp"])
        author = command["author"]
        held: Memory = {**memory, "source": "SESSION", "session": session["id"]}
        if author not in (None, agent):
            assert author is not None
            if len(memory["tags"]) >= MAX_TAGS:
                raise SessionRefused(f"of a collaborator it has at most {MAX_TAGS - 1} tags, since one more names its author")
            held["tags"] = [*memory["tags"], f"by:0x{author.hex()}"]
        self._hold(session["id"], after["taken"], held)
        yield {**fact, "memory": held}
        yield from self._cut(command, self._put(after))

    def _merge(self, command: MemoryCommand, into: Session, source: bytes | None) -> Iterator[MemoryFact]:
        now = command["timestamp"]
        after = rules.changed(dict(into), {}, now)
        if source is None or source == into["id"]:
            raise SessionRefused("merge_from names no other session")
        other = self._known(into["agent"], source)
        if other["state"] == rules.MERGED and other["merged_into"] == into["id"]:
            return  # sent again
        gone = rules.ended(dict(other), now, into["id"])
        sessions = self._all(into["agent"])
        if sum(len(rules.zones(sessions, one["id"])) for one in (into, other)) - 1 > rules.MOST_MERGED:
            raise SessionRefused(f"a session takes over at most {rules.MOST_MERGED} others")
        for key, memory in list(self._held(other)):
            self._state.delete(key)
            after = {**after, "count": after["count"] + 1, "taken": after["taken"] + 1}
            self._hold(into["id"], after["taken"], memory)
        for key, memory_id in list(self._lost(other)):  # what one has lost, the other does not take either
            self._state.delete(key)
            self._mark_lost(into["agent"], into["id"], memory_id)
        self._put(gone)
        self._let_go(into["agent"])
        yield from self._cut(command, self._put(after))

    def _end(self, command: MemoryCommand, session: Session, keep: bool, appended: int) -> Iterator[MemoryFact]:
        cause = command_cause(command["agent"], command["id"])
        for key, memory in list(self._held(session)):
            if keep:
                yield upsert_fact(cause, _promoted(memory, session["id"], appended), None)
            self._state.delete(key)
            self._state.delete(b"o" + memory["agent"] + memory["id"])
            yield delete_fact(cause, memory["agent"], memory["id"], None)
        for key, memory_id in list(self._lost(session)):
            self._state.delete(key)
            self._state.delete(b"o" + session["agent"] + memory_id)
        self._put(rules.ended(dict(session), command["timestamp"]))
        self._let_go(session["agent"])

    def _let_go(self, agent: bytes) -> None:
        """Of the sessions that ended first, beyond those that are kept, unless an open one holds memories with their mark."""
        sessions = self._all(agent)
        live = {mark for found in sessions if found["state"] == rules.OPEN for mark in rules.zones(sessions, found["id"])}
        over = [found for found in sessions if found["id"] not in live]
        for old in sorted(over, key=lambda found: (found["ended"] or 0, found["id"]))[:-MOST_ENDED]:
            self._state.delete(b"s" + agent + old["id"])
            self._touched[agent + old["id"]] = None

    def _cut(self, command: MemoryCommand, session: Session) -> Iterator[MemoryFact]:
        """Drops the oldest memories beyond the limit."""
        many = rules.surplus(dict(session))
        if many:
            cause = command_cause(command["agent"], command["id"])
            held = self._held(session)
            for key, memory in [next(held) for _ in range(many)]:
                self._lose(key, memory["agent"], memory["id"])
                yield delete_fact(cause, memory["agent"], memory["id"], None)
            self._put({**session, "count": session["count"] - many})

    def _forget(self, agent: bytes, memory_id: bytes) -> None:
        place = self._place(agent, memory_id)
        assert place is not None
        session = self._known(agent, place[:16])
        self._lose(b"n" + agent + place, agent, memory_id)
        self._put({**session, "count": session["count"] - 1})

    def _lose(self, key: bytes, agent: bytes, memory_id: bytes) -> None:
        self._state.delete(key)
        self._mark_lost(agent, key[21:37], memory_id)

    def _mark_lost(self, agent: bytes, session_id: bytes, memory_id: bytes) -> None:
        self._state.put(b"o" + agent + memory_id, session_id + GONE)
        self._state.put(b"g" + agent + session_id + memory_id, b"")

    def _lost(self, session: Session) -> Iterator[tuple[bytes, bytes]]:
        """Key and memory id of what it held and lost."""
        prefix = b"g" + session["agent"] + session["id"]
        for key, _ in self._state.scan(prefix):
            yield key, key[len(prefix) :]

    def _hold(self, session_id: bytes, number: int, memory: Memory) -> None:
        place = session_id + number.to_bytes(8, "big")
        self._state.put(b"n" + memory["agent"] + place, codec().encode("Memory", memory))
        self._state.put(b"o" + memory["agent"] + memory["id"], place)

    def _held(self, session: Session) -> Iterator[tuple[bytes, Memory]]:
        for key, wire in self._state.scan(b"n" + session["agent"] + session["id"]):
            yield key, cast("Memory", codec().decode(wire)[1])

    def _place(self, agent: bytes, memory_id: bytes) -> bytes | None:
        place = self._state.get(b"o" + agent + memory_id)
        return None if place is None or place.endswith(GONE) else place

    def _all(self, agent: bytes) -> list[Session]:
        return [cast("Session", codec().decode(wire)[1]) for _, wire in self._state.scan(b"s" + agent)]

    def _known(self, agent: bytes, session_id: bytes) -> Session:
        session = self.of(agent, session_id)
        if session is None:
            raise SessionRefused("there is no such session")
        return session

    def _put(self, session: object) -> Session:
        after = cast("Session", session)
        key = after["agent"] + after["id"]
        self._state.put(b"s" + key, codec().encode("Session", after))
        self._touched[key] = after
        return after


def _promoted(memory: Memory, session_id: bytes, appended: int) -> Memory:
    """What stays, which is known from the session's end on."""
    name = promoted_id(memory["agent"], session_id, memory["id"])
    origin: Memory = {**memory, "id": name, "source": "COMMAND", "known_at": appended or None}
    if origin["type"] in PASSING:
        origin["type"] = "LONG_TERM"
    return origin


def vouched_for(session: Session, trusted: Verifier) -> bool:
    """Whether a worker that is trusted wrote it."""
    return row_holds("Session", session, trusted)

"""Ephemeral zones: what a session may become, as pure functions of its state and one command.

Assumes times are what commands claim; nothing here looks at a clock. Invariants: a session goes from OPEN to an end and never
back; it holds at most ``max_memories``, and an agent has at most ``MOST_OPEN`` open ones.
Defaults (row E1 of the feature list): one hour, 1,000 memories, 5 sessions an agent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

SECONDS, LONGEST_SECONDS = 3_600, 30 * 86_400
MEMORIES, MOST_OPEN, MOST_COLLABORATORS, LONGEST_TEXT = 1_000, 5, 16, 1_024
MOST_MERGED = 64
"""Sessions that one may have taken over, those that they had taken over included."""
OPEN, CLOSED, MERGED = "OPEN", "CLOSED", "MERGED"

Session = dict[str, Any]
"""Fields as in Session.avsc."""
Terms = Mapping[str, Any]
"""Fields as in the SessionTerms of MemoryCommand.avsc; None leaves as it is."""


class SessionRefused(ValueError):
    """A command that a session does not take; says why."""


def opened(session_id: bytes, agent: bytes, terms: Terms | None, now: int) -> Session:
    """A new session. Raises SessionRefused for terms out of range."""
    blank: Session = {
        "id": session_id,
        "agent": agent,
        "state": OPEN,
        "opened": now,
        "expires": now + SECONDS,
        "ended": None,
        "max_memories": MEMORIES,
        "collaborators": [],
        "context": "",
        "goal": "",
        "promote": True,
        "merged_into": None,
        "count": 0,
        "taken": 0,
        "signature": None,
        "sealed": None,
    }
    return changed(blank, terms or {}, now)


def changed(session: Session, terms: Terms, now: int) -> Session:
    """With the terms that are not None; ``seconds`` counts from ``now``. Raises SessionRefused."""
    _demand_open(session, now)
    wrong = _wrong(terms, session["agent"])
    if wrong:
        raise SessionRefused(wrong)
    after = dict(session)
    if terms.get("seconds") is not None:
        after["expires"] = now + terms["seconds"]
    for name in ("max_memories", "context", "goal", "promote"):
        if terms.get(name) is not None:
            after[name] = terms[name]
    if terms.get("collaborators") is not None:
        after["collaborators"] = sorted(set(terms["collaborators"]))
    return after


def _wrong(terms: Terms, agent: bytes) -> str:
    """What is out of range, or an empty text."""
    seconds, most, others = terms.get("seconds"), terms.get("max_memories"), terms.get("collaborators") or ()
    if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
        return f"a session lasts 1 to {LONGEST_SECONDS} seconds, not {seconds}"
    if most is not None and not 0 < most <= MEMORIES:
        return f"a session holds 1 to {MEMORIES} memories, not {most}"
    if len(set(others)) > MOST_COLLABORATORS or agent in others:
        return f"a session has at most {MOST_COLLABORATORS} collaborators, its owner not among them"
    if any(len(terms.get(name) or "") > LONGEST_TEXT for name in ("context", "goal")):
        return f"a context or goal longer than {LONGEST_TEXT} characters"
    return ""


def demand_author(session: Mapping[str, Any], author: bytes | None, stores: bool) -> None:
    """Whether ``author`` (None: the owner) may say this: the owner all, a collaborator STORE alone. Raises SessionRefused."""
    if author in (None, session["agent"]) or (stores and author in session["collaborators"]):
        return
    raise SessionRefused("only its owner may change a session; owner and collaborators may store in it")


def taken(session: Session, now: int) -> Session:
    """With one memory more, still to be cut to its limit. Raises SessionRefused."""
    _demand_open(session, now)
    return {**session, "count": session["count"] + 1, "taken": session["taken"] + 1}


def ended(session: Session, now: int, merged_into: bytes | None = None) -> Session:
    """Closed, or merged into another; it may have expired. Raises SessionRefused if it has ended already."""
    if session["state"] != OPEN:
        raise SessionRefused("the session has ended already")
    state = CLOSED if merged_into is None else MERGED
    return {**session, "state": state, "ended": now, "merged_into": merged_into, "count": 0}


def surplus(session: Session) -> int:
    """How many of the oldest memories have to go."""
    return max(0, int(session["count"]) - int(session["max_memories"]))


def to_close(open_sessions: Sequence[Session]) -> list[Session]:
    """Those that have to end so that one more may be opened, oldest first."""
    ordered = sorted(open_sessions, key=lambda session: (session["opened"], session["id"]))
    return ordered[: max(0, len(ordered) - MOST_OPEN + 1)]


def in_zone(memory: Mapping[str, Any]) -> bool:
    """Whether a memory lies in a session that has not ended, and shows only where that session is asked for.

    What stays of a session keeps its id, as the thread it came from, and another source.
    """
    return bool(memory["source"] == "SESSION")


def lies_in(memory: Mapping[str, Any], marks: Collection[bytes]) -> bool:
    """Whether a memory lies in a zone of these ``marks``; of none: whether it lies in no zone at all."""
    return in_zone(memory) and memory["session"] in marks if marks else not in_zone(memory)


def zones(sessions: Iterable[Mapping[str, Any]], session_id: bytes) -> frozenset[bytes]:
    """Marks that memories of this session carry: its own, and those of the sessions merged into it."""
    into, found = [(other["id"], other["merged_into"]) for other in sessions], {session_id}
    while more := {merged for merged, target in into if target in found} - found:
        found |= more
    return frozenset(found)


def is_over(session: Session, now: int) -> bool:
    """Whether it takes nothing more."""
    return bool(session["state"] != OPEN or now >= session["expires"])


def _demand_open(session: Session, now: int) -> None:
    if session["state"] != OPEN:
        raise SessionRefused("the session has ended")
    if now >= session["expires"]:
        raise SessionRefused("the session has expired")

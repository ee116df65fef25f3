"""Sessions: what they take, what they refuse, and that nothing of them is left behind when they end."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import codec
from schemas.defaults import NO_TERMS, plain_command
from schemas.records import MemoryCommand, MemoryFact, Session
from streams.agents.expiry import expiry_of
from streams.agents.memory_facts import command_facts
from streams.agents.sessions import MOST_ENDED, Sessions, promoted_id, vouched_for
from streams.core.ids import command_memory_id
from streams.core.session import LONGEST_SECONDS, MEMORIES, MOST_COLLABORATORS, MOST_MERGED, MOST_OPEN, SECONDS, in_zone, zones
from streams.errors import PoisonError
from streams.signing import Signer, Verifier
from tests.fakes import MemoryState

AGENT, FRIEND, STRANGER = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
NOW = 1_700_000_000
S1, S2 = b"\x11" * 16, b"\x12" * 16


class Zone:
    """Sessions over a dictionary, and the memories that are live."""

    def __init__(self, signer: Signer | None = None) -> None:
        self.state = MemoryState()
        self.sessions = Sessions(self.state, signer)
        self.live: dict[bytes, Any] = {}
        self.records: dict[bytes, Any] = {}

    def say(self, op: str, number: int, session: bytes | None = S1, *, now: int = NOW, **fields: Any) -> list[MemoryFact]:
        terms = {**NO_TERMS, **fields.pop("terms")} if "terms" in fields else None
        command = cast(
            "MemoryCommand",
            {
                **plain_command(number.to_bytes(16, "big"), AGENT, op, now),  # type: ignore[arg-type]
                "session": session,
                "session_terms": terms,
                **({"type": "WORKING", "content": b"note %d" % number} if op == "STORE" else {}),
                **fields,
            },
        )
        return self.take(command)

    def take(self, command: MemoryCommand) -> list[MemoryFact]:
        stored = command_facts(AGENT, command) if command["op"] in {"STORE", "FORGET"} else []
        facts = self.sessions.facts(command, stored) if self.sessions.concern(command) else stored
        for fact in facts:
            if fact["op"] == "UPSERT":
                self.live[fact["memory_id"]] = fact["memory"]
            else:
                self.live.pop(fact["memory_id"], None)
        for emit in self.sessions.touched():
            self.records[emit.key] = emit.value
            assert emit.value is None or codec().decode(codec().encode("Session", emit.value))[1] == emit.value
        return facts

    def session(self, session: bytes = S1) -> Session:
        found = self.sessions.of(AGENT, session)
        assert found is not None
        assert self.records[AGENT + session] == {**found, "signature": self.records[AGENT + session]["signature"]}
        return found

    @property
    def leftovers(self) -> list[bytes]:
        return [key for key, _ in self.state.scan(b"") if not key.startswith(b"s")]


def memory_id(number: int) -> bytes:
    return command_memory_id(AGENT, number.to_bytes(16, "big"))


@pytest.fixture
def zone() -> Zone:
    made = Zone()
    made.say("SESSION_OPEN", 1, terms={"collaborators": [FRIEND], "goal": "trade", "context": "eth"})
    return made


def test_a_session_opens_with_its_defaults_and_terms(zone: Zone) -> None:
    session = zone.session()
    assert (session["expires"], session["max_memories"], session["promote"]) == (NOW + SECONDS, MEMORIES, True)
    assert (session["collaborators"], session["goal"], session["context"]) == ([FRIEND], "trade", "eth")


def test_memories_are_marked_and_promoted_at_the_end(zone: Zone) -> None:
    zone.say("STORE", 2)
    zone.say("STORE", 3, type="SEMANTIC", author=FRIEND)
    assert {m["session"] for m in zone.live.values()} == {S1} == {m["session"] for m in zone.live.values()}
    assert zone.live[memory_id(3)]["tags"] == [f"by:0x{FRIEND.hex()}"]
    zone.say("SESSION_CLOSE", 4, now=NOW + 9)
    kept = {promoted_id(AGENT, S1, memory_id(n)): n for n in (2, 3)}
    assert set(zone.live) == set(kept)
    assert {m["content"]: (m["type"], m["source"]) for m in zone.live.values()} == {
        b"note 2": ("LONG_TERM", "COMMAND"),
        b"note 3": ("SEMANTIC", "COMMAND"),
    }
    assert (zone.session()["state"], zone.session()["ended"], zone.session()["count"]) == ("CLOSED", NOW + 9, 0)
    assert not zone.leftovers


@pytest.mark.parametrize("terms", [{}, {"promote": False}])
def test_without_promotion_nothing_stays(terms: dict[str, Any]) -> None:
    zone = Zone()
    zone.say("SESSION_OPEN", 1, terms={"promote": bool(terms)})
    zone.say("STORE", 2)
    zone.say("SESSION_CLOSE", 3, terms=terms)
    assert not zone.live and not zone.leftovers


def test_the_oldest_go_beyond_the_limit(zone: Zone) -> None:
    zone.say("SESSION_CHANGE", 2, terms={"max_memories": 2})
    for number in (3, 4, 5):
        zone.say("STORE", number)
    assert set(zone.live) == {memory_id(4), memory_id(5)} and zone.session()["count"] == 2
    assert zone.say("STORE", 3) == [], "sent again, it does not come back"
    zone.say("SESSION_CHANGE", 6, terms={"max_memories": 1})
    assert set(zone.live) == {memory_id(5)}


def test_the_oldest_session_ends_when_one_too_many_opens(zone: Zone) -> None:
    zone.say("STORE", 2)
    for number in range(MOST_OPEN):
        zone.say("SESSION_OPEN", 10 + number, bytes([40 + number]) * 16, now=NOW + 1 + number)
    assert zone.session()["state"] == "CLOSED"
    assert set(zone.live) == {promoted_id(AGENT, S1, memory_id(2))}, "and its memories are not lost"
    assert sum(record["state"] == "OPEN" for record in zone.records.values()) == MOST_OPEN


def test_extension_counts_from_the_command(zone: Zone) -> None:
    zone.say("SESSION_CHANGE", 2, now=NOW + 100, terms={"seconds": 60, "goal": "hold"})
    assert (zone.session()["expires"], zone.session()["goal"]) == (NOW + 160, "hold")
    zone.say("STORE", 3, now=NOW + 159)
    with pytest.raises(PoisonError, match="expired"):
        zone.say("STORE", 4, now=NOW + 160)
    with pytest.raises(PoisonError, match="expired"):
        zone.say("SESSION_CHANGE", 5, now=NOW + 160, terms={"seconds": 60})
    zone.say("SESSION_CLOSE", 6, now=NOW + 500)
    assert len(zone.live) == 1, "what it held when it expired is promoted when it is closed"


def test_that_it_is_over_is_judged_by_the_log(zone: Zone) -> None:
    zone.say("STORE", 2)
    close = expiry_of(zone.session())
    assert zone.sessions.facts(close, [], NOW + SECONDS - 1) == [] and zone.session()["state"] == "OPEN", "too early"
    zone.say("SESSION_CHANGE", 3, now=NOW + 10, terms={"seconds": SECONDS})
    assert zone.sessions.facts(close, [], NOW + 2 * SECONDS) == [] and zone.session()["state"] == "OPEN", "it was extended"
    late = expiry_of(zone.session())
    kept, gone = zone.sessions.facts(late, [], NOW + 10 + SECONDS)
    assert kept["memory"] is not None and kept["memory"]["known_at"] == NOW + 10 + SECONDS and gone["op"] == "DELETE"
    assert not list(zone.state.scan(b"n")), "what stays is known from the end on"
    assert zone.sessions.facts(late, [], NOW + 11 + SECONDS) == [], "of all gateways the first"


def test_a_log_that_does_not_know_its_times_believes_the_close(zone: Zone) -> None:
    assert zone.take(expiry_of(zone.session())) == [] and zone.session()["state"] == "CLOSED"


def test_merged_sessions_keep_order_and_limit(zone: Zone) -> None:
    zone.say("SESSION_OPEN", 2, S2, terms={"max_memories": 3})
    for number, session in ((3, S1), (4, S2), (5, S1), (6, S2)):
        zone.say("STORE", number, session)
    zone.say("SESSION_MERGE", 7, S2, terms={"merge_from": S1})
    assert (zone.session(S1)["state"], zone.session(S1)["merged_into"], zone.session(S2)["count"]) == ("MERGED", S2, 3)
    assert set(zone.live) == {memory_id(n) for n in (6, 3, 5)}
    assert zone.say("SESSION_MERGE", 7, S2, terms={"merge_from": S1}) == [], "sent again"
    zone.say("SESSION_CLOSE", 8, S2)
    assert {m["content"] for m in zone.live.values()} == {b"note 6", b"note 3", b"note 5"} and not zone.leftovers


def test_a_memory_forgotten_in_time_is_not_promoted(zone: Zone) -> None:
    zone.say("STORE", 2)
    zone.say("FORGET", 3, None, memory_id=memory_id(2))
    assert zone.session()["count"] == 0
    assert zone.say("STORE", 2) == []
    zone.say("SESSION_CLOSE", 4)
    assert not zone.live and not zone.leftovers


def test_what_a_merged_session_lost_stays_lost_and_leaves_nothing_at_the_end(zone: Zone) -> None:
    zone.say("SESSION_OPEN", 2, S2)
    zone.say("STORE", 3)
    zone.say("FORGET", 4, None, memory_id=memory_id(3))
    zone.say("SESSION_MERGE", 5, S2, terms={"merge_from": S1})
    assert zone.say("STORE", 3, S2) == []
    zone.say("SESSION_CLOSE", 6, S2)
    assert not zone.live and not zone.leftovers


def test_forgetting_another_memory_is_no_matter_of_sessions(zone: Zone) -> None:
    (fact,) = zone.say("FORGET", 3, None, memory_id=b"\x09" * 32)
    assert fact["op"] == "DELETE" and zone.session()["count"] == 0


def test_a_forget_that_names_a_session_forgets_what_it_says(zone: Zone) -> None:
    (fact,) = zone.say("FORGET", 3, S1, memory_id=b"\x09" * 32)
    assert fact["op"] == "DELETE" and zone.session()["count"] == 0
    zone.say("STORE", 2)
    zone.say("FORGET", 4, S2, memory_id=memory_id(2))
    assert zone.session()["count"] == 0 and not zone.live


def test_what_a_collaborator_says_can_be_imported_again(zone: Zone) -> None:
    with pytest.raises(PoisonError, match="at most 31 tags"):
        zone.say("STORE", 2, author=FRIEND, tags=[f"t{n}" for n in range(32)])
    assert zone.session()["count"] == 0 and not zone.live
    zone.say("STORE", 3, author=FRIEND, tags=[f"t{n}" for n in range(31)])
    zone.say("SESSION_CLOSE", 4)
    (kept,) = zone.live.values()
    said = cast("MemoryCommand", {**plain_command(b"\x77" * 16, AGENT, "IMPORT", NOW), "memory_id": kept["id"], "memory": kept})
    assert command_facts(AGENT, said)[0]["memory"] == kept


@pytest.mark.parametrize(
    ("op", "fields", "match"),
    [
        ("STORE", {"session": S2}, "no such session"),
        ("STORE", {"author": STRANGER}, "owner and collaborators"),
        ("SESSION_OPEN", {"session": None}, "no session"),
        ("SESSION_OPEN", {"session": S2, "author": FRIEND}, "owner's to open"),
        ("SESSION_OPEN", {"session": S2, "terms": {"seconds": 0}}, "lasts 1 to"),
        ("SESSION_OPEN", {"session": S2, "terms": {"seconds": LONGEST_SECONDS + 1}}, "lasts 1 to"),
        ("SESSION_OPEN", {"session": S2, "terms": {"max_memories": MEMORIES + 1}}, "holds 1 to"),
        ("SESSION_OPEN", {"session": S2, "terms": {"collaborators": [AGENT]}}, "collaborators"),
        ("SESSION_OPEN", {"session": S2, "terms": {"collaborators": [bytes([n]) * 20 for n in range(4, 21)]}}, "collaborators"),
        ("SESSION_OPEN", {"session": S2, "terms": {"goal": "x" * 1_025}}, "longer than"),
        ("SESSION_CHANGE", {"author": FRIEND, "terms": {"seconds": 5}}, "only its owner"),
        ("SESSION_CLOSE", {"author": FRIEND}, "only its owner"),
        ("SESSION_MERGE", {"terms": {"merge_from": S1}}, "no other session"),
        ("SESSION_MERGE", {"terms": {"merge_from": S2}}, "no such session"),
        ("SESSION_MERGE", {}, "no other session"),
        ("LINK", {}, "takes part in"),
        ("SESSION_OPEN", {"session": S2, "now": 2**63 - 1}, "not in unix seconds"),
        ("SESSION_CHANGE", {"now": -(2**63), "terms": {"seconds": 5}}, "not in unix seconds"),
    ],
)
def test_refusals(zone: Zone, op: str, fields: dict[str, Any], match: str) -> None:
    before = dict(zone.state.scan(b""))
    with pytest.raises(PoisonError, match=match):
        zone.say(op, 9, fields.pop("session", S1), **fields)
    assert dict(zone.state.scan(b"")) == before
    assert MOST_COLLABORATORS == 16


def test_what_ended_takes_nothing_more(zone: Zone) -> None:
    zone.say("SESSION_CLOSE", 2)
    assert zone.say("SESSION_CLOSE", 2) == [] == zone.say("SESSION_OPEN", 1)
    for op in ("STORE", "SESSION_CHANGE"):
        with pytest.raises(PoisonError, match="has ended"):
            zone.say(op, 3, terms={})


def test_of_ended_sessions_the_last_are_remembered() -> None:
    zone = Zone()
    for number in range(MOST_ENDED + 3):
        session = number.to_bytes(16, "big")
        zone.say("SESSION_OPEN", 2 * number + 1, session, now=NOW + number)
        zone.say("SESSION_CLOSE", 2 * number + 2, session, now=NOW + number)
    assert {key: record is None for key, record in zone.records.items()} == {
        AGENT + number.to_bytes(16, "big"): number < 3 for number in range(MOST_ENDED + 3)
    }
    assert len(list(zone.state.scan(b"s"))) == MOST_ENDED


def test_a_merged_session_is_remembered_while_memories_carry_its_mark() -> None:
    zone, into = Zone(), bytes([99]) * 16
    zone.say("SESSION_OPEN", 1, into, now=NOW, terms={"seconds": LONGEST_SECONDS})
    for number in range(MOST_MERGED):
        session = (1_000 + number).to_bytes(16, "big")
        zone.say("SESSION_OPEN", 10 + 3 * number, session, now=NOW + number)
        zone.say("STORE", 11 + 3 * number, session, now=NOW + number)
        zone.say("SESSION_MERGE", 12 + 3 * number, into, now=NOW + number, terms={"merge_from": session})
    for number in range(MOST_ENDED + 1):
        session = (2_000 + number).to_bytes(16, "big")
        zone.say("SESSION_OPEN", 1_000 + 2 * number, session, now=NOW + 500)
        zone.say("SESSION_CLOSE", 1_001 + 2 * number, session, now=NOW + 500)
    known = [record for record in zone.records.values() if record is not None]
    assert zones(known, into) >= {memory["session"] for memory in zone.live.values()}
    assert len(zone.live) == MOST_MERGED
    zone.say("SESSION_OPEN", 5_000, S1, now=NOW + 600)
    with pytest.raises(PoisonError, match=f"at most {MOST_MERGED} others"):
        zone.say("SESSION_MERGE", 5_001, into, now=NOW + 600, terms={"merge_from": S1})
    zone.say("SESSION_CLOSE", 5_002, into, now=NOW + 600)
    assert len(list(zone.state.scan(b"s"))) == MOST_ENDED + 1, "one is open, and of the others the last are kept"


def test_an_erased_agent_leaves_nothing(zone: Zone) -> None:
    zone.say("STORE", 2)
    zone.sessions.erase(AGENT)
    assert [(emit.key, emit.value) for emit in zone.sessions.touched()] == [(AGENT + S1, None)]
    assert not list(zone.state.scan(b""))


def test_records_are_vouched_for() -> None:
    signer = Signer(b"w" * 32)
    zone = Zone(signer)
    zone.say("SESSION_OPEN", 1)
    record = zone.records[AGENT + S1]
    trusted = Verifier([signer.public])
    assert vouched_for(record, trusted)
    assert not vouched_for({**record, "collaborators": [STRANGER]}, trusted)
    assert not vouched_for({**record, "signature": None}, trusted)
    assert not vouched_for(record, Verifier([Signer(b"x" * 32).public]))


steps = st.lists(
    st.tuples(
        st.sampled_from(["SESSION_OPEN", "SESSION_CLOSE", "SESSION_MERGE", "STORE", "STORE", "FORGET"]),
        st.sampled_from([S1, S2]),
        st.integers(1, 6),
    ),
    max_size=24,
)


@given(steps)
@settings(max_examples=60)
def test_whatever_is_said_sessions_hold_what_is_live_and_marked(said: list[tuple[str, bytes, int]]) -> None:
    zone = Zone()
    for place, (op, session, number) in enumerate(said):
        other = S2 if session == S1 else S1
        fields: dict[str, Any] = {"terms": {"merge_from": other}} if op == "SESSION_MERGE" else {}
        if op == "FORGET":
            fields["memory_id"] = memory_id(number)
        try:
            zone.say(op, number if op == "STORE" else 100 + place, None if op == "FORGET" else session, **fields)
        except PoisonError:
            continue
    marked = {key for key, memory in zone.live.items() if in_zone(memory)}
    held = {wire_id for _, wire in zone.state.scan(b"n") for wire_id in [codec().decode(wire)[1]["id"]]}
    assert marked == held
    counts = [cast("Session", codec().decode(wire)[1]) for _, wire in zone.state.scan(b"s")]
    assert sum(session["count"] for session in counts) == len(held)
    for number, session in ((200, S1), (201, S2)):
        if zone.sessions.of(AGENT, session) is not None:
            zone.say("SESSION_CLOSE", number, session)
    assert not zone.leftovers and not any(map(in_zone, zone.live.values()))

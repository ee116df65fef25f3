"""Letta's agent files: what was known and said becomes memories, what the machinery wrote does not."""

from __future__ import annotations

from typing import Any

import pytest

from streams.portability import letta
from streams.portability.errors import PackageError
from streams.portability.foreign import ALL, Reading
from tests.unit.portability.documents import KNOWN, NEWER, OLDER, SAID, SEVERAL, letta_agent, message, texts, wrapped
from tests.unit.portability.samples import AGENT


def contents(found: Reading) -> set[str]:
    return {memory["content"].decode() for memory in found.memories}


@pytest.mark.parametrize("said", [NEWER, OLDER], ids=["agents and blocks", "core memory"])
def test_what_was_known_and_said_and_nothing_else(said: Any) -> None:
    found = letta.read(said, AGENT)
    assert contents(found) == KNOWN | SAID and found.skipped == 0
    by_text = {memory["content"].decode(): memory for memory in found.memories}
    human, hello = by_text["Name: Chad, likes sailing"], by_text["Hello Chad"]
    assert (human["type"], human["subject"], human["predicate"]) == ("SEMANTIC", "core_memory", "human")
    assert (hello["type"], hello["tags"], hello["timestamp"]) == ("EPISODIC", ["assistant"], 1_761_951_417)
    assert by_text["Hi, I moved to Berlin"]["tags"] == ["user"]
    assert all(memory["source"] == "IMPORT" and memory["agent"] == AGENT for memory in found.memories)


def test_both_forms_of_one_agent_are_the_same_memories() -> None:
    assert letta.read(NEWER, AGENT) == letta.read(OLDER, AGENT)
    other = letta.read(NEWER, b"\x0b" * 20)
    assert not {memory["id"] for memory in other.memories} & {memory["id"] for memory in letta.read(NEWER, AGENT).memories}


def test_of_several_agents_one_is_named_or_all() -> None:
    first, second = {"Name: Chad, likes sailing", "Hello Chad"}, {"of another agent", "to the other"}
    assert contents(letta.read(SEVERAL, AGENT, "agent-0")) == first
    assert contents(letta.read(SEVERAL, AGENT, "memgpt_agent_1")) == second
    both = letta.read(SEVERAL, AGENT, ALL)
    assert contents(both) == first | second
    subjects = {memory["subject"] for memory in both.memories if memory["subject"]}
    assert subjects == {"core_memory of memgpt_agent_0", "core_memory of memgpt_agent_1"}, "statements do not contradict"


@pytest.mark.parametrize(("chosen", "why"), [(None, "2 agents: memgpt_agent_0, memgpt_agent_1"), ("nobody", "0 agents")])
def test_an_agent_that_was_not_named_or_is_not_there_is_refused(chosen: str | None, why: str) -> None:
    with pytest.raises(PackageError, match=why):
        letta.read(SEVERAL, AGENT, chosen)
    with pytest.raises(PackageError, match="0 agents"):
        letta.read(OLDER, AGENT, "nobody")


def test_two_agents_of_one_name_are_told_apart_by_id() -> None:
    said = {
        **NEWER,
        "agents": [{**letta_agent(0, [], []), "name": "twin"}, {**letta_agent(1, ["block-1"], []), "name": "twin"}],
    }
    with pytest.raises(PackageError, match="2 agents"):
        letta.read(said, AGENT, "twin")
    assert contents(letta.read(said, AGENT, "agent-1")) == {"I am Sam."}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (texts(wrapped("hello")), {"hello"}),
        (texts("hello", "there"), {"hello\nthere"}),
        (texts('{"type": "user_message", "message": 5}'), set()),
        (texts(wrapped("x", "system_alert")), set()),
        (texts('{"type": "note"}'), {'{"type": "note"}'}),
        (texts("{broken"), {"{broken"}),
        (texts("{" * 100_000), set()),
        ("", set()),
        (5, set()),
    ],
    ids=["wrapped", "parts", "not a text", "event", "json of the user's", "half of json", "too long", "empty", "number"],
)
def test_what_a_user_said(content: Any, kept: set[str]) -> None:
    said = {**NEWER, "agents": [letta_agent(0, [], [message(1, "user", content)])]}
    assert contents(letta.read(said, AGENT)) == kept


@pytest.mark.parametrize("calls", [5, [5], [{"function": 5}], [{"function": {"name": "send_message", "arguments": "{"}}], {}])
def test_calls_that_are_none_say_nothing(calls: Any) -> None:
    said = {**NEWER, "agents": [letta_agent(0, [], [message(1, "assistant", [], tool_calls=calls)])]}
    assert not letta.read(said, AGENT).memories

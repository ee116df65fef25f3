"""Letta's agent file (.af), both forms: one agent with ``core_memory`` in it, or ``agents`` that name ``blocks``.

A block of core memory becomes a SEMANTIC memory, a statement about its label. What a user said and what the agent answered
become EPISODIC ones, tagged with the role, without the JSON that Letta wraps them in (``{"type": "user_message", ...}``); an
answer may also stand in a call of the tool ``send_message``, and the text beside such a call is a thought, which nobody was
told. System prompts, thoughts, events (logins, heartbeats), tools, their calls and their results are not memories and are left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streams.portability.errors import PackageError
from streams.portability.foreign import ALL, Entry, Reading, names, objects, reading, seconds, text

PRODUCT = "letta"
BLOCK_IMPORTANCE = 0.8
SUBJECT = "core_memory"
ROLES = frozenset({"user", "assistant"})
SPOKEN = "send_message"
"""The tool with which an agent of the older kinds answers."""
LONGEST_LABEL = 256
MOST_NAMED = 10


def sniff(said: object) -> bool:
    """Whether a JSON document is an agent file."""
    return isinstance(said, Mapping) and ("core_memory" in said or ("agents" in said and "blocks" in said))


def read(said: Any, agent: bytes, chosen: str | None = None) -> Reading:
    """``chosen``: name or id of one of the file's agents, or ``ALL``; a file of several demands it.

    Raises PackageError if it is no agent file, or has no such agent.
    """
    if not sniff(said):
        raise PackageError("the file is no Letta agent file", "It has neither core_memory nor agents and blocks.")
    if "core_memory" in said:
        (found,) = _chosen([said], chosen)
        return reading(PRODUCT, agent, [*_blocks(objects(said["core_memory"], "core_memory")), *_messages(found)])
    agents = _chosen(objects(said["agents"], "agents"), chosen)
    blocks = objects(said["blocks"], "blocks")
    entries = [
        entry
        for number, one in enumerate(agents)
        for entry in _of_one(one, blocks, SUBJECT if len(agents) == 1 else f"{SUBJECT} of {_name(one, number)}"[:LONGEST_LABEL])
    ]
    return reading(PRODUCT, agent, entries)


def _chosen(agents: list[dict[str, Any]], chosen: str | None) -> list[dict[str, Any]]:
    if chosen == ALL or (chosen is None and len(agents) == 1):
        return agents
    named = ", ".join(_name(one, number) for number, one in enumerate(agents[:MOST_NAMED]))
    if chosen is None:
        raise PackageError(f"the file holds {len(agents)} agents: {named}", f"Say which one, by name or id, or {ALL} for all.")
    found = [one for one in agents if chosen in (one.get("id"), one.get("name"))]
    if len(found) != 1:
        raise PackageError(f"{len(found)} agents of the file are {chosen[:80]!r}; it holds {named}", "Take the id of one.")
    return found


def _name(agent: Mapping[str, Any], number: int) -> str:
    return text(agent.get("name"))[:80] or text(agent.get("id"))[:80] or f"agent {number}"


def _of_one(agent: dict[str, Any], blocks: list[dict[str, Any]], subject: str) -> Iterator[Entry]:
    wanted = set(names(agent.get("block_ids"), "block_ids"))
    yield from _blocks([block for block in blocks if text(block.get("id")) in wanted], subject)
    yield from _blocks(objects(agent.get("memory_blocks"), "memory_blocks"), subject)
    yield from _messages(agent)


def _blocks(blocks: list[dict[str, Any]], subject: str = SUBJECT) -> Iterator[Entry]:
    for block in blocks:
        label = text(block.get("label"))[:LONGEST_LABEL] or "block"
        yield Entry(
            f"block/{label}",
            text(block.get("value")).strip().encode(),
            "SEMANTIC",
            ("core_memory", label),
            seconds(block.get("updated_at") or block.get("created_at")),
            BLOCK_IMPORTANCE,
            subject=subject,
            predicate=label,
        )


def _messages(agent: Mapping[str, Any]) -> Iterator[Entry]:
    for number, message in enumerate(objects(agent.get("messages"), "messages")):
        role = text(message.get("role"))
        said = _said(role, message) if role in ROLES else ""
        if said:
            name = text(message.get("id")) or str(number)
            yield Entry(f"message/{name}", said.encode(), "EPISODIC", (role,), seconds(message.get("created_at")))


def _said(role: str, message: Mapping[str, Any]) -> str:
    content = message.get("content")
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    spoken = _spoken(message.get("tool_calls"), parts) if role == "assistant" else []
    texts = [text(content)] if isinstance(content, str) else [text(part.get("text")) for part in parts if _is(part, "text")]
    plain = map(_unwrapped, texts) if role == "user" else texts
    return "\n".join(filter(None, spoken or plain)).strip()


def _is(part: Mapping[str, Any], kind: str) -> bool:
    return part.get("type") == kind


def _unwrapped(said: str) -> str:
    """What was said, of the JSON that says who said it and when; nothing of an event that nobody said."""
    wrapped = _object(said)
    if wrapped.get("type") == "user_message" and "message" in wrapped:
        return text(wrapped["message"]).strip()
    return "" if "type" in wrapped and "time" in wrapped else said.strip()


def _spoken(calls: object, parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Messages that the agent sent with a tool, in either spelling of a call."""
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    asked = [(one.get("name"), one.get("arguments")) for one in functions if isinstance(one, Mapping)]
    asked += [(part.get("name"), part.get("input")) for part in parts if _is(part, "tool_call")]
    return [text(_object(said).get("message")).strip() for name, said in asked if name == SPOKEN]


def _object(said: object) -> Mapping[str, Any]:
    """An object, or a text that spells one; else an empty one."""
    if isinstance(said, str) and said.lstrip().startswith("{"):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            return {}
    return said if isinstance(said, Mapping) else {}

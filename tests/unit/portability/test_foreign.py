"""Files of other products: what they hold becomes memories once, and what is none of them is refused."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.memory_limits import MAX_CONTENT
from streams.core.canonical_text import canonical_text
from streams.portability import letta, lines, mem0, reference
from streams.portability.envelope import closed
from streams.portability.errors import PackageError
from streams.portability.foreign import Reading, seconds
from streams.portability.package import Package, packed
from streams.portability.sniff import read_any
from tests.unit.portability.samples import AGENT, memories

BLOCKS = [
    {"id": "block-0", "label": "human", "value": "\nName: Chad, likes sailing\n", "limit": 5000, "description": "about"},
    {"id": "block-1", "label": "persona", "value": "I am Sam.", "limit": 5000},
    {"id": "block-9", "label": "foreign", "value": "of another agent"},
]
WHEN = "2025-10-31T22:56:57+00:00"
MESSAGES: list[dict[str, Any]] = [
    {"id": "m0", "role": "system", "content": [{"type": "text", "text": "instructions"}], "created_at": WHEN},
    {"id": "m1", "role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image"}], "created_at": WHEN},
    {"id": "m2", "role": "assistant", "content": "Hello Chad", "created_at": "2025-10-31T22:56:58Z", "tool_calls": []},
    {"id": "m3", "role": "assistant", "content": [], "tool_calls": [{"function": {}}]},
]  # fmt: skip
NEWER = {
    "agents": [{"name": "a", "id": "agent-0", "block_ids": ["block-0", "block-1"], "messages": MESSAGES}],
    "blocks": BLOCKS,
}
OLDER = {"agent_type": "memgpt_agent", "core_memory": BLOCKS[:2], "messages": MESSAGES, "tools": [], "version": "0.7"}
MEM0: dict[str, Any] = {
    "results": [
        {"id": "a1", "memory": "Likes cricket", "hash": "h", "metadata": {"team": "blue"}, "user_id": "alice",
         "created_at": "2025-01-02T03:04:05.123456-07:00", "updated_at": None, "categories": ["sports"]},
        {"id": "a2", "memory": "", "created_at": None},
    ]
}  # fmt: skip
REFERENCE: dict[str, Any] = {
    "version": "1.0.0", "agent_id": "0x" + "0a" * 20, "timestamp": 1_700_000_100, "memory_count": 2,
    "memories": [
        {"id": "1", "content": b64encode(b"swapped").decode(), "memory_type": "LongTerm", "embedding": [0.1],
         "age_seconds": 100},
        {"id": "2", "content": b64encode(b"\xff\x00").decode(), "memory_type": "Episodic", "age_seconds": 0},
    ],
    "metadata": {"source_chain": "monmouth", "reason": "backup", "compression": "gzip", "encryption": None},
}  # fmt: skip


def data_of(said: object) -> bytes:
    return json.dumps(said).encode()


@pytest.mark.parametrize("said", [NEWER, OLDER], ids=["agents and blocks", "core memory"])
def test_an_agent_file_of_letta(said: Any) -> None:
    found = letta.read(data_of(said), AGENT)
    texts = {memory["content"].decode(): memory for memory in found.memories}
    assert set(texts) == {"Name: Chad, likes sailing", "I am Sam.", "Hi", "Hello Chad"}
    human, hello = texts["Name: Chad, likes sailing"], texts["Hello Chad"]
    assert (human["type"], human["subject"], human["predicate"]) == ("SEMANTIC", "core_memory", "human")
    assert (hello["type"], hello["tags"], hello["timestamp"]) == ("EPISODIC", ["assistant"], 1_761_951_418)
    assert all(memory["source"] == "IMPORT" and memory["agent"] == AGENT for memory in found.memories)


def test_files_of_several_agents_are_refused() -> None:
    with pytest.raises(PackageError, match="2 agents"):
        letta.read(data_of({**NEWER, "agents": NEWER["agents"] * 2}), AGENT)


@pytest.mark.parametrize("said", [MEM0, MEM0["results"][:1]], ids=["results", "bare"])
def test_memories_of_mem0(said: Any) -> None:
    found = mem0.read(data_of(said), AGENT)
    (memory,) = found.memories
    assert (memory["content"], memory["timestamp"]) == (b"Likes cricket", 1_735_812_245)
    assert memory["tags"] == ["user:alice", "sports", "team:blue"]
    assert found.skipped == (1 if isinstance(said, dict) else 0)


@pytest.mark.parametrize("pack", [data_of, lambda said: gzip.compress(data_of(said))], ids=["json", "gzip"])
def test_the_reference_package(pack: Any) -> None:
    found = reference.read(pack(REFERENCE), AGENT)
    by_content = {memory["content"]: memory for memory in found.memories}
    assert by_content[b"swapped"]["type"] == "LONG_TERM" and by_content[b"swapped"]["timestamp"] == 1_700_000_000
    assert by_content[b"\xff\x00"]["media_type"] == "application/octet-stream"
    assert canonical_text(b"\xff", by_content[b"\xff\x00"]["media_type"]) is None
    camel = {**REFERENCE, "memoryCount": 2, "agentId": REFERENCE["agent_id"]}
    del camel["memory_count"]
    assert reference.read(pack(camel), AGENT) == found


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.0.0"},
        {"memory_count": 3},
        {"memories": [{"content": "!", "memory_type": "Working"}]},
        {"memories": [{"content": "", "memory_type": "Dream"}]},
        {"memories": {}},
        {"metadata": {"encryption": "aes"}},
    ],
    ids=str,
)
def test_wrong_reference_packages_are_refused(change: dict[str, Any]) -> None:
    said = {**REFERENCE, "memory_count": len(change["memories"]), **change} if "memories" in change else {**REFERENCE, **change}
    with pytest.raises(PackageError):
        reference.read(data_of(said), AGENT)


def test_importing_twice_is_importing_once() -> None:
    assert letta.read(data_of(NEWER), AGENT) == letta.read(data_of(OLDER), AGENT) == letta.read(data_of(NEWER), AGENT)
    other = letta.read(data_of(NEWER), b"\x0b" * 20)
    assert not {memory["id"] for memory in other.memories} & {m["id"] for m in letta.read(data_of(NEWER), AGENT).memories}


def test_what_is_too_long_is_counted_not_cut() -> None:
    found = mem0.read(data_of([{"memory": "x" * (MAX_CONTENT + 1)}, {"memory": "y"}]), AGENT)
    assert ([memory["content"] for memory in found.memories], found.skipped) == ([b"y"], 1)


@pytest.mark.parametrize(
    ("said", "product"), [(NEWER, "letta"), (OLDER, "letta"), (MEM0, "mem0"), (REFERENCE, "reference")], ids=str
)
def test_a_file_is_known_by_its_content(said: Any, product: str) -> None:
    found = read_any(data_of(said), AGENT)
    assert isinstance(found, Reading) and found.product == product
    with pytest.raises(PackageError, match="whose memories"):
        read_any(data_of(said))


def test_packages_are_known_by_their_content() -> None:
    package = packed(AGENT, memories())
    found = read_any(closed(lines.write(package), "secret"), passphrase="secret")
    assert isinstance(found, Package) and found == package


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"[1]", b'{"agents":1,"blocks":[]}', b"\x1f\x8b123", b"Obj\x01", b"\xff"])
def test_files_nobody_knows_are_refused(data: bytes) -> None:
    with pytest.raises(PackageError):
        read_any(data, AGENT)


NAMES = [
    "memory",
    "results",
    "role",
    "content",
    "text",
    "agents",
    "blocks",
    "core_memory",
    "messages",
    "label",
    "value",
    "metadata",
    "version",
    "memories",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_hostile_documents_are_read_or_refused(said: Any) -> None:
    with suppress(PackageError):
        read_any(json.dumps(said).encode(), AGENT)


@pytest.mark.parametrize("said", [None, True, "yesterday", float("inf"), 1e300, {}])
def test_no_time_is_time_zero(said: object) -> None:
    assert seconds(said) == 0


def test_a_document_too_large_to_be_held_as_objects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.portability.foreign.LONGEST_DOCUMENT", 1 << 10)
    for data in (b"[" * (1 << 11), gzip.compress(b"[" * (1 << 11)), closed(b"[" * (1 << 11))):
        with pytest.raises(PackageError, match="has more than"):
            read_any(data, AGENT)

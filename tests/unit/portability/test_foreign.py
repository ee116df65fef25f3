"""Files of other products: what they hold becomes memories once, and what is none of them is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.agents.memory_limits import MAX_CONTENT
from streams.core.canonical_text import canonical_text
from streams.portability import lines, mem0, reference
from streams.portability.envelope import closed
from streams.portability.errors import PackageError
from streams.portability.foreign import ALL, MOST_DEPTH, Reading, json_of, seconds
from streams.portability.package import Package, packed
from streams.portability.sniff import read_any
from tests.unit.portability.documents import DESCRIBED, DOCUMENTS, MEM0, WRITTEN
from tests.unit.portability.samples import AGENT, memories

OTHER = b"\x0b" * 20


def data_of(said: object) -> bytes:
    return json.dumps(said).encode()


@pytest.mark.parametrize("said", [MEM0, MEM0["results"][:1]], ids=["results", "bare"])
def test_memories_of_mem0(said: Any) -> None:
    found = mem0.read(said, AGENT)
    (memory,) = found.memories
    assert (memory["content"], memory["timestamp"]) == (b"Likes cricket", 1_735_812_245)
    assert memory["tags"] == ["user:alice", "sports", "team:blue"]
    assert found.skipped == (1 if isinstance(said, dict) else 0)


def test_memories_of_one_user_of_mem0() -> None:
    both = [{"memory": "a", "user_id": "alice"}, {"memory": "b", "user_id": "bob"}]
    assert [memory["content"] for memory in mem0.read(both, AGENT, "bob").memories] == [b"b"]
    assert len(mem0.read(both, AGENT, ALL).memories) == 2
    with pytest.raises(PackageError, match="no memory of the file is of 'carol'"):
        mem0.read(both, AGENT, "carol")


@pytest.mark.parametrize("said", [WRITTEN, DESCRIBED], ids=["written", "described"])
@pytest.mark.parametrize("pack", [data_of, lambda said: gzip.compress(data_of(said))], ids=["json", "gzip"])
def test_the_reference_package(said: Any, pack: Any) -> None:
    found = read_any(pack(said), AGENT)
    assert isinstance(found, Reading)
    by_content = {memory["content"]: memory for memory in found.memories}
    swapped, other = by_content[b"swapped"], by_content[b"\xff\x00"]
    assert (swapped["type"], swapped["timestamp"], swapped["importance"]) == ("LONG_TERM", 1_700_000_000, 0.75)
    assert (other["type"], other["timestamp"], other["media_type"]) == ("EPISODIC", 1_700_000_100, "application/octet-stream")
    assert canonical_text(b"\xff", other["media_type"]) is None
    camel = {**said, "memoryCount": 2, "agentId": said["agent_id"]}
    del camel["memory_count"], camel["agent_id"]
    assert read_any(pack(camel), AGENT) == found


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": "2.0.0"},
        {"format_version": None},
        {"memory_count": 3},
        {"memories": [{"content": "!", "memory_type": "Working"}]},
        {"memories": [{"content": "", "memory_type": "Dream"}]},
        {"memories": {}},
        {"metadata": {"encryption": "aes"}},
        {"metadata": 5},
        {"memoryCount": 2},
        {"agent_id": "0x" + OTHER.hex()},
        {"agent_id": 5},
    ],
    ids=str,
)
def test_wrong_reference_packages_are_refused(change: dict[str, Any]) -> None:
    said = {**WRITTEN, "memory_count": len(change["memories"]), **change} if "memories" in change else {**WRITTEN, **change}
    with pytest.raises(PackageError):
        reference.read(said, AGENT)


@pytest.mark.parametrize("owner", ["0x" + OTHER.hex(), "alice", "0X" + OTHER.hex().upper()])
def test_a_reference_package_of_another_is_taken_where_that_is_said(owner: str) -> None:
    said = {**WRITTEN, "agent_id": owner}
    with pytest.raises(PackageError, match="holds memories of agent"):
        read_any(data_of(said), AGENT)
    for chosen in (owner, ALL):
        found = read_any(data_of(said), AGENT, chosen=chosen)
        assert {memory["agent"] for memory in found.memories} == {AGENT}
    with pytest.raises(PackageError, match="holds memories of agent"):
        read_any(data_of(said), AGENT, chosen="somebody else")


def test_importing_twice_is_importing_once() -> None:
    for said in (MEM0, WRITTEN):
        assert read_any(data_of(said), AGENT) == read_any(data_of(said), AGENT)


def test_what_is_too_long_is_counted_not_cut() -> None:
    found = mem0.read([{"memory": "x" * (MAX_CONTENT + 1)}, {"memory": "y"}], AGENT)
    assert ([memory["content"] for memory in found.memories], found.skipped) == ([b"y"], 1)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_file_is_known_by_its_content(name: str) -> None:
    found = read_any(data_of(DOCUMENTS[name]), AGENT, chosen=ALL)
    assert isinstance(found, Reading) and found.product == name.partition(",")[0]
    with pytest.raises(PackageError, match="whose memories"):
        read_any(data_of(DOCUMENTS[name]))


def test_packages_are_known_by_their_content() -> None:
    package = packed(AGENT, memories())
    found = read_any(closed(lines.write(package), "secret"), passphrase="secret")
    assert isinstance(found, Package) and found == package


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"[1]", b'{"agents":1,"blocks":[]}', b"\x1f\x8b123", b"Obj\x01", b"\xff"])
def test_files_nobody_knows_are_refused(data: bytes) -> None:
    with pytest.raises(PackageError):
        read_any(data, AGENT)


HOSTILE = [
    "null", "true", "5", "-1", "0.5", "1e308", "1e400", "-1e400", "NaN", "Infinity", "9" * 400, "9" * 5_000, '""', '"x"', '"*"',
    '"\\ud800"', '"\\u0000"',
    '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', "[]", "{}", "[5]", "[[]]", '{"a":5}',
    "[" * 60 + "]" * 60, "[" * 700 + "]" * 700, '{"a":' * 700 + "1" + "}" * 700,
]  # fmt: skip
"""JSON values, as they are spelled, that something may break on wherever they stand."""
MARK = "@here@"


def places(said: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every value of a document, by the way to it."""
    yield path
    for key in said if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ():
        yield from places(said[key], (*path, key))


def replaced(said: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return MARK
    inner = replaced(said[path[0]], path[1:])
    return {**said, path[0]: inner} if isinstance(said, dict) else [*said[: path[0]], inner, *said[path[0] + 1 :]]


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
def test_a_document_with_hostile_values_is_read_or_refused(name: str, data: st.DataObject) -> None:
    said = DOCUMENTS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        said = replaced(said, data.draw(st.sampled_from(list(places(said)))))
    text = json.dumps(said)
    while f'"{MARK}"' in text:
        text = text.replace(f'"{MARK}"', data.draw(st.sampled_from(HOSTILE)), 1)
    with suppress(PackageError):
        read_any(text.encode(), AGENT, chosen=data.draw(st.sampled_from([None, ALL, "agent-0"])))


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "letta, several"])
def test_no_hostile_value_at_any_place_breaks_a_reader(name: str) -> None:
    for path in places(DOCUMENTS[name]):
        text = json.dumps(replaced(DOCUMENTS[name], path))
        for value in HOSTILE:
            with suppress(PackageError):
                read_any(text.replace(f'"{MARK}"', value).encode(), AGENT, chosen=ALL)


@pytest.mark.parametrize("value", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "9" * 400], ids=lambda value: value[:9])
def test_a_number_that_is_none_is_refused(value: str) -> None:
    text = json.dumps({**MEM0, "score": MARK}).replace(f'"{MARK}"', value)
    with pytest.raises(PackageError, match="a number that is none"):
        read_any(text.encode(), AGENT)


def test_depth_is_limited_and_what_is_within_the_limit_is_read() -> None:
    assert json_of(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH)
    for depth in (MOST_DEPTH + 1, 700, 100_000):
        with pytest.raises(PackageError, match="nested deeper"):
            json_of(b"[" * depth + b"]" * depth)


NAMES = [
    "memory",
    "results",
    "role",
    "content",
    "text",
    "agents",
    "blocks",
    "block_ids",
    "core_memory",
    "messages",
    "tool_calls",
    "label",
    "value",
    "metadata",
    "version",
    "format_version",
    "export_timestamp",
    "memories",
    "Memories",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


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


def test_a_gzip_document_expands_to_what_the_reader_allows_and_no_further() -> None:
    data = gzip.compress(b'[{"memory":"x"}]' + b" " * (1 << 16))
    assert read_any(data, AGENT, most=1 << 17)
    with pytest.raises(PackageError, match="has more than 4096 bytes"):
        read_any(data, AGENT, most=1 << 12)


def test_a_gzip_file_that_is_cut_is_refused() -> None:
    with pytest.raises(PackageError, match="is cut"):
        read_any(gzip.compress(data_of(WRITTEN))[:-20], AGENT)

"""What a transaction or a command leaves, fact by fact."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas.codec import codec
from schemas.defaults import plain_command, plain_edge
from schemas.records import MemoryCommand
from streams.agents.memory_facts import ASKED, HAPPENED, command_facts, transaction_facts
from streams.agents.memory_limits import MAX_CONTENT, MAX_EDGES, MAX_RELATION, MAX_STATEMENT, MAX_TAG, MAX_TAGS
from streams.core.ids import chain_memory_id, command_cause, command_memory_id, transaction_id
from streams.decoding.nl.parser import default_reader
from streams.errors import PoisonError
from tests.transactions import AGENT, PEER, call_data, chain_transaction

STORE = "storeMemory(uint8 a,bytes b,uint16 c,string[] d)"
ID = b"\x07" * 32
COMMAND: dict[str, Any] = {
    **plain_command(b"\x01" * 16, AGENT, "STORE", 1_700_000_000),
    "type": "WORKING",
    "content": b"note",
    "tags": ["x"],
}


OWN = command_memory_id(AGENT, b"\x01" * 16)


def link(target: bytes, **fields: Any) -> Any:
    return {**plain_edge("LINK", target), **fields}


def facts_of(**fields: Any):
    transaction = chain_transaction(**fields)
    facts = transaction_facts(transaction, default_reader().read(transaction))
    for fact in facts:
        assert codec().decode(codec().encode("MemoryFact", fact)) == ("MemoryFact", fact)
    return facts


def command(**fields: Any) -> MemoryCommand:
    merged: Any = COMMAND | fields
    return merged


def test_every_transaction_leaves_an_episodic_memory() -> None:
    (fact,) = facts_of(value=b"\x05", index=3)
    block_hash = (1).to_bytes(32, "big")
    assert fact["cause"] == transaction_id(1, block_hash, 3, AGENT)
    assert fact["memory_id"] == chain_memory_id(1, block_hash, 3, AGENT, HAPPENED)
    memory = fact["memory"]
    assert memory is not None
    assert (memory["type"], memory["content"]) == ("EPISODIC", "0xa1a1a1a1… sent 5 wei to 0xc3c3c3c3…".encode())
    assert memory["tags"] == ["transfer", "sender", "value:small"]
    assert memory["source"] == "CHAIN"
    assert memory["block"] == fact["block"]


def test_store_leaves_the_memory_asked_for_as_well() -> None:
    happened, asked = facts_of(input=call_data(STORE, 1, b"\xffraw", 2_500, ["a", "b"]))
    assert happened["memory_id"] != asked["memory_id"] == chain_memory_id(1, (1).to_bytes(32, "big"), 0, AGENT, ASKED)
    assert happened["cause"] == asked["cause"]
    memory = asked["memory"]
    assert memory is not None
    assert (memory["type"], memory["content"], memory["media_type"]) == ("LONG_TERM", b"\xffraw", "application/octet-stream")
    assert (memory["importance"], memory["tags"]) == (0.25, ["a", "b"])


@pytest.mark.parametrize(("code", "kind"), enumerate(["SHORT_TERM", "LONG_TERM", "WORKING", "EPISODIC", "SEMANTIC"]))
def test_type_codes(code: int, kind: str) -> None:
    asked = facts_of(input=call_data(STORE, code, b"x", 10_000, []))[1]["memory"]
    assert asked is not None
    assert (asked["type"], asked["importance"]) == (kind, 1.0)


@pytest.mark.parametrize(
    ("method", "kind", "tag"),
    [("learn", "SEMANTIC", "learned"), ("query", "SHORT_TERM", "question"), ("execute", "WORKING", "task")],
)
def test_spoken_calls_leave_what_was_said(method: str, kind: str, tag: str) -> None:
    memory = facts_of(input=call_data(f"{method}(string a)", "gas is cheap on Sundays"))[1]["memory"]
    assert memory is not None
    assert (memory["type"], memory["content"], memory["tags"]) == (kind, b"gas is cheap on Sundays", [tag])


@pytest.mark.parametrize(
    "arguments",
    [
        (6, b"x", 0, []),
        (1, b"x", 10_001, []),
        (1, b"", 0, []),
        (1, b"x" * (MAX_CONTENT + 1), 0, []),
        (1, b"x", 0, ["t"] * (MAX_TAGS + 1)),
        (1, b"x", 0, ["t" * (MAX_TAG + 1)]),
        (1, b"x", 0, [""]),
    ],
    ids=["type", "importance", "empty", "too long", "too many tags", "tag too long", "empty tag"],
)
def test_arguments_out_of_range_leave_only_the_episode(arguments: tuple[Any, ...]) -> None:
    assert [fact["memory"]["type"] for fact in facts_of(input=call_data(STORE, *arguments))] == ["EPISODIC"]


def test_forget_is_a_delete_in_the_senders_name() -> None:
    _, forget = facts_of(input=call_data("forgetMemory(bytes32 a)", ID))
    assert (forget["op"], forget["memory_id"], forget["owner"], forget["memory"]) == ("DELETE", ID, AGENT, None)


@pytest.mark.parametrize("data", [call_data(STORE, 1, b"x", 0, []), call_data("forgetMemory(bytes32 a)", ID)])
def test_a_failed_call_does_nothing_but_is_remembered(data: bytes) -> None:
    (fact,) = facts_of(input=data, status=0)
    assert fact["memory"] is not None
    assert b"tried to" in fact["memory"]["content"]
    assert "failed" in fact["memory"]["tags"]


@pytest.mark.parametrize("data", [call_data(STORE, 1, b"x", 0, []), call_data("forgetMemory(bytes32 a)", ID)])
def test_a_counterparty_remembers_the_call_but_it_is_not_his(data: bytes) -> None:
    (fact,) = facts_of(input=data, agent=PEER, role="COUNTERPARTY")
    assert fact["owner"] == PEER
    assert fact["memory"] is not None
    assert fact["memory"]["type"] == "EPISODIC"


def test_before_byzantium_no_status_is_success() -> None:
    assert len(facts_of(input=call_data(STORE, 1, b"x", 0, []), status=None)) == 2


def test_the_same_transaction_in_two_forks_leaves_different_memories() -> None:
    ours, theirs = facts_of(block=5), facts_of(block={"number": 5, "hash": b"\x55" * 32, "parent": (4).to_bytes(32, "big")})
    assert ours[0]["memory_id"] != theirs[0]["memory_id"]


def test_store_command() -> None:
    (fact,) = command_facts(AGENT, command())
    assert fact["cause"] == command_cause(AGENT, b"\x01" * 16)
    assert fact["memory_id"] == command_memory_id(AGENT, b"\x01" * 16)
    assert fact["block"] is None
    memory = fact["memory"]
    assert memory is not None
    assert (memory["source"], memory["block"], memory["transaction_index"]) == ("COMMAND", None, -1)
    assert codec().decode(codec().encode("MemoryFact", fact)) == ("MemoryFact", fact)


def test_forget_command() -> None:
    (fact,) = command_facts(AGENT, command(op="FORGET", memory_id=ID, type=None))
    assert (fact["op"], fact["memory_id"], fact["owner"], fact["block"]) == ("DELETE", ID, AGENT, None)


def test_a_store_says_what_it_is_about_and_when_it_is_true() -> None:
    said = {"subject": "alice", "predicate": "lives in", "valid_from": -5, "valid_to": 7, "edges": [link(ID, relation="r")]}
    (fact,) = command_facts(AGENT, command(type="PROCEDURAL", **said))
    assert fact["memory"] is not None
    assert {name: fact["memory"][name] for name in said} == said  # type: ignore[literal-required]
    assert (fact["memory"]["type"], fact["memory"]["form"]) == ("PROCEDURAL", "MEMORY")


@pytest.mark.parametrize(("op", "kind"), [("SUPERSEDE", "SUPERSEDES"), ("MERGE", "MERGES")])
def test_what_takes_the_place_of_others_is_a_memory(op: str, kind: Any) -> None:
    edges = [{**plain_edge(kind, ID), "until": 7}, plain_edge(kind, b"\x08" * 32), link(ID)]
    (fact,) = command_facts(AGENT, command(op=op, edges=edges))
    assert (fact["op"], fact["memory_id"]) == ("UPSERT", OWN)
    assert fact["memory"] is not None
    assert (fact["memory"]["form"], fact["memory"]["content"], fact["memory"]["edges"]) == ("MEMORY", b"note", edges)


@pytest.mark.parametrize(("op", "kind", "reason"), [("LINK", "LINK", b""), ("INVALIDATE", "INVALIDATES", b"he moved")])
def test_amendments_are_records_with_nothing_to_find(op: str, kind: Any, reason: bytes) -> None:
    edges = [{**plain_edge(kind, ID), "source": b"\x08" * 32 if op == "LINK" else None}]
    (fact,) = command_facts(AGENT, command(op=op, edges=edges, type=None, content=reason))
    assert fact["memory"] is not None
    assert (fact["memory"]["form"], fact["memory"]["type"], fact["memory"]["content"]) == ("AMENDMENT", "SEMANTIC", reason)
    assert fact["memory"]["edges"] == edges
    assert codec().decode(codec().encode("MemoryFact", fact)) == ("MemoryFact", fact)


def test_commands_about_other_things_are_refused() -> None:
    with pytest.raises(PoisonError, match="GRANT is no command about memories"):
        command_facts(AGENT, command(op="GRANT"))


def test_a_store_may_name_the_id_it_leads_to() -> None:
    assert command_facts(AGENT, command(memory_id=command_memory_id(AGENT, b"\x01" * 16)))


@pytest.mark.parametrize(
    ("key", "fields", "reason"),
    [
        (PEER, {}, "record key"),
        (None, {}, "record key"),
        (AGENT, {"op": "FORGET", "memory_id": None}, "names no memory"),
        (AGENT, {"type": None}, "no memory type"),
        (AGENT, {"memory_id": ID}, "memory_id"),
        (AGENT, {"importance": 1.01}, "importance"),
        (AGENT, {"importance": -0.01}, "importance"),
        (AGENT, {"importance": float("nan")}, "importance"),
        (AGENT, {"importance": float("inf")}, "importance"),
        (AGENT, {"timestamp": -1}, "timestamp"),
        (AGENT, {"timestamp": 1_700_000_000_000}, "timestamp"),
        (AGENT, {"content": b""}, "content of 0 bytes"),
        (AGENT, {"content": b"x" * (MAX_CONTENT + 1)}, "content of 65537 bytes"),
        (AGENT, {"content": b"\xff"}, "UTF-8"),
        (AGENT, {"media_type": ""}, "media type"),
        (AGENT, {"tags": ["t"] * (MAX_TAGS + 1)}, "33 tags"),
        (AGENT, {"tags": ["t" * (MAX_TAG + 1)]}, "a tag"),
        (AGENT, {"tags": [""]}, "a tag"),
        (AGENT, {"subject": "alice"}, "predicate"),
        (AGENT, {"predicate": "lives in"}, "predicate"),
        (AGENT, {"subject": "", "predicate": "lives in"}, "subject or predicate"),
        (AGENT, {"subject": "s" * (MAX_STATEMENT + 1), "predicate": "p"}, "subject or predicate"),
        (AGENT, {"valid_from": 10, "valid_to": 10}, "not after the time from which it is true"),
        (AGENT, {"valid_to": 1_700_000_000}, "not after the time from which it is true"),
        (AGENT, {"valid_from": 2**62}, "unix seconds"),
        (AGENT, {"edges": [plain_edge("SUPERSEDES", ID)]}, "a command of its own"),
        (AGENT, {"edges": [link(ID, relation=str(n)) for n in range(MAX_EDGES + 1)]}, "65 edges"),
        (AGENT, {"edges": [link(ID), link(ID)]}, "twice"),
        (AGENT, {"edges": [link(b"short")]}, "32 bytes"),
        (AGENT, {"edges": [link(ID, source=b"short")]}, "32 bytes"),
        (AGENT, {"edges": [link(ID, source=ID)]}, "to itself"),
        (AGENT, {"edges": [link(OWN)]}, "to itself"),
        (AGENT, {"edges": [link(ID, strength=1.1)]}, "strength"),
        (AGENT, {"edges": [link(ID, strength=float("nan"))]}, "strength"),
        (AGENT, {"edges": [link(ID, relation="r" * (MAX_RELATION + 1))]}, "relation"),
        (AGENT, {"edges": [link(ID, until=5)]}, "no until"),
        (AGENT, {"op": "LINK"}, "names no memory"),
        (AGENT, {"op": "INVALIDATE", "edges": [link(ID)]}, "names no memory"),
        (AGENT, {"op": "SUPERSEDE"}, "names no memory"),
        (AGENT, {"op": "MERGE"}, "names no memory"),
        (AGENT, {"op": "SUPERSEDE", "edges": [{**plain_edge("SUPERSEDES", ID), "relation": "x"}]}, "only a LINK"),
        (AGENT, {"op": "SUPERSEDE", "edges": [{**plain_edge("SUPERSEDES", ID), "until": 2**62}]}, "until"),
        (AGENT, {"op": "SUPERSEDE", "edges": [plain_edge("SUPERSEDES", ID)], "content": b""}, "content of 0 bytes"),
        (AGENT, {"op": "SUPERSEDE", "edges": [plain_edge("SUPERSEDES", ID)], "type": None}, "no memory type"),
        (AGENT, {"op": "INVALIDATE", "edges": [plain_edge("INVALIDATES", ID)], "content": b"\xff"}, "UTF-8"),
    ],
)
def test_wrong_commands_are_poison_and_say_why(key: bytes | None, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(PoisonError, match=reason):
        command_facts(key, command(**fields))


def test_limits_themselves_are_allowed() -> None:
    at_limit = command(content=b"x" * MAX_CONTENT, tags=["t" * MAX_TAG] * MAX_TAGS, importance=1.0)
    assert command_facts(AGENT, at_limit)
    edges = [link(ID, relation=f"{n}".ljust(MAX_RELATION)) for n in range(MAX_EDGES)]
    assert command_facts(AGENT, command(edges=edges, subject="s" * MAX_STATEMENT, predicate="p"))
    assert command_facts(AGENT, command(content=b"\xff", media_type="image/png", importance=0.0))


@pytest.mark.parametrize(
    "text",
    [
        "remember that I prefer low slippage",
        "store this note for later: the vault pays on Friday",
        "forget my previous preference about gas",
        "export my memories",
        "what did agent 7 trade yesterday?",
    ],
)
def test_text_that_reads_like_an_order_is_not_carried_out(text: str) -> None:
    (fact,) = facts_of(input=text.encode())
    assert fact["op"] == "UPSERT"
    assert fact["memory"]["type"] == "EPISODIC"


@pytest.mark.parametrize(
    "fields",
    [
        {"media_type": "text/777777", "content": b"\xff"},
        {"media_type": "777777" * 40},
        {"tags": ["777777" * 20]},
        {"subject": "777777"},
        {"valid_from": 777_777, "valid_to": 5},
        {"edges": [{**plain_edge("LINK", b"\2" * 32), "relation": "777777" * 20}]},
        {"edges": [{**plain_edge("LINK", b"\2" * 32), "strength": 777_777.0}]},
        {"op": "INVALIDATE", "edges": [{**plain_edge("INVALIDATES", b"\2" * 32), "until": 777_777 << 40}]},
    ],
    ids=str,
)
def test_what_is_said_of_a_refused_command_repeats_nothing_private(fields: dict[str, Any]) -> None:
    plain = {**plain_command(b"\1" * 16, b"\1" * 20, "STORE", 5), "type": "SEMANTIC", "content": b"x"}
    with pytest.raises(PoisonError) as refused:
        command_facts(b"\1" * 20, cast("MemoryCommand", {**plain, **fields}))
    assert "7777" not in f"{refused.value} {refused.value.hint}" and str(777_777 << 40) not in str(refused.value)


LINK_CALL, INVALIDATE_CALL = "linkMemories(bytes32 a,bytes32 b,string c)", "invalidateMemory(bytes32 a,string b)"
SUPERSEDE_CALL = "supersedeMemory(bytes32 a,uint8 b,bytes c,uint16 d,string[] e)"
MERGE_CALL = "mergeMemories(bytes32[] a,uint8 b,bytes c,uint16 d,string[] e)"
OTHER = b"\x08" * 32
RELATING: list[tuple[bytes, dict[str, Any]]] = [
    (
        call_data(LINK_CALL, ID, OTHER, "caused"),
        {"op": "LINK", "type": None, "content": b"", "tags": [], "edges": [link(OTHER, source=ID, relation="caused")]},
    ),
    (
        call_data(INVALIDATE_CALL, ID, "it has moved"),
        {"op": "INVALIDATE", "type": None, "content": b"it has moved", "tags": [], "edges": [plain_edge("INVALIDATES", ID)]},
    ),
    (
        call_data(SUPERSEDE_CALL, ID, 4, b"it is blue", 9_000, ["colour"]),
        {
            "op": "SUPERSEDE", "type": "SEMANTIC", "content": b"it is blue", "importance": 0.9, "tags": ["colour"],
            "edges": [plain_edge("SUPERSEDES", ID)],
        },
    ),
    (
        call_data(MERGE_CALL, [ID, OTHER], 1, b"both", 5_000, []),
        {
            "op": "MERGE", "type": "LONG_TERM", "content": b"both", "importance": 0.5, "tags": [],
            "edges": [plain_edge("MERGES", ID), plain_edge("MERGES", OTHER)],
        },
    ),
]  # fmt: skip
PLACED = {"id", "source", "block", "transaction", "transaction_index", "timestamp"}


@pytest.mark.parametrize(("data", "said"), RELATING)
def test_calls_about_memories_leave_what_the_commands_leave(data: bytes, said: dict[str, Any]) -> None:
    _, asked = facts_of(input=data)
    (commanded,) = command_facts(AGENT, command(**said))
    on_chain, off_chain = asked["memory"], commanded["memory"]
    assert on_chain is not None
    assert off_chain is not None
    assert {k: v for k, v in on_chain.items() if k not in PLACED} == {k: v for k, v in off_chain.items() if k not in PLACED}
    assert on_chain["id"] == asked["memory_id"] == chain_memory_id(1, (1).to_bytes(32, "big"), 0, AGENT, ASKED)
    assert (on_chain["source"], on_chain["block"], asked["owner"]) == ("CHAIN", asked["block"], AGENT)


@pytest.mark.parametrize("data", [data for data, _ in RELATING])
@pytest.mark.parametrize("fields", [{"status": 0}, {"agent": PEER, "role": "COUNTERPARTY"}])
def test_calls_that_failed_or_are_anothers_relate_nothing(data: bytes, fields: dict[str, Any]) -> None:
    (happened,) = facts_of(input=data, **fields)
    assert happened["memory"] is not None
    assert happened["memory"]["edges"] == []


@pytest.mark.parametrize(
    "data",
    [
        call_data(LINK_CALL, ID, ID, "to itself"),
        call_data(LINK_CALL, ID, OTHER, "x" * (MAX_RELATION + 1)),
        call_data(INVALIDATE_CALL, ID, "x" * (MAX_CONTENT + 1)),
        call_data(SUPERSEDE_CALL, ID, 6, b"x", 0, []),
        call_data(SUPERSEDE_CALL, ID, 4, b"", 0, []),
        call_data(SUPERSEDE_CALL, ID, 4, b"x", 10_001, []),
        call_data(SUPERSEDE_CALL, ID, 4, b"x", 0, ["t"] * (MAX_TAGS + 1)),
        call_data(SUPERSEDE_CALL, ID, 4, b"x", 0, [""]),
        call_data(MERGE_CALL, [], 4, b"x", 0, []),
        call_data(MERGE_CALL, [ID, ID], 4, b"x", 0, []),
        call_data(MERGE_CALL, [n.to_bytes(32, "big") for n in range(MAX_EDGES + 1)], 4, b"x", 0, []),
        *(data[:-1] for data, _ in RELATING),
        *(data + b"\0" for data, _ in RELATING),
        *(data[:4] for data, _ in RELATING),
        *(data[:4] + b"\xff" * (len(data) - 4) for data, _ in RELATING),
    ],
)
def test_calls_that_say_nothing_sound_leave_what_happened_alone(data: bytes) -> None:
    (happened,) = facts_of(input=data)
    assert happened["op"] == "UPSERT"

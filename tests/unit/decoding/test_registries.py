"""Events of ERC-8004 registries: what is read, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from streams.decoding.registries import statement_of
from tests.transactions import AGENT, CONTRACT, PEER, log

HASH = b"\x07" * 32
TAG = b"fast".ljust(32, b"\0")

LOGS: list[tuple[dict[str, Any], str, str, dict[str, Any]]] = [
    (
        log(CONTRACT, "Registered(uint256,string,address)", 7, AGENT, data=encode(["string"], ["ipfs://card"])),
        "IDENTITY", "Registered", {"uri": "ipfs://card", "owner": AGENT},
    ),
    (
        log(CONTRACT, "URIUpdated(uint256,string,address)", 7, AGENT, data=encode(["string"], ["https://x"])),
        "IDENTITY", "URIUpdated", {"uri": "https://x", "by": AGENT},
    ),
    (
        log(CONTRACT, "MetadataSet(uint256,string,string,bytes)", 7, HASH, data=encode(["string", "bytes"], ["k", b"v"])),
        "IDENTITY", "MetadataSet", {"hashed_key": HASH, "key": "k", "value": b"v"},
    ),
    (
        log(
            CONTRACT,
            "NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)", 7, PEER, HASH,
            data=encode(
                ["uint64", "int128", "uint8", "string", "string", "string", "string", "bytes32"],
                [3, -150, 1, "speed", "", "https://a", "ipfs://f", HASH],
            ),
        ),
        "FEEDBACK", "NewFeedback",
        {"client": PEER, "index": 3, "value": -150, "decimals": 1, "tag": "speed", "endpoint": "https://a", "uri": "ipfs://f"},
    ),
    (
        log(
            CONTRACT, "NewFeedback(uint256,address,uint8,bytes32,bytes32,string,bytes32)", 7, PEER, TAG,
            data=encode(["uint8", "bytes32", "string", "bytes32"], [88, bytes(32), "ipfs://f", HASH]),
        ),
        "FEEDBACK", "NewFeedback", {"client": PEER, "value": 88, "tag": TAG},
    ),
    (log(CONTRACT, "FeedbackRevoked(uint256,address,uint64)", 7, PEER, 3), "FEEDBACK", "FeedbackRevoked", {"index": 3}),
    (
        log(
            CONTRACT, "ResponseAppended(uint256,address,uint64,address,string,bytes32)", 7, PEER, AGENT,
            data=encode(["uint64", "string", "bytes32"], [3, "ipfs://r", HASH]),
        ),
        "FEEDBACK", "ResponseAppended", {"client": PEER, "index": 3, "responder": AGENT},
    ),
    (
        log(CONTRACT, "ValidationRequest(address,uint256,string,bytes32)", PEER, 7, HASH, data=encode(["string"], ["u"])),
        "VALIDATION", "ValidationRequest", {"validator": PEER, "request": HASH},
    ),
    (
        log(
            CONTRACT, "ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,string)", PEER, 7, HASH,
            data=encode(["uint8", "string", "bytes32", "string"], [100, "u", HASH, "hard"]),
        ),
        "VALIDATION", "ValidationResponse", {"response": 100, "tag": "hard"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "kind", "event", "told"), LOGS, ids=lambda value: value if isinstance(value, str) else "")
def test_events_of_the_registries_are_read(entry: Any, kind: str, event: str, told: dict[str, Any]) -> None:
    found = statement_of(entry)
    assert found is not None
    assert (found.kind, found.event, found.registry, found.agent_id) == (kind, event, CONTRACT, 7)
    assert told.items() <= found.arguments.items()


def test_topics_are_those_of_deployed_contracts() -> None:
    draft = LOGS[4][0]["topics"][0]
    assert draft.hex() == "54b3254e4cc01969e70376d20390cc2f6af90539d9adaa78a53ebcda17f78154"  # from published bindings


@pytest.mark.parametrize("entry", [case[0] for case in LOGS])
@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: {**entry, "topics": entry["topics"][:-1]},
        lambda entry: {**entry, "topics": []},
        lambda entry: {**entry, "data": entry["data"] + b"\x01"},
        lambda entry: {**entry, "data": b"\xff" * 64},
        lambda entry: {**entry, "data": bytes(20_000)},
        lambda entry: {**entry, "topics": [b"\x01" * 32, *entry["topics"][1:]]},
    ],
)
def test_what_is_no_strict_encoding_is_no_statement(entry: Any, damage: Any) -> None:
    assert statement_of(damage(entry)) is None


@given(
    st.sampled_from([case[0]["topics"][0] for case in LOGS]),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4),
    st.binary(),
)
def test_hostile_logs_never_break_the_reader(first: bytes, topics: list[bytes], data: bytes) -> None:
    statement_of({"index": 0, "address": CONTRACT, "topics": [first, *topics], "data": data})

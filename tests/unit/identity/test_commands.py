"""A command's signature is of one signer over every other field, in the version it was written in."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.codec import Codec, codec
from streams.identity.commands import by_agent, by_gateway, sign_as_agent, sign_as_gateway
from streams.signing import Signer, Verifier
from tests.identity import member
from tests.samples import SAMPLES

ALICE, BOB = member(1), member(2)
GATEWAY, OTHER = Signer(b"\1" * 32), Signer(b"\2" * 32)
TRUSTED = Verifier([GATEWAY.public])
COMMAND: Any = SAMPLES["MemoryCommand"]


def test_who_signed_is_told_apart() -> None:
    own, theirs = sign_as_agent(ALICE.key, COMMAND), sign_as_gateway(GATEWAY, COMMAND)
    assert by_agent(ALICE.key.public, own)
    assert by_gateway(TRUSTED, theirs)
    assert not by_agent(BOB.key.public, own)
    assert not by_agent(ALICE.key.public, theirs)
    assert not by_gateway(TRUSTED, own)
    assert not by_gateway(TRUSTED, sign_as_gateway(OTHER, COMMAND))
    assert not by_agent(ALICE.key.public, {**COMMAND, "signature": None})
    assert not by_gateway(TRUSTED, {**COMMAND, "signature": None})


@pytest.mark.parametrize("field", [name for name in COMMAND if name != "signature"])
def test_every_field_is_signed(field: str) -> None:
    plain: Any = {**COMMAND, "session_terms": None, "grant": None, "memory": None, "edges": []}
    value = plain[field]
    other: Any = {
        bytes: lambda v: v[:-1] + bytes([v[-1] ^ 1]),
        str: lambda v: {"STORE": "FORGET", "WORKING": "SEMANTIC"}.get(v, v + "x"),
        int: lambda v: v + 1,
        float: lambda v: v + 0.25,
        list: lambda v: COMMAND[field] if not v else [],
        type(None): lambda _: COMMAND[field],
    }[type(value)](value)
    altered: Any = {**plain, field: other}
    assert not by_agent(ALICE.key.public, {**altered, "signature": sign_as_agent(ALICE.key, plain)["signature"]})
    assert not by_gateway(TRUSTED, {**altered, "signature": sign_as_gateway(GATEWAY, plain)["signature"]})


def test_a_command_of_an_older_version_keeps_its_signature() -> None:
    older = Codec(bound=6)
    plain = {**COMMAND, "signature": None}
    message = b"monmouth/MemoryCommand/1" + older.encode("MemoryCommand", plain)
    raw = older.encode("MemoryCommand", {**plain, "signature": ALICE.key.sign(message)})
    read = codec().decode(raw)[1]
    assert by_agent(ALICE.key.public, read, raw)
    assert not by_agent(ALICE.key.public, {**read, "content": b"other"}), "without its bytes it would be another record"

"""Rows of agents.access count only from a trusted worker, and not over newer ones."""

from __future__ import annotations

import pytest

from schemas.codec import SchemaError, codec
from schemas.records import AgentAccess
from streams.agents.access import Authority, nothing_granted, published
from streams.errors import MonmouthError
from streams.serving.access import AccessTail
from streams.settings import KafkaSettings
from streams.signing import Signer, Verifier
from tests.identity import member

ALICE, BOB = member(1), member(2)
WORKER, FOREIGN = Signer(b"\1" * 32), Signer(b"\2" * 32)


def row(signer: Signer = WORKER, since: int = 5, **fields: object) -> bytes:
    access: AgentAccess = {**nothing_granted(ALICE.agent), "public_key": ALICE.key.public, "since": since, **fields}  # type: ignore[typeddict-item]
    value = published(Authority(signer=signer), access).value
    assert value is not None
    return codec().encode("AgentAccess", value)


async def test_what_counts_and_what_does_not() -> None:
    tail = AccessTail(KafkaSettings(), Verifier([WORKER.public]), 0.1)
    tail._complete = True
    tail._take(ALICE.agent, row())
    assert (await tail.held(ALICE.agent))["since"] == 5
    for key, value in (
        (ALICE.agent, row(FOREIGN, 9)),
        (BOB.agent, row(since=9)),
        (None, row(since=9)),
        (ALICE.agent, row(since=4)),
        (ALICE.agent, codec().encode("AgentAccess", {**nothing_granted(ALICE.agent), "since": 9})),
        (ALICE.agent, b"garbage"),
    ):
        with pytest.raises(SchemaError):
            tail._take(key, value)
    assert (await tail.held(ALICE.agent))["since"] == 5
    tail._take(ALICE.agent, row(since=6, public_key=None))
    assert (await tail.held(ALICE.agent))["public_key"] is None
    tail._take(ALICE.agent, None)
    assert await tail.held(ALICE.agent) == nothing_granted(ALICE.agent)
    assert await tail.held(BOB.agent) == nothing_granted(BOB.agent)


async def test_no_older_word_about_a_grant_counts_and_none_of_an_erased_agent() -> None:
    def granting(rights: list[str], since: int) -> bytes:
        grant = {"grantee": BOB.agent, "rights": rights, "namespace": "a", "until": None, "since": since}
        return row(grants=[grant])

    tail = AccessTail(KafkaSettings(), Verifier([WORKER.public]), 0.1)
    tail._complete = True
    given, taken = granting(["read"], 7), granting([], 8)
    for value in (row(), given, taken, taken):
        tail._take(ALICE.agent, value)
    for older in (row(), given):
        with pytest.raises(SchemaError, match="older word"):
            tail._take(ALICE.agent, older)
    assert (await tail.held(ALICE.agent))["grants"][0]["rights"] == []
    tail._take(ALICE.agent, None)
    with pytest.raises(SchemaError, match="erased"):
        tail._take(ALICE.agent, taken)
    assert await tail.held(ALICE.agent) == nothing_granted(ALICE.agent)


async def test_who_has_granted_anything_is_known_until_it_is_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = AccessTail(KafkaSettings(), Verifier([WORKER.public]), 0.1)

    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr(tail.tail, "barrier", at_once)
    grant = {"grantee": BOB.agent, "rights": ["read"], "namespace": "a", "until": None, "since": 7}
    for value in (row(), row(grants=[grant]), row(grants=[{**grant, "rights": [], "since": 8}])):
        assert await tail.granting(ALICE.agent) == []
        tail._take(ALICE.agent, value)
    assert [(of["agent"], of["grants"][0]["rights"]) for of in await tail.granting(BOB.agent)] == [(ALICE.agent, [])]
    tail._take(ALICE.agent, None)
    assert await tail.granting(BOB.agent) == []


async def test_a_tail_that_has_not_read_or_has_failed_gives_no_answer() -> None:
    tail = AccessTail(KafkaSettings(), Verifier([WORKER.public]), 0.1)
    with pytest.raises(MonmouthError):
        await tail.held(ALICE.agent)
    with pytest.raises(MonmouthError):
        await tail.granting(ALICE.agent)
    tail._complete = True
    tail.tail.failure = MonmouthError("ended")
    with pytest.raises(MonmouthError, match="ended"):
        await tail.held(ALICE.agent)

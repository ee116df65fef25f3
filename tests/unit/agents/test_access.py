"""Keys, grants and signatures in the memory agent: what counts, what does not, and what is put aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.codec import codec
from schemas.defaults import NO_TERMS, plain_memory
from schemas.records import MemoryCommand
from streams import topics
from streams.agents.access import MAX_GRANTS, Access, Authority, Policy, live_grants, vouched_for
from streams.agents.base import Record
from streams.agents.expiry import expiry_of
from streams.agents.memory import MemoryAgent
from streams.core.presence import everything
from streams.errors import PoisonError
from streams.identity.commands import sign_as_agent, sign_as_gateway
from streams.signing import Signer, Verifier
from tests.fakes import DictMemoryStore, MemoryState
from tests.identity import PLACE, Member, member

ALICE, BOB, CAROL = member(1), member(2), member(3)
WORKER = Signer(b"\3" * 32)
GATEWAY, FOREIGN = Signer(b"\1" * 32), Signer(b"\2" * 32)
NOW = 2_000


def record(command: MemoryCommand, key: bytes | None = None) -> Record:
    raw = codec().encode("MemoryCommand", command)
    return Record(topics.COMMANDS, 0, 0, key or command["agent"], "MemoryCommand", codec().decode(raw)[1], raw)


def access(policy: Policy = "gateway", state: MemoryState | None = None) -> Access:
    return Access(state or MemoryState(), Authority(policy, Verifier([GATEWAY.public]), PLACE))


def storing(of: Member = ALICE, timestamp: int = NOW, **fields: Any) -> MemoryCommand:
    return of.command("STORE", timestamp, type="SEMANTIC", content=b"note", **fields)


def granting(rights: Sequence[str], namespace: str = "", until: int | None = None, timestamp: int = NOW, to: Member = BOB):
    grant = {"grantee": to.agent, "rights": [*rights], "namespace": namespace, "until": until}
    return ALICE.command("GRANT", timestamp, grant=grant)


def revoking(timestamp: int, namespace: str = "", to: Member = BOB) -> MemoryCommand:
    grant = {"grantee": to.agent, "rights": [], "namespace": namespace, "until": None}
    return ALICE.command("REVOKE", timestamp, grant=grant)


def gate(command: MemoryCommand, signer: Signer = GATEWAY) -> Record:
    return record(sign_as_gateway(signer, command))


def taken(at: Access, *records: Record) -> int:
    return len(at.take(records)[0])


def refused(at: Access, one: Record, why: str) -> None:
    before = dict(at._state.content)  # type: ignore[attr-defined]
    with pytest.raises(PoisonError, match=why):
        at.take([one])
    assert at._state.content == before  # type: ignore[attr-defined]


# Signatures.


def test_by_default_of_a_gateway_or_of_the_agent() -> None:
    at = access()
    refused(at, record(storing()), "nobody signed")
    refused(at, gate(storing(), FOREIGN), "by nobody who may")
    refused(at, record({**storing(), "signature": b""}), "by nobody who may")
    refused(at, record({**storing(), "signature": bytes(72)}), "by nobody who may")
    refused(at, record(sign_as_agent(ALICE.key, storing())), "not signed by the agent's key")
    assert taken(at, gate(storing())) == 1
    at.take([record(ALICE.registration())])
    assert taken(at, record(sign_as_agent(ALICE.key, storing()))) == 1
    assert taken(at, gate(storing())) == 1
    refused(at, record(sign_as_agent(BOB.key, storing())), "not signed by the agent's key")
    altered = {**sign_as_agent(ALICE.key, storing()), "content": b"altered"}
    refused(at, record(altered), "not signed by the agent's key")


def test_signed_asks_for_the_agents_own_signature() -> None:
    at = access("signed")
    refused(at, gate(storing()), "by nobody who may")
    at.take([record(ALICE.registration())])
    refused(at, gate(storing()), "by nobody who may")
    assert taken(at, record(sign_as_agent(ALICE.key, storing()))) == 1
    revocation = ALICE.command("REVOKE", NOW)
    refused(at, gate(revocation), "neither the agent's account")


def test_signed_takes_of_a_gateway_that_a_session_is_over_and_nothing_else() -> None:
    at, session = access("signed"), {"agent": ALICE.agent, "id": b"\x11" * 16, "expires": NOW}
    close = expiry_of(session)  # type: ignore[arg-type]
    assert taken(at, gate(close)) == 1
    refused(at, gate(close, FOREIGN), "by nobody who may")
    for more in (
        {"session_terms": {**NO_TERMS, "promote": False}},
        {"id": bytes(16)},
        {"op": "SESSION_CHANGE"},
        {"author": BOB.agent},
    ):
        refused(at, gate({**close, **more}), "by nobody who may")  # type: ignore[typeddict-item]


def test_open_asks_for_nothing_but_what_a_key_statement_proves() -> None:
    at = access("open")
    assert taken(at, record(storing())) == 1
    refused(at, record({**ALICE.registration(), "proof": bytes(161)}), "does not hold the key")


async def test_the_memory_agent_keeps_nothing_of_a_command_that_does_not_count() -> None:
    store, state = DictMemoryStore(), MemoryState()
    agent = MemoryAgent(0, state, store, authority=Authority("gateway", Verifier([GATEWAY.public]), PLACE, WORKER))
    with pytest.raises(PoisonError):
        list(agent.apply(None, [record(storing())]))
    assert state.content == {}
    emits = list(agent.apply(None, [gate(storing()), record(ALICE.registration())]))
    await agent.flush()
    assert len(await store.live_ids(ALICE.agent, everything)) == 1
    assert [emit.topic for emit in emits] == [topics.MEMORY_LOG, topics.MEMORY_STATE, topics.ACCESS]
    assert emits[-1].value is not None
    assert emits[-1].value["public_key"] == ALICE.key.public
    row = codec().decode(codec().encode("AgentAccess", emits[-1].value))[1]
    assert vouched_for(row, Verifier([WORKER.public]))
    assert not vouched_for(row, Verifier([GATEWAY.public]))
    assert not vouched_for({**row, "public_key": BOB.key.public}, Verifier([WORKER.public]))
    assert not vouched_for({**row, "signature": None}, Verifier([WORKER.public]))


# Keys.


def test_a_key_is_replaced_by_the_account_or_by_the_key_itself() -> None:
    at, second, third = access("signed"), member(11).key, member(12).key
    at.take([record(ALICE.registration(1_000))])
    rotation = ALICE.command("REGISTER_KEY", 1_001, public_key=second.public, proof=second.prove_possession())
    refused(at, record(rotation), "neither the agent's account nor its present key")
    refused(at, record(sign_as_agent(BOB.key, rotation)), "neither the agent's account nor its present key")
    at.take([record(sign_as_agent(ALICE.key, rotation))])
    assert at.of(ALICE.agent)["public_key"] == second.public
    refused(at, record(sign_as_agent(ALICE.key, storing())), "not signed by the agent's key")
    assert taken(at, record(sign_as_agent(second, storing()))) == 1
    at.take([record(ALICE.registration(1_002, key=third))])
    assert at.of(ALICE.agent)["public_key"] == third.public


def test_no_key_comes_back_by_being_sent_again() -> None:
    at = access()
    first, second = ALICE.registration(1_000), ALICE.registration(1_001, key=member(11).key)
    at.take([record(first)])
    at.take([record(first)])  # a retry
    at.take([record(second)])
    refused(at, record(first), "a later word")
    at.take([gate(ALICE.command("REVOKE", 1_002))])
    assert at.of(ALICE.agent)["public_key"] is None
    refused(at, record(second), "a later word")
    at.take([gate(ALICE.command("REVOKE", 1_002))])
    at.take([record(ALICE.registration(1_003))])
    assert at.of(ALICE.agent)["public_key"] == ALICE.key.public


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"public_key": None}, "does not hold the key"),
        ({"public_key": BOB.key.public}, "does not hold the key"),
        ({"public_key": b"\xc0" + bytes(47)}, "does not hold the key"),
        ({"proof": None}, "does not hold the key"),
        ({"proof": BOB.registration()["proof"]}, "does not hold the key"),
        ({"proof": ALICE.key.prove_possession()}, "neither the agent's account"),
        ({"proof": BOB.account.sign("x") + ALICE.key.prove_possession()}, "neither the agent's account"),
        ({"timestamp": 1_001}, "neither the agent's account"),
        ({"agent": BOB.agent}, "neither the agent's account"),
    ],
)
def test_what_registers_no_key(wrong: dict[str, Any], why: str) -> None:
    command: Any = {**ALICE.registration(1_000), **wrong}
    refused(access(), record(command), why)


def test_a_registration_for_another_place_is_none_here() -> None:
    elsewhere = ALICE.registration(1_000, place=PLACE._replace(installation="elsewhere"))
    refused(access(), record(elsewhere), "neither the agent's account")


def test_revoked_by_account_key_or_gateway() -> None:
    revocation = ALICE.command("REVOKE", 1_001)
    by_account: Any = {**revocation, "proof": ALICE.account.sign(PLACE.revocation(ALICE.agent, 1_001))}
    for ending in (by_account, sign_as_agent(ALICE.key, revocation), sign_as_gateway(GATEWAY, revocation)):
        at = access()
        at.take([record(ALICE.registration(1_000))])
        refused(at, record(revocation), "neither the agent's account")
        refused(at, record(sign_as_agent(BOB.key, revocation)), "neither the agent's account")
        refused(at, record(sign_as_gateway(FOREIGN, revocation)), "neither the agent's account")
        refused(at, gate({**revocation, "author": BOB.agent}), "neither the agent's account")
        at.take([record(ending)])
        assert at.of(ALICE.agent)["public_key"] is None
        refused(at, record(sign_as_agent(ALICE.key, storing())), "not signed by the agent's key")


def test_a_key_statement_has_its_agent_as_the_record_key() -> None:
    refused(access(), record(ALICE.registration(), key=BOB.agent), "record key")


# Grants.


def foreign(namespace: str = "", timestamp: int = NOW, **fields: Any) -> Record:
    tags = [namespace] if namespace else []
    return gate(storing(author=BOB.agent, tags=tags, timestamp=timestamp, **fields))


def test_another_agent_stores_under_a_grant_alone() -> None:
    at = access()
    refused(at, foreign(), "no grant")
    at.take([gate(granting(["read"], timestamp=1))])
    refused(at, foreign(), "no grant")
    at.take([gate(granting(["read", "write"], "team", until=NOW + 10, timestamp=2))])
    assert taken(at, foreign("team")) == 1
    refused(at, foreign("other"), "no grant")
    refused(at, foreign(), "no grant")
    refused(at, gate(storing(author=BOB.agent, tags=["team", "other"], timestamp=NOW)), "no grant")
    assert taken(at, foreign("team", NOW + 9)) == 1
    refused(at, foreign("team", NOW + 10), "no grant")
    refused(at, gate(storing(author=CAROL.agent, tags=["team"])), "no grant")
    refused(at, record(sign_as_agent(BOB.key, storing(author=BOB.agent, tags=["team"]))), "by nobody who may")
    at.take([gate(revoking(3, "team"))])
    refused(at, foreign("team"), "no grant")


def test_a_grant_is_for_storing_and_nothing_else() -> None:
    at = access()
    at.take([gate(granting(["read", "write"], timestamp=1))])
    assert taken(at, foreign()) == 1
    for op in ("FORGET", "GRANT", "REVOKE", "ERASE", "LINK", "SUPERSEDE", "IMPORT"):
        grant = {"grantee": CAROL.agent, "rights": ["read"], "namespace": "", "until": None}
        refused(at, gate(ALICE.command(op, author=BOB.agent, grant=grant)), "the agent's own to say")  # type: ignore[arg-type]


def test_no_grant_comes_back_by_being_sent_again() -> None:
    at, wide = access(), gate(granting(["read", "write"], timestamp=5))
    at.take([wide, wide])
    at.take([gate(granting(["read"], timestamp=6))])
    refused(at, wide, "a later word")
    at.take([gate(revoking(7))])
    refused(at, wide, "a later word")
    assert live_grants(at.of(ALICE.agent), BOB.agent, "read", NOW) == []
    at.take([gate(granting(["write"], timestamp=8))])
    assert [grant["rights"] for grant in live_grants(at.of(ALICE.agent), BOB.agent, "write", NOW)] == [["write"]]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (granting([]), "rights are"),
        (granting(["admin"]), "rights are"),
        (granting(["read"], "x" * 65), "namespace longer"),
        (granting(["read"], to=ALICE), "needs no grant"),
        (ALICE.command("GRANT"), "names no grant"),
    ],
)
def test_what_is_no_grant(command: MemoryCommand, why: str) -> None:
    refused(access(), gate(command), why)


def test_grants_are_limited() -> None:
    at = access("open")
    at.take([record(granting(["read"], f"n{number}")) for number in range(MAX_GRANTS)])
    refused(at, record(granting(["read"], "one more")), "has spoken of")
    at.take([record(granting(["write"], "n0", timestamp=NOW + 1))])
    assert len(at.of(ALICE.agent)["grants"]) == MAX_GRANTS


def test_equal_statements_in_any_order_leave_equal_states() -> None:
    one, two = MemoryState(), MemoryState()
    statements = [gate(granting(["read"], f"n{number}", timestamp=number)) for number in range(5)]
    access(state=one).take(statements)
    access(state=two).take(statements[::-1])
    assert one.content == two.content


@pytest.mark.parametrize("op", ["FORGET", "ERASE", "GRANT", "REVOKE", "SUPERSEDE", "SESSION_CLOSE", "IMPORT"])
def test_a_session_named_by_another_agent_opens_nothing_but_storing_in_it(op: Any) -> None:
    grant = {"grantee": BOB.agent, "rights": ["read", "write"], "namespace": "", "until": None}
    fields = {"memory_id": bytes(32)} if op == "FORGET" else {"grant": grant} if op in {"GRANT", "REVOKE"} else {}
    command = ALICE.command(op, NOW, author=BOB.agent, session=b"\x11" * 16, **fields)
    refused(access(), gate(command), "agent's own to say")
    storing_in = gate(storing(author=BOB.agent, session=b"\x11" * 16))
    assert taken(access(), storing_in) == 1, "what the session then makes of it is its own matter"


def test_what_an_agent_imports_by_itself_is_marked_as_a_claim() -> None:
    at = access()
    at.take([record(ALICE.registration())])
    memory: Any = {**plain_memory(bytes(32), ALICE.agent, "EPISODIC", "CHAIN", NOW), "content": b"sold the moon"}
    forged = ALICE.command("IMPORT", NOW, memory_id=bytes(32), memory=memory)
    refused(at, record(sign_as_agent(ALICE.key, forged)), "imported_from is not set")
    assert taken(at, gate(forged)) == 1, "a gateway has seen the package and its attestation"
    claimed: Any = {**forged, "memory": {**memory, "imported_from": b"\x07" * 32}}
    assert taken(at, record(sign_as_agent(ALICE.key, claimed))) == 1

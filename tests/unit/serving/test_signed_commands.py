"""Sessions and erasures of agents that sign for themselves, where a gateway may say nothing in their name."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace
from typing import Any

import httpx
import pytest

from schemas.codec import codec, using
from schemas.defaults import NO_TERMS
from schemas.records import MemoryCommand
from streams.identity.bls import SecretKey
from streams.identity.commands import by_agent, sign_as_agent
from streams.serving import eraser as erasing
from streams.serving.commands import Acknowledged
from streams.serving.faults import ForbiddenError
from streams.serving.sessions import Closer, SessionTail
from streams.settings import KafkaSettings
from streams.signing import Verifier
from streams.vault.receipt import check
from streams.vault.sealing import SealingCodec
from tests.identity import bearer, member
from tests.unit.serving.folding import SIGNER, Folding
from tests.unit.serving.test_eraser import TRUSTED, restarted
from tests.unit.serving.world import World, client

ALICE, BOB = member(1), member(2)
SESSION, OTHER = uuid.UUID(int=5), uuid.UUID(int=6)
A = f"/v1/agents/{ALICE.name}"


@pytest.fixture
def signing(folded: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Commands go to the fold as they are sent raw; what the gateway itself would sign is refused."""
    fold = Folding(folded).send

    async def send(command: MemoryCommand) -> Acknowledged:
        if command["signature"] is None:
            raise ForbiddenError("agents sign their commands themselves here")
        return await fold(command)

    monkeypatch.setattr(folded.commands, "send", send)
    return folded


async def said(http: httpx.AsyncClient, op: Any, key: SecretKey | None = None, **fields: Any) -> httpx.Response:
    command = ALICE.command(op, fields.pop("at", int(time.time())), **{"session": SESSION.bytes, **fields})
    signed = sign_as_agent(key or ALICE.key, command)
    return await http.post("/v1/commands", content=codec().encode_open("MemoryCommand", signed))


async def state(http: httpx.AsyncClient, world: World, session: uuid.UUID = SESSION) -> str:
    answer = await http.get(f"{A}/sessions/{session}", headers=bearer(world.token_of(ALICE)))
    return str(answer.json()["state"])


async def texts(http: httpx.AsyncClient, world: World, path: str = "/memories") -> list[str]:
    answer = await http.get(A + path, headers=bearer(world.token_of(ALICE)))
    return sorted(item["text"] for item in answer.json()["items"])


async def test_a_session_from_its_opening_to_its_end_in_the_agents_own_words(http: httpx.AsyncClient, signing: World) -> None:
    signing.token_of(ALICE)
    http.headers.pop("authorization")
    terms = {**NO_TERMS, "goal": "trade", "max_memories": 2}
    assert (await said(http, "SESSION_OPEN", session_terms=terms)).status_code == 202
    assert (await said(http, "SESSION_OPEN", session=OTHER.bytes)).status_code == 202
    for session, text in ((SESSION, b"one"), (OTHER, b"two")):
        stored = await said(http, "STORE", session=session.bytes, type="WORKING", content=text)
        assert stored.status_code == 202, stored.text
    assert (await said(http, "SESSION_CHANGE", session_terms={**NO_TERMS, "seconds": 60})).status_code == 202
    merged = await said(http, "SESSION_MERGE", session_terms={**NO_TERMS, "merge_from": OTHER.bytes})
    assert merged.status_code == 202, merged.text
    assert await texts(http, signing, f"/sessions/{SESSION}/memories") == ["one", "two"]
    assert await texts(http, signing) == []
    assert (await said(http, "SESSION_CLOSE")).status_code == 202
    assert (await state(http, signing), await state(http, signing, OTHER)) == ("CLOSED", "MERGED")
    assert await texts(http, signing) == ["one", "two"]
    for raw in signing.commands.raw:
        assert by_agent(ALICE.key.public, codec().decode(raw)[1], raw)


@pytest.mark.parametrize(
    ("op", "fields", "status"),
    [
        ("SESSION_OPEN", {"session": None}, 400),
        ("SESSION_OPEN", {"session": OTHER.bytes, "session_terms": {**NO_TERMS, "seconds": 0}}, 400),
        ("SESSION_OPEN", {"session": OTHER.bytes, "session_terms": {**NO_TERMS, "collaborators": [ALICE.agent]}}, 400),
        ("SESSION_OPEN", {"session": OTHER.bytes, "at": 2_000}, 400),
        ("SESSION_OPEN", {"session": OTHER.bytes, "author": BOB.agent}, 403),
        ("SESSION_CHANGE", {"session": OTHER.bytes}, 404),
        ("SESSION_CHANGE", {"session_terms": {**NO_TERMS, "max_memories": 1_001}}, 400),
        ("SESSION_MERGE", {}, 400),
        ("SESSION_MERGE", {"session_terms": {**NO_TERMS, "merge_from": SESSION.bytes}}, 400),
        ("SESSION_MERGE", {"session_terms": {**NO_TERMS, "merge_from": OTHER.bytes}}, 404),
        ("SESSION_CLOSE", {"session": OTHER.bytes}, 404),
        ("SESSION_CLOSE", {"at": int(time.time()) + 3_000}, 400),
        ("STORE", {"session": OTHER.bytes, "type": "WORKING", "content": b"x"}, 404),
        ("STORE", {"type": "WORKING", "content": b"x", "subject": "a", "predicate": "b"}, 400),
        ("STORE", {"type": "WORKING", "content": b""}, 400),
    ],
)
async def test_what_the_fold_would_refuse_is_refused_before(
    http: httpx.AsyncClient, signing: World, op: Any, fields: dict[str, Any], status: int
) -> None:
    signing.token_of(ALICE)
    assert (await said(http, "SESSION_OPEN")).status_code == 202
    refused = await said(http, op, **fields)
    assert (refused.status_code, refused.json().keys()) == (status, {"error", "message", "hint"}), refused.text
    assert len(signing.commands.raw) == 1


async def test_what_is_over_by_the_gateways_clock_takes_nothing_whatever_a_command_claims(
    http: httpx.AsyncClient, signing: World
) -> None:
    signing.token_of(ALICE)
    then = int(time.time()) - 100
    assert (await said(http, "SESSION_OPEN", at=then, session_terms={**NO_TERMS, "seconds": 50})).status_code == 202
    for op, fields in (("STORE", {"type": "WORKING", "content": b"x"}), ("SESSION_CHANGE", {})):
        assert (await said(http, op, at=then, **fields)).status_code == 400
    assert (await said(http, "SESSION_CLOSE")).status_code == 202


async def test_a_close_that_is_refused_does_not_keep_others_open(http: httpx.AsyncClient, signing: World) -> None:
    """Signed by the gateway it would be; a refusal of one sweep is not the end of all later ones."""
    signing.token_of(ALICE)
    assert (await said(http, "SESSION_OPEN", session_terms={**NO_TERMS, "seconds": 1})).status_code == 202
    table = SessionTail(KafkaSettings(), Verifier([SIGNER.public]), 1.0)
    for key, row in signing.sessions.rows[ALICE.agent].items():
        table._take(ALICE.agent + key, codec().encode("Session", row))
    closer = Closer(table, signing.commands, lambda: time.time() + 5)
    assert [await closer.sweep() for _ in range(2)] == [0, 0]
    assert await state(http, signing) == "OPEN"


# Erasures.


async def erased(world: World) -> None:
    """What the stream agents do about an ERASE."""
    while not any(command["op"] == "ERASE" for command in world.commands.sent):
        await asyncio.sleep(0.01)
    world.commands.erase(ALICE.agent)


async def asked(http: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await said(http, "ERASE", session=None, **fields)


async def test_an_erasure_in_the_agents_own_word_ends_though_nobody_asks_again(world: World) -> None:
    world.token_of(ALICE)
    world.eraser = replace(world.eraser, strict=True)
    world.services = replace(world.services, eraser=world.eraser)
    async with client(world) as http:
        for refused in (await http.delete(A), await http.delete(A, params={"wait": 1})):
            assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
        assert not world.eraser.begun(ALICE.agent), "nothing is left that would be tried for ever"
        taken = await asked(http)
        assert (taken.status_code, taken.json()["visible"]) == (202, False)
        assert (await http.delete(A)).status_code == 202, "what the agent asked for, others may ask after"
    again = restarted(world)  # after a crash: what was signed is in the note
    running = asyncio.create_task(again.run())
    await erased(world)
    while (receipt := again.receipt(ALICE.agent)) is None:
        await asyncio.sleep(0.01)
    running.cancel()
    assert check(receipt, TRUSTED)["agent"] == ALICE.name
    for raw in world.commands.raw:
        command = codec().decode(raw)[1]
        assert command["op"] == "ERASE" and by_agent(ALICE.key.public, command, raw)
    assert len(set(world.commands.raw)) == 1
    assert world.keys.erased(ALICE.agent)


async def test_an_erase_that_the_log_refuses_gives_way_to_who_asks_anew(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's key changed between the gateway's look and the log, so that the memory agent refused it."""
    monkeypatch.setattr(erasing, "RESUME_SECONDS", 0.0)
    world.token_of(ALICE)
    assert (await asked(http)).status_code == 202
    new = SecretKey.from_seed(bytes(32))
    world.access.take(ALICE.registration(2_500, key=new))
    assert (await asked(http)).status_code == 403, "what the old key signs is refused here too"
    assert (await asked(http, key=new)).status_code == 202
    await restarted(world).resume()
    assert len(world.commands.raw) == 3
    for raw in world.commands.raw[1:]:
        assert by_agent(new.public, codec().decode(raw)[1], raw)
    assert (await http.delete(A)).status_code == 202
    assert (len(world.commands.raw), world.commands.sent[-1]["signature"]) == (3, None), "the gateway's own word"
    await restarted(world).resume()
    assert len(world.commands.raw) == 3
    await erased(world)
    await restarted(world).resume()
    receipt = check(world.eraser.receipt(ALICE.agent), TRUSTED)
    assert receipt["command_id"] == str(uuid.UUID(bytes=world.commands.sent[-1]["id"]))


@pytest.mark.parametrize("fields", [{"content": b"why"}, {"at": 2_000}, {"session": SESSION.bytes}])
async def test_an_erase_that_would_be_sealed_or_is_not_of_now_begins_nothing(
    http: httpx.AsyncClient, world: World, fields: dict[str, Any]
) -> None:
    world.token_of(ALICE)
    assert (await said(http, "ERASE", **{"session": None, **fields})).status_code == 400
    assert (world.commands.raw, world.eraser.begun(ALICE.agent)) == ([], False)


async def test_an_erase_reads_the_same_when_its_keys_are_gone(http: httpx.AsyncClient, world: World) -> None:
    world.token_of(ALICE)
    with using(SealingCodec(world.keys)):
        assert (await asked(http)).status_code == 202
        (raw,) = world.commands.raw
        world.keys.destroy(ALICE.agent)
        assert codec().decode(raw)[1]["op"] == "ERASE" and codec().decode(raw)[1]["sealed"] is None

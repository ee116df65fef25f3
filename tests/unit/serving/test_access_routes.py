"""Keys, tokens and signed commands over HTTP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.codec import codec, using
from schemas.records import MemoryCommand
from streams.identity.bls import SecretKey
from streams.identity.commands import by_agent, sign_as_agent
from streams.identity.tokens import TOKEN_SECONDS, login_message
from streams.serving.attempts import BURST
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec
from tests.identity import PLACE, Member, bearer, member
from tests.unit.serving.world import World

ALICE, BOB = member(1), member(2)


def now() -> int:
    return int(time.time())


def registration(of: Member = ALICE, issued: int | None = None, key: SecretKey | None = None) -> dict[str, Any]:
    command = of.registration(now() if issued is None else issued, key=key)
    assert command["public_key"] is not None
    assert command["proof"] is not None
    return {
        "agent": of.name,
        "public_key": command["public_key"].hex(),
        "account_signature": command["proof"][:65].hex(),
        "possession": "0x" + command["proof"][65:].hex(),
        "issued": command["timestamp"],
    }


async def log_in(http: httpx.AsyncClient, of: Member = ALICE, key: SecretKey | None = None) -> httpx.Response:
    challenge = (await http.post("/v1/auth/challenge", json={"agent": of.name})).json()
    message = login_message(challenge["installation"], "127.0.0.1", challenge["challenge"])
    signature = (key or of.key).sign(message).hex()
    body = {"agent": of.name, "challenge": challenge["challenge"], "signature": signature}
    return await http.post("/v1/auth/token", json=body)


@pytest.fixture
def stranger(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """Without a token."""
    http.headers.pop("authorization")
    return http


async def test_from_an_account_to_a_token_that_opens_its_own_doors_alone(stranger: httpx.AsyncClient, world: World) -> None:
    assert (await log_in(stranger)).status_code == 401
    registered = await stranger.post("/v1/auth/keys", json=registration())
    assert (registered.status_code, registered.json()["visible"]) == (202, True)
    answer = (await log_in(stranger)).json()
    assert answer["seconds"] == TOKEN_SECONDS
    mine = bearer(answer["token"])
    assert (await stranger.get(f"/v1/agents/{ALICE.name}/memories", headers=mine)).status_code == 200
    assert (await stranger.get(f"/v1/agents/{ALICE.name.upper().replace('X', 'x')}/memories", headers=mine)).status_code == 200
    assert (await stranger.get("/v1/chain", headers=mine)).status_code == 200
    for path in (f"/v1/agents/{BOB.name}/memories", f"/v1/agents/{BOB.name}", "/v1/nowhere", "/v1/agents", "/metrics"):
        refused = await stranger.get(path, headers=mine)
        assert (refused.status_code, refused.json()["error"]) == (403, "forbidden"), path
    world.clock += TOKEN_SECONDS
    assert (await stranger.get("/v1/chain", headers=mine)).status_code == 401


async def test_a_token_ends_with_its_key(stranger: httpx.AsyncClient, world: World) -> None:
    path = f"/v1/agents/{ALICE.name}"
    await stranger.post("/v1/auth/keys", json=registration(issued=now() - 5))
    first = bearer((await log_in(stranger)).json()["token"])
    new = member(9).key
    assert (await stranger.post("/v1/auth/keys", json=registration(issued=now() - 4, key=new))).status_code == 202
    assert (await stranger.get("/v1/chain", headers=first)).status_code == 401
    assert (await log_in(stranger)).status_code == 401
    second = bearer((await log_in(stranger, key=new)).json()["token"])
    assert (await stranger.get(f"{path}/key", headers=second)).json()["public_key"] == "0x" + new.public.hex()
    assert (await stranger.delete(f"{path}/key", headers=second)).json()["visible"]
    assert (await stranger.get(f"{path}/key", headers=second)).status_code == 401
    assert (await log_in(stranger, key=new)).status_code == 401
    assert world.access.rows[ALICE.agent]["public_key"] is None


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"public_key": BOB.key.public.hex()}, 403),
        ({"possession": BOB.key.prove_possession().hex()}, 403),
        ({"account_signature": BOB.account.sign("x").hex()}, 403),
        ({"agent": BOB.name}, 403),
        ({"issued": 1}, 400),
        ({"issued": 2**40}, 400),
        ({"agent": "0x12"}, 400),
        ({"public_key": "0x12"}, 400),
        ({"public_key": "zz" * 48}, 422),
        ({"more": 1}, 422),
    ],
)
async def test_what_registers_nothing(stranger: httpx.AsyncClient, world: World, wrong: dict[str, Any], status: int) -> None:
    answer = await stranger.post("/v1/auth/keys", json={**registration(), **wrong})
    assert answer.status_code == status
    assert answer.json().keys() == {"error", "message", "hint"}
    assert world.commands.sent == []


async def test_answers_do_not_tell_who_is_registered(stranger: httpx.AsyncClient) -> None:
    await stranger.post("/v1/auth/keys", json=registration())
    assert {(await log_in(stranger, of, member(9).key)).text for of in (ALICE, BOB)}.__len__() == 1
    probe = member(9)
    said = set()
    for of in (ALICE, BOB):
        body = {**registration(probe, now() - 300), "agent": of.name}
        said.add((await stranger.post("/v1/auth/keys", json=body)).text)
    assert len(said) == 1


async def test_keys_and_challenges_cannot_be_tried_at_will(stranger: httpx.AsyncClient, world: World) -> None:
    await stranger.post("/v1/auth/keys", json=registration())
    for _ in range(BURST):
        assert (await log_in(stranger, key=BOB.key)).status_code == 401
    refused = await log_in(stranger)
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert (await stranger.post("/v1/auth/keys", json=registration(BOB))).status_code == 429
    world.clock += 60
    assert (await log_in(stranger)).status_code == 200


async def test_without_the_table_of_keys_no_agent_gets_in(stranger: httpx.AsyncClient, world: World) -> None:
    mine = bearer(world.token_of(ALICE))
    world.access.broken = True
    assert (await stranger.get("/v1/chain", headers=mine)).status_code == 503
    assert (await log_in(stranger)).status_code == 503


# Commands that agents sign.


def signed(command: MemoryCommand, key: SecretKey = ALICE.key) -> bytes:
    return codec().encode("MemoryCommand", sign_as_agent(key, command))


def storing(**fields: Any) -> MemoryCommand:
    return ALICE.command("STORE", now(), type="SEMANTIC", content=b"signed by myself", **fields)


async def test_a_signed_command_is_written_byte_for_byte(stranger: httpx.AsyncClient, world: World) -> None:
    raw = signed(storing())
    assert (await stranger.post("/v1/commands", content=raw)).status_code == 403, "no key is registered"
    world.token_of(ALICE)
    answer = await stranger.post("/v1/commands", content=raw)
    assert answer.status_code == 202
    assert world.commands.raw == [raw]
    found = await stranger.get(
        f"/v1/agents/{ALICE.name}/memories/{answer.json()['memory_id']}", headers=bearer(world.token_of(ALICE))
    )
    assert found.json()["text"] == "signed by myself"


async def test_a_signed_command_is_sealed_like_any_other_and_its_signature_still_holds(
    stranger: httpx.AsyncClient, world: World, tmp_path: Path
) -> None:
    raw = signed(storing())
    world.token_of(ALICE)
    with using(SealingCodec(FileKeyStore(tmp_path / "agents.keys", lambda: MasterKey(bytes(32))))):
        assert (await stranger.post("/v1/commands", content=raw)).status_code == 202
        (written,) = world.commands.raw
        assert b"signed by myself" in raw and b"signed by myself" not in written
        assert by_agent(ALICE.key.public, codec().decode(written)[1], written)


async def test_a_command_of_another_version_is_refused(
    stranger: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.token_of(ALICE)
    raw = signed(storing())
    monkeypatch.setattr(codec(), "is_current", lambda *_: False)
    answer = await stranger.post("/v1/commands", content=raw)
    assert (answer.status_code, world.commands.raw) == (400, [])


async def test_what_is_no_command_of_that_agent(stranger: httpx.AsyncClient, world: World) -> None:
    world.token_of(ALICE)
    plain = codec().encode("MemoryCommand", storing())
    by_gateway = codec().encode("MemoryCommand", {**storing(), "signature": bytes(72)})
    for raw, status in (
        (b"", 400),
        (b"garbage", 400),
        (signed(storing())[:-1], 400),
        (plain, 400),
        (by_gateway, 400),
        (codec().encode("MemoryCommand", ALICE.command("GRANT", now())), 400),
        (signed(storing(), BOB.key), 403),
        (codec().encode("MemoryCommand", {**storing(), "signature": bytes(96)}), 403),
        (signed(storing(author=BOB.agent)), 403),
        (signed(storing(importance=7.0)), 400),
        (signed(ALICE.command("GRANT", now())), 403),
        (codec().encode("MemoryCommand", ALICE.command("REVOKE", now())), 403),
    ):
        answer = await stranger.post("/v1/commands", content=raw)
        assert (answer.status_code, answer.json().keys()) == (status, {"error", "message", "hint"})
        world.clock += 10
    assert world.commands.raw == []


async def test_a_key_can_replace_and_revoke_itself_by_signed_commands(stranger: httpx.AsyncClient, world: World) -> None:
    assert world.access.authority.place == PLACE
    world.token_of(ALICE)
    new = member(9).key
    rotation = ALICE.command("REGISTER_KEY", now() - 1, public_key=new.public, proof=new.prove_possession())
    assert (await stranger.post("/v1/commands", content=signed(rotation))).status_code == 202
    assert (await stranger.post("/v1/commands", content=signed(storing()))).status_code == 403
    assert (await stranger.post("/v1/commands", content=signed(storing(), new))).status_code == 202
    ending = ALICE.command("REVOKE", now())
    assert (await stranger.post("/v1/commands", content=signed(ending, new))).status_code == 202
    assert (await stranger.post("/v1/commands", content=signed(storing(), new))).status_code == 403

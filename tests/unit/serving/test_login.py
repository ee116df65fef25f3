"""A client with a key: registers, logs in by itself, again when its token ends, and shares."""

from __future__ import annotations

import pytest

from streams.identity.commands import sign_as_agent
from streams.identity.tokens import TOKEN_SECONDS
from streams.serving import login as module
from streams.serving.app import create_app
from streams.serving.client import AsyncClient
from streams.serving.client_errors import ForbiddenError, GatewayError, UnauthenticatedError
from streams.serving.login import AgentKey
from streams.serving.transport import InProcess
from tests.identity import OPERATOR_TOKEN, Member, member
from tests.unit.serving.world import World

ALICE, BOB = member(1), member(2)


def client_of(world: World, who: Member | None = None, **more: object) -> AsyncClient:
    key = None if who is None else AgentKey(who.agent, who.key)
    exchange = InProcess(create_app(world.services))
    return AsyncClient("http://localhost", key=key, exchange=exchange, retries=0, **more)  # type: ignore[arg-type]


async def test_a_key_is_all_that_a_client_needs(world: World) -> None:
    async with client_of(world) as nobody:
        with pytest.raises(UnauthenticatedError):
            await nobody.retrieve(ALICE.agent)
        for who in (ALICE, BOB):
            assert (await nobody.register_key(who.account, who.key)).visible
    async with client_of(world, ALICE) as alice, client_of(world, BOB) as bob:
        stored = await alice.store(ALICE.agent, "for the team", tags=["team"])
        assert [item.text for item in (await alice.retrieve(ALICE.agent)).items] == ["for the team"]
        with pytest.raises(ForbiddenError):
            await bob.retrieve(ALICE.agent)
        with pytest.raises(ForbiddenError):
            await bob.shared_memories(BOB.agent, ALICE.agent)
        assert (await alice.grant(ALICE.agent, BOB.agent, ["read", "write"], "team")).visible
        assert [grant.grantee for grant in (await alice.grants(ALICE.agent)).items] == [BOB.name]
        assert (await bob.shared_memory(BOB.agent, ALICE.agent, stored.memory_id)).text == "for the team"
        await bob.shared_store(BOB.agent, ALICE.agent, "from bob", "team")
        assert len((await bob.shared_memories(BOB.agent, ALICE.agent, tags=["team"])).items) == 2
        assert (await bob.shared_query(BOB.agent, ALICE.agent, "for the team")).left_out == 0
        await alice.revoke_grant(ALICE.agent, BOB.agent, "team")
        with pytest.raises(ForbiddenError):
            await bob.shared_memories(BOB.agent, ALICE.agent)


async def test_a_token_that_ended_is_replaced_and_a_key_that_ended_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.token_of(ALICE)
    async with client_of(world, ALICE) as alice:
        await alice.chain()
        first = alice._login.headers
        await alice.chain()
        assert alice._login.headers is first
        world.clock += TOKEN_SECONDS  # the client's own clock says nothing of it
        await alice.chain()
        assert alice._login.headers != first
        second, now = alice._login.headers, module.time.monotonic()
        monkeypatch.setattr(module.time, "monotonic", lambda: now + TOKEN_SECONDS)
        world.clock += 1
        await alice.chain()
        assert alice._login.headers != second
        assert (await alice.revoke_key(ALICE.agent)).visible
        with pytest.raises(UnauthenticatedError):
            await alice.chain()


async def test_signed_commands_need_no_token(world: World) -> None:
    world.token_of(ALICE)
    said = ALICE.command("STORE", 1_700_000_000, type="SEMANTIC", content=b"by my own hand")
    async with client_of(world) as nobody:
        receipt = await nobody.command(sign_as_agent(ALICE.key, said))
    async with client_of(world, token=OPERATOR_TOKEN) as operator:
        assert (await operator.get(ALICE.agent, receipt.memory_id)).text == "by my own hand"
        assert (await operator.key(ALICE.agent)).public_key == "0x" + ALICE.key.public.hex()


def test_a_token_or_a_key(world: World) -> None:
    with pytest.raises(GatewayError, match="not both"):
        client_of(world, ALICE, token="x")


async def test_another_host_gets_a_signature_that_is_worth_nothing_here(world: World) -> None:
    world.token_of(ALICE)
    relay = AsyncClient(
        "https://phish.example", key=AgentKey(ALICE.agent, ALICE.key), exchange=InProcess(create_app(world.services)), retries=0
    )
    with pytest.raises(UnauthenticatedError):
        await relay.chain()

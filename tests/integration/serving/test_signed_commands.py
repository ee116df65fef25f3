"""An agent that signs for itself, with a worker and a gateway that take no other word: its sessions and its erasure."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from schemas.defaults import NO_TERMS
from streams.identity.commands import sign_as_agent
from streams.serving.client import AgentKey, AsyncClient
from streams.serving.client_errors import GatewayError
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import Verifier, load_or_create_signer
from streams.vault.receipt import check
from tests.e2e.pipeline import working
from tests.identity import member, operator_token
from tests.integration.serving.broker import SIGNER, log_writer
from tests.integration.serving.live import GENESIS, with_free_ports
from tests.serving_fakes import FakeEmbedder
from tests.steps import step_new

pytestmark = pytest.mark.kafka

ALICE, SESSION = member(1), uuid.UUID(int=7)


@pytest.fixture
async def gateway(kafka_settings: Settings) -> AsyncIterator[Gateway]:
    settings, embedder = with_free_ports(kafka_settings), FakeEmbedder()
    settings.security.commands = "signed"
    own = load_or_create_signer(settings.path(settings.security.signing_key_file))
    async with working(settings, ("memory",)), log_writer(settings.kafka) as writer:
        vectors = LmdbVectorStore(settings.path(Path("vectors")), dimension=embedder.dimension)
        stores = Stores(LmdbMemoryStore(settings.path(settings.memory.db_path)), vectors)
        made = Gateway(settings, stores, embedder, Verifier([SIGNER.public, own.public]))
        await made.start()
        await writer.steps(step_new(0, GENESIS))
        yield made
        await made.stop()
        await stores.memories.close()
        await stores.vectors.close()


async def eventually(asked: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(90):
        while not await asked():
            await asyncio.sleep(0.1)


def said(op: Any, **fields: Any) -> Any:
    return sign_as_agent(ALICE.key, ALICE.command(op, int(time.time()), **fields))


async def test_sessions_open_fill_end_at_their_time_and_the_agent_is_erased_by_its_word(
    gateway: Gateway, kafka_settings: Settings
) -> None:
    settings = kafka_settings
    async with AsyncClient(gateway.url, retries=0) as anybody:
        assert (await anybody.register_key(ALICE.account, ALICE.key, wait=30)).visible
        async with AsyncClient(gateway.url, key=AgentKey(ALICE.agent, ALICE.key)) as mine:
            with pytest.raises(GatewayError, match="sign their commands themselves"):
                await mine.open_session(ALICE.name)
            await anybody.command(said("SESSION_OPEN", session=SESSION.bytes))

            async def state() -> str:
                found = [one.state for one in (await mine.list_sessions(ALICE.name)).items]
                return found[0] if found else ""

            async def is_open() -> bool:
                return await state() == "OPEN"

            await eventually(is_open)
            await anybody.command(said("STORE", session=SESSION.bytes, type="WORKING", content=b"in passing"))
            terms = {**NO_TERMS, "seconds": 1}
            await anybody.command(said("SESSION_CHANGE", session=SESSION.bytes, session_terms=terms))

            async def is_over() -> bool:
                return await state() == "CLOSED"

            await eventually(is_over)  # by the gateway's word, none of whose others counts here
            assert [item.text for item in (await mine.retrieve(ALICE.name)).items] == ["in passing"]
            before = int(time.time()) - 3_600
            old = ALICE.command("STORE", 1_000, type="SEMANTIC", content=b"of old")
            await anybody.command(sign_as_agent(ALICE.key, old))

            async def is_stored() -> bool:
                return "of old" in [item.text for item in (await mine.retrieve(ALICE.name)).items]

            await eventually(is_stored)
            assert not (await mine.retrieve(ALICE.name, as_of_time=before)).items, "known since the broker took it"
            later = await mine.retrieve(ALICE.name, as_of_time=before + 7_200)
            assert {item.text for item in later.items} == {"in passing", "of old"}
        await anybody.command(said("ERASE"))
    async with AsyncClient(gateway.url, token=operator_token(settings)) as operator:

        async def is_gone() -> bool:
            return (await operator.erasure(ALICE.name)).done

        await eventually(is_gone)
        receipt = (await operator.erasure(ALICE.name)).receipt
        assert check(receipt, gateway._verifier)["memories"] >= 1

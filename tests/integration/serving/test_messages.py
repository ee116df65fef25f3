"""Request and answer over a real topic: an operator's program and an agent ask a whole gateway; a stranger is left without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from streams.agents.access import nothing_granted
from streams.core.leaf import tree_of
from streams.serving.client_errors import ForbiddenError, InvalidError, UnreachableError
from streams.serving.login import AgentKey
from streams.serving.messages.asking import MessageClient
from streams.serving.roots import Root
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import Signer, Verifier, load_or_create_signer
from streams.vault.sealing import open_keys
from tests.identity import member
from tests.integration.serving.broker import SIGNER, log_writer
from tests.integration.serving.live import FIRST, GENESIS, with_free_ports
from tests.serving_fakes import FakeEmbedder
from tests.steps import step_new
from tests.unit.serving.world import upsert

pytestmark = pytest.mark.kafka
ALICE = member(1)


@pytest.fixture
async def asked(kafka_settings: Settings) -> AsyncIterator[Settings]:
    """A gateway with one memory of Alice, whose key is registered."""
    settings, embedder = with_free_ports(kafka_settings), FakeEmbedder()
    stores = Stores(
        LmdbMemoryStore(settings.path(settings.memory.db_path)),
        LmdbVectorStore(settings.path(settings.state_dir / "vectors"), dimension=embedder.dimension),
    )
    fact = upsert(ALICE.agent, FIRST, 0, "swapped eth for dai")
    await stores.memories.apply([fact])
    gateway = Gateway(settings, stores, embedder, Verifier([SIGNER.public]))
    async with log_writer(settings.kafka) as writer:
        await writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
        assert fact["memory"] is not None
        tree = tree_of(open_keys(settings).leaf_secret(ALICE.agent), [fact["memory"]])
        await writer.root(ALICE.agent, Root(ALICE.agent, 1, b"\x09" * 32, tree.root, FIRST))
        await writer.access({**nothing_granted(ALICE.agent), "public_key": ALICE.key.public, "since": 5})
        await gateway.start()
        await gateway._messages.tail.barrier(20)  # type: ignore[union-attr]
        yield settings
        await gateway.stop()
    await stores.memories.close()
    await stores.vectors.close()


async def test_answers_come_back_to_who_asked(asked: Settings) -> None:
    gateway = Verifier([load_or_create_signer(asked.path(asked.security.signing_key_file)).public])
    async with (
        MessageClient(asked.kafka, gateway, SIGNER) as operator,
        MessageClient(asked.kafka, gateway, AgentKey(ALICE.agent, ALICE.key)) as alice,
        MessageClient(asked.kafka, gateway, Signer(b"z" * 32)) as stranger,
    ):
        states = await asyncio.gather(*(one.ask("AgentMemoryState", ALICE.agent, seconds=20) for one in (operator, alice)))
        assert [[item["text"] for item in state["items"]] for state in states] == [["swapped eth for dai"]] * 2
        found = await alice.ask("ContextRetrieval", ALICE.agent, text="swapped eth", seconds=20)
        assert [item["text"] for item in found["items"]] == ["swapped eth for dai"]
        with pytest.raises(ForbiddenError):
            await alice.ask("AgentMemoryState", member(2).agent, seconds=20)
        with pytest.raises(InvalidError):
            await operator.ask("AgentMemoryState", ALICE.agent, limit=0, seconds=20)
        with pytest.raises(UnreachableError, match="no gateway answered"):
            await stranger.ask("AgentMemoryState", ALICE.agent, seconds=1)

"""A whole gateway on a real broker and the embedded stores, and the stream agents' part played by a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from schemas.records import MemoryFact
from streams.core.canonical import ChainStep
from streams.core.leaf import tree_of
from streams.ports.stores import VectorRow
from streams.serving.roots import Root
from streams.serving.server import Gateway, Stores
from streams.serving.wire import text_of
from streams.settings import Settings
from streams.signing import Verifier
from streams.vault.sealing import open_keys
from tests.integration.serving.broker import SIGNER, LogWriter, log_writer
from tests.serving_fakes import FakeEmbedder
from tests.steps import block
from tests.unit.serving.world import ALICE

GENESIS = block(0, 0, bytes(32))
FIRST = block(1, 0, GENESIS.hash)
OTHER = block(1, 1, GENESIS.hash)
AGENT = "0x" + ALICE.hex()


@dataclass
class Live:
    settings: Settings
    gateway: Gateway
    stores: Stores
    writer: LogWriter
    embedder: FakeEmbedder

    async def remember(self, *facts: MemoryFact) -> None:
        """What the stream agents do with facts."""
        await self.stores.memories.apply(facts)
        for fact in facts:
            if fact["memory"] is not None and (text := text_of(fact["memory"])) is not None:
                vector = self.embedder.embed([text])[0]
                await self.stores.vectors.upsert([VectorRow(fact["owner"], fact["memory_id"], vector)])

    async def publish(self, facts: list[MemoryFact], at: ChainStep) -> None:
        """What the lattice agent says of these memories."""
        keys = open_keys(self.settings)
        tree = tree_of(keys.leaf_secret(ALICE), [fact["memory"] for fact in facts if fact["memory"]])
        await self.writer.root(ALICE, Root(ALICE, len(facts), b"\x09" * 32, tree.root, at.head))


def with_free_ports(settings: Settings) -> Settings:
    settings.gateway.port = settings.gateway.metrics_port = 0
    settings.gateway.proof_seconds = 0.5
    settings.health.providers = ["broker", "stores", "disk"]  # the machine itself may be busy with other tests
    return settings


@asynccontextmanager
async def live_gateway(settings: Settings) -> AsyncIterator[Live]:
    """On free ports, over empty stores."""
    settings = with_free_ports(settings)
    embedder = FakeEmbedder()
    stores = Stores(
        LmdbMemoryStore(settings.path(settings.memory.db_path)),
        LmdbVectorStore(settings.path(settings.state_dir / "vectors"), dimension=embedder.dimension),
    )
    gateway = Gateway(settings, stores, embedder, Verifier([SIGNER.public]))
    async with log_writer(settings.kafka) as writer:
        await gateway.start()
        yield Live(settings, gateway, stores, writer, embedder)
        await gateway.stop()
    await stores.memories.close()
    await stores.vectors.close()

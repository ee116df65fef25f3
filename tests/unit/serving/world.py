"""A gateway's application over fakes, with a short chain and memories on it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from blake3 import blake3

from schemas.defaults import plain_memory
from schemas.records import Memory, MemoryFact
from streams.core.block import BlockRef
from streams.core.ids import chain_memory_id, transaction_id
from streams.core.leaf import tree_of
from streams.decoding.nl.parser import default_reader
from streams.identity.tokens import Tokens, login_message
from streams.ports.stores import VectorRow
from streams.serving.access import Doorkeeping
from streams.serving.app import create_app
from streams.serving.attempts import Attempts
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.freshness import Freshness
from streams.serving.cache.levels import Limits
from streams.serving.cache.state import cache_state
from streams.serving.context.finder import ContextFinder
from streams.serving.context.nearest import Nearest
from streams.serving.context.proven import ProvenContexts
from streams.serving.context.shared import SharedFinder
from streams.serving.eraser import Eraser
from streams.serving.feed.stream import Feeds
from streams.serving.final_logs import LogProver
from streams.serving.gate import Gate
from streams.serving.graph.reads import GraphReads
from streams.serving.ops.board import Board
from streams.serving.ops.dashboard import Dashboard
from streams.serving.ops.health import SystemHealth
from streams.serving.ops.live import Live
from streams.serving.ops.processes import Process
from streams.serving.packages import Packages
from streams.serving.probes import (
    Probes,
    broker_probe,
    chain_view_probe,
    embedder_probe,
    graph_probe,
    vector_store_probe,
)
from streams.serving.proofs import Prover
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import Hybrid
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.retrieval.pooled import Pooled
from streams.serving.retrieval.zone import ZoneRanking
from streams.serving.roots import Root
from streams.serving.services import Services
from streams.serving.states import AgentStates
from streams.serving.sync.desk import SyncDesk, rules_of
from streams.serving.sync.snapshots import Snapshots, StoreFacts
from streams.serving.vectors import QueryVectors
from streams.serving.waits import Waits
from streams.serving.write_token import WriteTokens
from streams.settings import RagSettings, Settings
from streams.signing import Signer, Verifier
from streams.store_probes import memory_store_probe
from streams.upkeep.pipeline import stream_agents
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from tests.feeds import Facts
from tests.identity import OPERATOR_TOKEN, PLACE, Member, bearer
from tests.registries import FakeRegistry
from tests.serving_fakes import (
    FakeAccess,
    FakeChain,
    FakeCommandLog,
    FakeEmbedder,
    FakeGraph,
    FakeMemoryStore,
    FakeProgress,
    FakeRoots,
    FakeSessions,
    FakeVectorStore,
)
from tests.steps import block, step_new

ALICE = b"\xa1" * 20
BOB = b"\xb0" * 20
CHAIN_ID = 1337


class Secrets:
    """LeafSecrets that a reader can recompute."""

    def leaf_secret(self, agent: bytes) -> bytes:
        return blake3(agent, derive_key_context="tests leaf secret").digest()


KEY = Secrets()


def upsert(
    agent: bytes, ref: BlockRef, index: int, text: str, *, importance: float = 0.5, timestamp: int = 1_000
) -> MemoryFact:
    """The fact a transaction leaves."""
    memory: Memory = {
        **plain_memory(chain_memory_id(CHAIN_ID, ref.hash, index, agent), agent, "EPISODIC", "CHAIN", timestamp),
        "block": {"number": ref.number, "hash": ref.hash, "parent": ref.parent},
        "transaction": blake3(ref.hash + bytes([index])).digest(),
        "transaction_index": index,
        "content": text.encode(),
        "media_type": "text/plain",
        "importance": importance,
        "tags": ["swap"],
    }
    return {
        "op": "UPSERT",
        "cause": transaction_id(CHAIN_ID, ref.hash, index, agent),
        "memory_id": memory["id"],
        "owner": agent,
        "memory": memory,
        "block": memory["block"],
    }


class World:
    def __init__(
        self,
        rag: RagSettings | None = None,
        patience: float = 0.2,
        signing_key: bytes = b"s" * 32,
        *,
        memories: FakeMemoryStore | None = None,
        index: FakeVectorStore | None = None,
    ) -> None:
        """``memories`` and ``index``: other stores than fakes of their own; whoever gives them closes them."""
        self.chain = FakeChain()
        self.memories = memories or FakeMemoryStore()
        self.index = index or FakeVectorStore()
        self.embedder = FakeEmbedder()
        self.signer = Signer(signing_key)
        self.access = FakeAccess(self.signer)
        self.clock = 1_800_000_000.0
        self.tokens = Tokens(OPERATOR_TOKEN, PLACE.installation, lambda: self.clock)
        self.commands = FakeCommandLog(self.memories, self.access)
        self.roots = FakeRoots()
        self.sessions = FakeSessions()
        self.edges = FakeGraph()
        self.progress = FakeProgress()
        self.facts = Facts()
        self._find(rag or RagSettings())
        self.prover = Prover(self.reads, self.memories, self.roots, KEY, patience)
        self.processes: list[Process] = []
        self.probes = self._probes()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.keys = FileKeyStore(folder / "agents.keys", lambda: MasterKey(bytes(32)))
        self.erasures = self.commands
        self.eraser = self._eraser(folder / "erasures")
        self.feeds = Feeds(self.facts.feed(), self.reads, quiet=0.2)
        self.stored = StoreFacts(self.memories, self.chain)
        self.board = Board()
        self.dashboard = Dashboard(self.board, self.chain.view, self.roots, lambda: cache_state(self.cached), lambda: "")
        self.live = Live(self.dashboard, self.changed, pause=0.02)
        self.services = self._services()
        self.blocks = [block(0, 0, bytes(32))]
        self.chain.view.apply(step_new(0, self.blocks[0]))

    def _find(self, rag: RagSettings) -> None:
        """What answers questions, over the stores."""
        self.vectors = QueryVectors(self.embedder)
        self.reads = MemoryReads(self.chain, self.memories)
        self.indexes = AgentIndexes(self.memories, self.index, self.chain, self.embedder.dimension, 64 << 20)
        self.nearest = Nearest(self.reads, self.index, self.vectors)
        self.ranking = Hybrid(self.reads, self.indexes, self.vectors, self.nearest)
        self.finder = ContextFinder(self.reads, self.ranking, self.vectors, rag)
        freshness = Freshness(self.chain, self.memories, [self.index])
        self.now = 0.0
        self.cached = CachedFinder(self.finder, self.reads, freshness, Limits(1 << 20, 64, 300), clock=lambda: self.now)
        self.zones = ContextFinder(self.reads, ZoneRanking(self.reads, self.index, self.vectors), self.vectors, rag)
        self.shared = SharedFinder(self.reads, Pooled(self.reads, self.indexes, self.vectors, None), self.vectors, rag)

    def _probes(self) -> Probes:
        return Probes(
            {
                "broker": broker_probe(self.chain),
                "chain_view": chain_view_probe(self.chain),
                "memory_store": memory_store_probe(self.memories),
                "vector_store": vector_store_probe(self.index, self.embedder.dimension),
                "embedder": embedder_probe(self.vectors),
                "graph_view": graph_probe(self.edges),
            }
        )

    def _eraser(self, folder: Path) -> Eraser:
        return Eraser(
            commands=self.commands,
            erasures=self.erasures,
            roots=self.roots,
            memories=self.memories,
            vectors=self.index,
            dimension=self.embedder.dimension,
            keys=self.keys,
            signer=self.signer,
            folder=folder,
            installation="test",
        )

    def _services(self) -> Services:
        return Services(
            chain=self.chain,
            reads=self.reads,
            finder=self.cached,
            zones=self.zones,
            commands=self.commands,
            proofs=self.prover,
            sessions=self.sessions,
            packages=Packages(self.prover, self.commands, self.signer, Verifier([self.signer.public])),
            logs=LogProver(self.roots),
            probes=self.probes,
            health=SystemHealth(Settings(), stream_agents(), self.probes, self.processes),
            vectors=self.vectors,
            reader=default_reader(),
            graph=GraphReads(self.chain, self.edges),
            feeds=self.feeds,
            waits=Waits(self.reads, self.index, self.progress, WriteTokens(KEY), 1),
            proven=ProvenContexts(self.finder, self.prover, self.reads),
            eraser=self.eraser,
            sync=SyncDesk(self.chain, self.progress, self.stored, Snapshots(self.stored, self.chain), 1, rules_of(frozenset())),
            states=AgentStates(self.prover, self.reads, self.roots, self.roots, self.progress, 1),
            dashboard=self.dashboard,
            live=self.live,
            registry=FakeRegistry(),
            gate=Gate(OPERATOR_TOKEN, tokens=self.tokens, access=self.access),
            shared=self.shared,
            doors=Doorkeeping(self.access, self.tokens, Attempts(lambda: self.clock), self.access.authority),
        )

    def grow(self, fork: int = 0, time: int = 0) -> BlockRef:
        """One block more, seen by the view."""
        ref = block(self.blocks[-1].number + 1, fork, self.blocks[-1].hash)
        self.blocks.append(ref)
        assert self.chain.view.sequence is not None
        self.chain.view.apply(step_new(self.chain.view.sequence + 1, ref, time=time))
        return ref

    async def remember(self, *facts: MemoryFact) -> None:
        """Puts facts into both stores, as the stream agents do."""
        await self.memories.apply(facts)
        for fact in facts:
            if fact["memory"] is not None:
                vector = self.embedder.embed([fact["memory"]["content"].decode()])[0]
                await self.index.upsert([VectorRow(fact["owner"], fact["memory_id"], vector)])

    async def publish(self, agent: bytes, block_ref: BlockRef | None = None) -> Root:
        """The root the lattice agent would publish of what the store holds now."""
        memories = [row.memory for (owner, _), row in self.memories.rows.items() if owner == agent and self.reads.live(row)]
        live = [memory for memory in memories if memory is not None]
        tree = tree_of(KEY.leaf_secret(agent), live)
        root = Root(agent, len(live), bytes(32), tree.root, block_ref or self.blocks[-1])
        self.roots.rows[agent] = root
        self.roots.past.add(agent, root, live=True)
        return root

    def token_of(self, who: Member) -> str:
        """A token of an agent, whose key is registered here from now on if it was not."""
        if who.agent not in self.access.rows:
            self.access.take(who.registration())
        challenge = self.tokens.challenge(who.agent)
        signature = who.key.sign(login_message(PLACE.installation, "127.0.0.1", challenge))
        token = self.tokens.redeem(who.agent, self.access.rows[who.agent], challenge, "127.0.0.1", signature)
        assert token is not None
        return token

    async def changed(self, since: int) -> None:
        """What the live state waits for."""
        while self.board.version <= since:
            await asyncio.sleep(0.005)

    def close(self) -> None:
        self.vectors.close()
        self.keys.close()
        self._folder.cleanup()


@asynccontextmanager
async def client(world: World, token: str = OPERATOR_TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    """``token``: what every request shows; the operator's unless told."""
    transport = httpx.ASGITransport(create_app(world.services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=bearer(token)) as http:
        yield http

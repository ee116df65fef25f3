"""Which stream agents there are and what each is made of. The only place where agents meet stores, models and keys.

Invariant: what a stream agent does not need is neither imported nor opened; what was opened is closed by the exit stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from streams.agents.access import Authority
from streams.agents.base import LocalState
from streams.errors import ConfigurationError
from streams.identity.binding import Place
from streams.ports.stores import MemoryStore, VectorStore
from streams.runtime.job import AgentFactory
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.vault.keys import KeyStore
from streams.vault.sealing import sealed_records

SLOW_POLL = 512  # texts: a few seconds of embedding on one core
SLOW_POST = 64  # requests to a place that may be slow: what was posted in a transaction that fails comes again


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where factories get their parts from."""

    settings: Settings
    stack: AsyncExitStack
    keys: KeyStore


def lane_of(settings: Settings) -> Callable[[str, int], bytes]:
    """What owners of a stream agent's partition in a store are told apart by: the same word for all of them."""
    return lambda agent, partition: f"{settings.kafka.prefix}{agent}/{partition}".encode()


def _lane(wiring: Wiring, agent: str, partition: int) -> bytes:
    return lane_of(wiring.settings)(agent, partition)


def _intent(_: Wiring) -> AgentFactory:
    from streams.agents.intent import IntentAgent  # noqa: PLC0415

    return AgentFactory(IntentAgent, IntentAgent)


def _memory(wiring: Wiring) -> AgentFactory:
    from connectors.stores import (  # noqa: PLC0415
        ReadOnlyMemoryStore,
        check_own_stores,
        memories_are_shared,
        open_memory_store,
    )
    from streams.agents.memory import MemoryAgent  # noqa: PLC0415
    from streams.store_probes import memory_store_probe  # noqa: PLC0415

    if wiring.settings.worker.standby:
        check_own_stores(wiring.settings)
    store = open_memory_store(wiring.settings)
    wiring.stack.push_async_callback(store.close)
    owned: dict[int, MemoryStore] = {}

    async def claim(partition: int) -> bytes:
        owned[partition] = await store.claim(_lane(wiring, MemoryAgent.name, partition))
        return store.identity

    authority, limit = _authority(wiring.settings), wiring.settings.memory.max_memory_per_agent

    def make(partition: int, state: LocalState) -> MemoryAgent:
        return MemoryAgent(partition, state, owned[partition], authority=authority, limit=limit)

    def follow(partition: int, state: LocalState) -> MemoryAgent:
        return MemoryAgent(partition, state, ReadOnlyMemoryStore(store), authority=authority, limit=limit)

    shared = follow if memories_are_shared(wiring.settings) else None
    return AgentFactory(MemoryAgent, make, claim=claim, follow=shared, probe=memory_store_probe(store))


def _authority(settings: Settings) -> Authority:
    """What commands must show: the gateways trusted are those that hold a key which may write to the log."""
    security = settings.security
    signer = load_or_create_signer(settings.path(security.signing_key_file))
    gateways = load_verifier(settings.path(security.trusted_keys_file), signer)
    return Authority(security.commands, gateways, Place(security.installation, settings.chain.chain_id), signer)


def _embedding(wiring: Wiring) -> AgentFactory:
    from connectors.embedding import YieldingEmbedder, open_embedder  # noqa: PLC0415
    from connectors.stores import (  # noqa: PLC0415
        ReadOnlyVectorStore,
        check_own_stores,
        open_vector_store,
        vectors_are_shared,
    )
    from streams.agents.embedding import EmbeddingAgent  # noqa: PLC0415
    from streams.store_probes import vector_store_probe  # noqa: PLC0415

    if wiring.settings.worker.standby:
        check_own_stores(wiring.settings)
    embedder = YieldingEmbedder(open_embedder(wiring.settings), wiring.settings.rag.embedding_niceness)
    vectors = open_vector_store(wiring.settings, late=True)
    wiring.stack.push_async_callback(vectors.close)
    owned: dict[int, VectorStore] = {}

    async def claim(partition: int) -> bytes:
        owned[partition] = await vectors.claim(_lane(wiring, EmbeddingAgent.name, partition))
        return vectors.identity

    def make(partition: int, state: LocalState) -> EmbeddingAgent:
        return EmbeddingAgent(partition, state, embedder, owned[partition])

    def follow(partition: int, state: LocalState) -> EmbeddingAgent:
        return EmbeddingAgent(partition, state, embedder, ReadOnlyVectorStore(vectors))

    shared = follow if vectors_are_shared(wiring.settings) else None
    probe = vector_store_probe(vectors, embedder.dimension)
    return AgentFactory(EmbeddingAgent, make, poll_records=SLOW_POLL, claim=claim, follow=shared, probe=probe)


def _lattice(wiring: Wiring) -> AgentFactory:
    from streams.agents.lattice import LatticeAgent  # noqa: PLC0415

    return AgentFactory(LatticeAgent, lambda partition, state: LatticeAgent(partition, state, wiring.keys.leaf_secret))


def _graph(_: Wiring) -> AgentFactory:
    from streams.agents.graph import GraphAgent  # noqa: PLC0415

    return AgentFactory(GraphAgent, GraphAgent)


AGENTS: dict[str, Callable[[Wiring], AgentFactory]] = {
    "intent": _intent,
    "memory": _memory,
    "embedding": _embedding,
    "lattice": _lattice,
    "graph": _graph,
}


def _bridge(wiring: Wiring) -> AgentFactory:
    from streams.agents.bridge import BridgeAgent  # noqa: PLC0415
    from streams.producer.records import parse_agents  # noqa: PLC0415

    settings = wiring.settings
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    agents, final_only = parse_agents(settings.bridge.agents, "bridge.agents"), settings.bridge.final_only

    def make(partition: int, state: LocalState) -> BridgeAgent:
        return BridgeAgent(partition, state, signer, agents, final_only=final_only)

    return AgentFactory(BridgeAgent, make)


def _webhook(wiring: Wiring) -> AgentFactory:
    from connectors.webhook import Webhook, secret_of  # noqa: PLC0415
    from streams.agents.webhook import WebhookAgent  # noqa: PLC0415

    settings = wiring.settings
    receiver = Webhook(settings.webhook, secret_of(settings))
    wiring.stack.push_async_callback(receiver.close)
    chosen, prefix = settings.webhook.topics, settings.kafka.prefix

    def make(partition: int, state: LocalState) -> WebhookAgent:
        return WebhookAgent(partition, state, receiver, chosen=chosen, prefix=prefix)

    return AgentFactory(WebhookAgent, make, poll_records=SLOW_POST)


OPTIONAL: dict[str, Callable[[Wiring], AgentFactory]] = {"bridge": _bridge, "webhook": _webhook}
"""Stream agents that a worker runs only where it is told to."""


def agent_factories(settings: Settings, names: Sequence[str], stack: AsyncExitStack) -> list[AgentFactory]:
    """Factories by name, in the order given; until ``stack`` ends, the process seals what it writes and opens what it reads.

    Raises ConfigurationError for a name nobody knows, or a part that is missing; VaultError.
    """
    known = AGENTS | OPTIONAL
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        raise ConfigurationError(
            f"no stream agent is called {', '.join(unknown)}" if unknown else "no stream agent named",
            f"Stream agents: {', '.join(known)}.",
        )
    wiring = Wiring(settings, stack, stack.enter_context(sealed_records(settings)))
    return [known[name](wiring) for name in dict.fromkeys(names)]

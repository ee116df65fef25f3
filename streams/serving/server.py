"""One gateway process: wires the parts, serves REST and /metrics, stops in order.

Invariants: both ports are bound before anything else starts, so a busy port is an error with a hint and not a half-started
gateway; on stop, requests in flight end first, then the tails and the producer, then the pools. The stores belong to the
caller, who closes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from streams.agents.access import Authority
from streams.agents.base import MEMORIES, VECTORS, StreamAgent
from streams.allocator import give_back
from streams.decoding.nl.parser import default_reader
from streams.errors import ConfigurationError, MonmouthError, PositionLostError
from streams.health import Health, Look, broken, watch
from streams.identity.binding import Place
from streams.identity.operator import load_or_create_operator_token, read_token
from streams.identity.tokens import Tokens
from streams.metrics import count_error, measure_disk
from streams.ops.health.looks import local, pace_of, store_components
from streams.ops.health.monitor import Monitor
from streams.ops.health.providers.broker import Broker, Groups
from streams.ops.reporter import this_process
from streams.ports.embedder import Embedder
from streams.ports.log import TopicPartition
from streams.ports.stores import Catching, MemoryStore, VectorStore
from streams.probe_server import ProbeServer, serve_probes
from streams.producer.records import parse_agents
from streams.runtime.kafka.client import KafkaClient
from streams.serving import probes as probing
from streams.serving.access import Doorkeeping
from streams.serving.app import create_app
from streams.serving.attempts import Attempts
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.state import cache_state
from streams.serving.commands import KafkaCommandLog
from streams.serving.context.proven import ProvenContexts
from streams.serving.degraded import DegradableVectors
from streams.serving.eraser import Eraser
from streams.serving.feed.log import FeedLog
from streams.serving.feed.stream import Feeds
from streams.serving.final_logs import LogProver
from streams.serving.finders import Finders
from streams.serving.gate import Gate
from streams.serving.messages.desk import MessageDesk
from streams.serving.messages.topic import MessageTail, MessageWriter
from streams.serving.ops.dashboard import Dashboard
from streams.serving.ops.health import SystemHealth
from streams.serving.ops.live import Live
from streams.serving.ops.operations import Operations
from streams.serving.packages import Packages
from streams.serving.progress import Tip
from streams.serving.proofs import Prover
from streams.serving.registry.log import RegistryLog
from streams.serving.services import Services
from streams.serving.sessions import Closer
from streams.serving.states import AgentStates
from streams.serving.sync.desk import SyncDesk, rules_of
from streams.serving.sync.snapshots import Snapshots, StoreFacts
from streams.serving.tail import TopicTail
from streams.serving.tails import Tails
from streams.serving.vectors import QueryVectors
from streams.serving.waits import Waits
from streams.serving.write_token import WriteTokens
from streams.settings import GATEWAY, Settings
from streams.signing import Verifier, load_or_create_signer
from streams.store_probes import memory_store_probe
from streams.switches import FILE as SWITCHES
from streams.switches import Switches
from streams.topics import MEMORY_LOG
from streams.upkeep.pipeline import stream_agents
from streams.vault.sealing import open_keys

_log = logging.getLogger(__name__)
BACKLOG = 256
DRAIN_SECONDS = 10
SOCKET_LIMIT = 16 * 1024
"""Of what a WebSocket's client may say at a time."""
PROBE_EVERY = 2.0
TEND_EVERY = 60.0
STARTING = Look(False, ("its parts have not been asked yet",))
VECTORS_BY = "embedding"
"""The stream agent that writes vectors."""
NEEDED = frozenset({"http", "probes", "sessions", "erasures"})
"""Tasks without which a gateway is not ready: it would not answer, or leave undone what it has promised, that sessions end and
agents are erased. What else breaks is told, and requests are answered all the same.
"""
ERASURES = Path("erasures")
"""Folder of the receipts of erasures, in the state folder."""


class Stores(NamedTuple):
    """What the gateway reads from."""

    memories: MemoryStore
    vectors: VectorStore


def _told(vectors: VectorStore, operations: Operations) -> Callable[[Tip], None]:
    """Has the live state know of every commit, and the store of those of the embedding agent, if it asks to be told."""

    def moved(tip: Tip) -> None:
        operations.tip(tip.checkpoint, tip.at_ms)
        if isinstance(vectors, Catching) and tip.checkpoint.stream_agent == VECTORS_BY:
            vectors.catch_up()

    return moved


def _told_if_broken(task: asyncio.Task[None]) -> None:
    """Nobody waits for these while the gateway serves, so what ended one would never be heard of."""
    if not task.cancelled() and (error := task.exception()) is not None:
        count_error(error)
        _log.error("%s broke; it is back when the gateway starts again", task.get_name(), exc_info=error)


class _Server(uvicorn.Server):
    """Leaves the signals to the process that embeds it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Gateway:
    """A gateway with its connections. ``start`` once, ``stop`` once; ``port`` and ``metrics_port`` are known after start."""

    def __init__(self, settings: Settings, stores: Stores, embedder: Embedder, verifier: Verifier) -> None:
        self.port = self.metrics_port = 0
        settings = settings.model_copy(update={"kafka": settings.kafka.as_role(GATEWAY)})
        self._settings = settings
        self._verifier = verifier
        self._keys = open_keys(settings)
        self.operations = Operations(settings.kafka)
        self.tails = Tails(settings, verifier, self.operations.step, _told(stores.vectors, self.operations))
        self._signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
        self._commands = KafkaCommandLog(settings.kafka, self._signer, strict=settings.security.commands == "signed")
        self._vectors = QueryVectors(embedder)
        self._dimension = embedder.dimension
        client = KafkaClient(settings.kafka)
        self._feed_log = FeedLog(lambda fold: TopicTail(settings.kafka, MEMORY_LOG, fold, newest=True), client.reader, verifier)
        self._registry = RegistryLog(settings.kafka, settings.gateway.barrier_seconds)
        vectors = DegradableVectors(stores.vectors, Switches(settings.path(SWITCHES)))
        finders = Finders(
            settings,
            self.tails,
            memories=stores.memories,
            vectors=vectors,
            query_vectors=self._vectors,
            dimension=embedder.dimension,
        )
        names = store_components(settings)
        probes = self._component_probes(names, stores.memories, vectors)
        specs = stream_agents()
        watching = self._groups_watch(specs)
        self.monitor = Monitor([*local(settings), *([watching] if watching else [])], pace_of(settings.health))
        self._system = self._system_health(specs, probes, watching)
        self._app: FastAPI | None = None
        self._messages = self._message_tail() if settings.gateway.messages else None
        self.services = self._wired(stores, finders, probes, names)
        self._metrics: ProbeServer | None = None
        self.health = Health(settings.probes.live_seconds)
        self._looked: Look | None = None
        self._server: _Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return _url(self._settings.gateway.host, self.port)

    @property
    def metrics_url(self) -> str:
        """Where Prometheus reads."""
        return f"{_url(self._settings.gateway.metrics_host, self.metrics_port)}/metrics"

    @property
    def lost(self) -> PositionLostError | None:
        """A place in a topic that is gone, so that a view of it can only begin anew, with another gateway."""
        tails = (*self.tails.topics, *([self._messages.tail] if self._messages else []), self._registry.tail)
        return next((tail.failure for tail in tails if isinstance(tail.failure, PositionLostError)), None)

    async def start(self) -> None:
        """Binds both ports and begins to serve. Raises ConfigurationError for a port that is taken."""
        gateway = self._settings.gateway
        listener = _listen(gateway.host, gateway.port)
        try:
            host, port = gateway.metrics_host, gateway.metrics_port
            self._metrics = serve_probes(host, port, self.health, setting="GATEWAY__METRICS_PORT")
        except ConfigurationError:
            listener.close()
            raise
        self.port, self.metrics_port = listener.getsockname()[1], self._metrics.port
        measure_disk(self._settings.state_dir)
        self.operations.start()
        self.tails.start()
        self._app = create_app(self.services, gateway.host, gateway.package_mib << 20)
        if self._messages is not None:
            self._messages.start()
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=SOCKET_LIMIT,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            lifespan="on",
        )
        self._server = _Server(config)
        self._tasks = [
            asyncio.create_task(self._server.serve([listener]), name="http"),
            asyncio.create_task(self._probe(), name="probes"),
            asyncio.create_task(self.monitor.run(), name="health monitor"),
            asyncio.create_task(watch(self.health, self._look), name="health"),
            asyncio.create_task(Closer(self.tails.sessions, self._commands).run(), name="sessions"),
            asyncio.create_task(self._tend(), name="cache"),
            asyncio.create_task(self.services.live.run(), name="dashboard"),
            asyncio.create_task(self.services.eraser.run(), name="erasures"),
        ]
        for task in self._tasks[1:]:
            task.add_done_callback(_told_if_broken)
        while not self._server.started:
            await asyncio.sleep(0.01)
            if self._tasks[0].done():
                self._tasks[0].result()
                raise ConfigurationError("the HTTP server ended while it started", "See the log.")

    async def stop(self) -> None:
        """Lets requests in flight end, then closes every connection."""
        self.health.stopping()
        await self.services.feeds.stop()
        self.services.live.stop()
        if self._server is not None:
            self._server.should_exit = True
        if self._tasks:
            for task in self._tasks[1:]:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._messages is not None:
            await self._messages.stop()
        await self.services.sync.close()
        await self._feed_log.stop()
        await self._registry.stop()
        await self.operations.stop()
        await self.tails.stop()
        await self._commands.stop()
        await asyncio.to_thread(self._vectors.close)
        self._keys.close()
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.stop)

    def _wired(self, stores: Stores, finders: Finders, probes: probing.Probes, names: Mapping[str, str]) -> Services:
        settings, tails, reads = self._settings, self.tails, finders.reads
        partitions = settings.kafka.partitions
        operator, tokens = _tokens(settings)
        dashboard = self._dashboard(finders.cached, names)
        proofs = Prover(reads, stores.memories, tails.roots, self._keys, settings.gateway.proof_seconds)
        return Services(
            chain=tails.chain,
            reads=reads,
            finder=finders.cached,
            zones=finders.zones,
            commands=self._commands,
            proofs=proofs,
            sessions=tails.sessions,
            packages=Packages(proofs, self._commands, self._signer, self._verifier, most=settings.gateway.package_mib << 20),
            logs=LogProver(tails.roots),
            vectors=self._vectors,
            reader=default_reader(),
            gate=Gate(operator, settings.gateway.host, tokens, tails.access, _partner_token(settings)),
            doors=Doorkeeping(tails.access, tokens, Attempts(time.monotonic), _authority(settings, self._verifier)),
            shared=finders.shared,
            graph=finders.graph,
            feeds=Feeds(self._feed_log, reads),
            waits=Waits(reads, stores.vectors, tails.progress, WriteTokens(self._keys), partitions),
            proven=ProvenContexts(finders.fresh, proofs, reads),
            eraser=self._eraser(stores, finders),
            registry=self._registry,
            sync=self._sync(stores.memories),
            states=AgentStates(proofs, reads, tails.roots, tails.roots, tails.progress, partitions),
            dashboard=dashboard,
            live=Live(dashboard, self.operations.changed),
            probes=probes,
            health=self._system,
        )

    def _component_probes(self, names: Mapping[str, str], memories: MemoryStore, vectors: VectorStore) -> probing.Probes:
        return probing.Probes(
            {
                "broker": probing.broker_probe(self.tails.chain),
                "chain_view": probing.chain_view_probe(self.tails.chain),
                names[MEMORIES]: memory_store_probe(memories),
                names[VECTORS]: probing.vector_store_probe(vectors, self._dimension),
                "embedder": probing.embedder_probe(self._vectors),
                "graph_view": probing.graph_probe(self.tails.edges),
                "dashboard": probing.board_probe(lambda: self.operations.broken),
            }
        )

    def _dashboard(self, kept: CachedFinder, names: Mapping[str, str]) -> Dashboard:
        return Dashboard(
            self.operations.board,
            self.tails.chain.view,
            self.tails.roots,
            lambda: cache_state(kept),
            lambda: self.operations.complaint,
            stores={"memory_store": names[MEMORIES], "vector_store": names[VECTORS]},
        )

    def _groups_watch(self, specs: Sequence[type[StreamAgent]]) -> Broker | None:
        settings = self._settings
        if "broker" not in settings.health.providers:
            return None
        groups = Groups(settings.kafka, {spec.name: spec.timely() for spec in specs}, self._position, self._rewinding)
        return Broker(groups, settings.health.lag_seconds)

    def _system_health(
        self, specs: Sequence[type[StreamAgent]], probes: probing.Probes, watching: Broker | None
    ) -> SystemHealth:
        return SystemHealth(
            self._settings,
            specs,
            probes,
            self.operations.board.processes,
            monitor=self.monitor,
            broker=watching,
            itself=(GATEWAY, this_process()),
        )

    def _message_tail(self) -> MessageTail:
        writer = MessageWriter(self._settings.kafka)

        def app() -> FastAPI:
            assert self._app is not None
            return self._app

        return MessageTail(
            self._settings.kafka, MessageDesk(app, self.tails.access, self._verifier, self._signer, writer), writer
        )

    def _sync(self, memories: MemoryStore) -> SyncDesk:
        chain, partitions = self.tails.chain, self._settings.kafka.partitions
        facts = StoreFacts(memories, chain)
        rules = rules_of(parse_agents(self._settings.chain.agents))
        return SyncDesk(chain, self.tails.progress, facts, Snapshots(facts, chain), partitions, rules)

    def _eraser(self, stores: Stores, finders: Finders) -> Eraser:
        return Eraser(
            commands=self._commands,
            erasures=self.tails.erasures,
            roots=self.tails.roots,
            memories=stores.memories,
            vectors=stores.vectors,
            dimension=self._dimension,
            keys=self._keys,
            signer=self._signer,
            folder=self._settings.path(ERASURES),
            installation=self._settings.security.installation,
            purges=(finders.cached.purge, finders.indexes.drop),
            strict=self._settings.security.commands == "signed",
        )

    async def _position(self, stream_agent: str, place: TopicPartition) -> int | None:
        try:
            standing = await self.tails.progress.fresh(stream_agent, place.partition)
        except MonmouthError:  # that checkpoints cannot be read now is no failure of the broker
            return None
        return None if standing is None else standing.offsets.get(place.topic)

    def _rewinding(self, stream_agent: str) -> bool:
        return self._system.rewinding(stream_agent)

    async def _probe(self) -> None:
        """Keeps health gauges and probes true between health requests. It has started when all parts have once been there."""
        while True:
            failed = probing.failures(await self.services.probes.components())
            foreseen = [one.breach.told(one.level) for one in self._system.predictions]
            self.operations.judged(await self._system.verdict(), foreseen)
            self._looked = Look(not failed, failed)
            await asyncio.sleep(PROBE_EVERY)

    def _look(self) -> Look:
        look = self._looked or STARTING
        needed = [task for task in self._tasks if task.get_name() in NEEDED]
        return replace(look, complaints=(*look.complaints, *broken(needed)))

    async def _tend(self) -> None:
        """Keeps the cache free of what has expired, and memory free of what was freed."""
        while True:
            await asyncio.sleep(TEND_EVERY)
            self.services.finder.tend()
            await asyncio.to_thread(give_back)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tokens(settings: Settings) -> tuple[str | None, Tokens]:
    """The operator's token, None where everybody is the operator, and the tokens of agents that it is the secret of."""
    token = load_or_create_operator_token(settings.path(settings.security.operator_token_file))
    tokens = Tokens(token, settings.security.installation, time.time)
    return (token if settings.gateway.auth == "required" else None), tokens


def _partner_token(settings: Settings) -> str | None:
    """What opens the digests to another deployment; None if nobody made one with ``monmouth sync token``."""
    path = settings.path(settings.security.partner_token_file)
    return read_token(path, "partner token") if path.exists() else None


def _authority(settings: Settings, verifier: Verifier) -> Authority:
    return Authority(settings.security.commands, verifier, Place(settings.security.installation, settings.chain.chain_id))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # Connections inherit it. Asyncio sets it for sockets made with the protocol's number alone, which this is not; without,
        # the body of an answer waits 40 ms for the acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"the gateway cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}",
            "Stop what uses the port, or set MONMOUTH_GATEWAY__PORT to a free one (0 takes any).",
        ) from None

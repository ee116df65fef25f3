"""A running pipeline as a command of an operator sees it: its log, its stream agents by name, and whose markers to believe.

Invariant: nothing here joins a consumer group or opens a store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from streams.agents.base import LocalState, StreamAgent
from streams.errors import ConfigurationError
from streams.ports.log import LogClient
from streams.runtime.job import AgentFactory, Job, job_of
from streams.settings import Settings
from streams.signing import Signer, Verifier, load_or_create_signer, load_verifier

STREAM_AGENTS = {
    "intent": "streams.agents.intent:IntentAgent",
    "memory": "streams.agents.memory:MemoryAgent",
    "embedding": "streams.agents.embedding:EmbeddingAgent",
    "lattice": "streams.agents.lattice:LatticeAgent",
    "graph": "streams.agents.graph:GraphAgent",
    "bridge": "streams.agents.bridge:BridgeAgent",
    "webhook": "streams.agents.webhook:WebhookAgent",
}


def stream_agent(name: str) -> type[StreamAgent]:
    """The class of that name. Raises ConfigurationError."""
    if name not in STREAM_AGENTS:
        raise ConfigurationError(f"no stream agent is called {name}", f"Stream agents: {', '.join(STREAM_AGENTS)}.")
    module, _, attribute = STREAM_AGENTS[name].partition(":")
    found: type[StreamAgent] = getattr(import_module(module), attribute)
    return found


def stream_agents() -> list[type[StreamAgent]]:
    """All of their classes."""
    return [stream_agent(name) for name in STREAM_AGENTS]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """``lookup``: the class of a stream agent by its name; raises ConfigurationError. ``as_owner``: see ``owner``."""

    client: LogClient
    settings: Settings
    signer: Signer
    verifier: Verifier
    lookup: Callable[[str], type[StreamAgent]] = stream_agent
    as_owner: Callable[[str], LogClient] | None = None

    @property
    def partitions(self) -> int:
        """Of every topic keyed by agent."""
        return self.settings.kafka.partitions

    def owner(self, name: str) -> LogClient:
        """A client that may do what the worker of a stream agent may, where the cluster tells programs apart."""
        return self.client if self.as_owner is None else self.as_owner(name)

    def job(self, name: str) -> Job:
        """What reads the log as the stream agent does; no instance of it can be made. Raises ConfigurationError."""
        factory = AgentFactory(self.lookup(name), _no_instance)
        return job_of(factory, self.client, self.settings, verifier=self.verifier, signer=self.signer)


def open_pipeline(settings: Settings) -> Pipeline:
    """The pipeline that ``settings`` name. Raises ConfigurationError."""
    from streams.runtime.kafka import KafkaClient  # noqa: PLC0415  (keeps --help quick)

    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    kafka = settings.kafka
    return Pipeline(KafkaClient(kafka), settings, signer, verifier, as_owner=lambda name: KafkaClient(kafka.as_role(name)))


def _no_instance(_partition: int, _state: LocalState) -> NoReturn:
    raise TypeError("a command reads as a stream agent does, and does not work as one")

"""The memory and the retrieval of the product under the names of the Reth execution extensions they stand in for.

    memory, rag, monitoring = MemoryExEx(client), RagExEx(client), Monitoring(client)
    memory.store(agent, "prefers ETH over DAI")
    memory.retrieve(agent, MemoryFilter(types=["SEMANTIC"], min_importance=0.5, sort="oldest"))
    rag.process_transaction(transaction)
    monitoring.get_metrics().system_health_score

Nothing is decided here: each method is calls of the client, whose errors it raises. A transaction comes to the log through the
producer alone, which believes a node; a facade only waits for it.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from schemas.records import MemoryType
from streams.core.ids import chain_memory_id
from streams.errors import ConfigurationError
from streams.serving.addresses import parse_agent
from streams.serving.client import Client
from streams.serving.client_errors import BadRequestError
from streams.serving.said import Name
from streams.serving.wire import Citation, Context, ContextItem, IntentView, MemoryView, Receipt
from streams.serving.wire.dashboard import AlertView, GatewayMetrics, PerformanceMetrics

if TYPE_CHECKING:  # a client of the gateway needs none of what reads the log
    from streams.ops.alerts.desk import AlertDesk
    from streams.ops.alerts.rules import AlertRule
    from streams.ops.reports import AlertRecord

Sort = Literal["newest", "oldest", "relevance"]
WAIT = 10.0
"""Seconds to wait for the record that shows an effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFilter:
    """Which memories, in which order; what is not given admits all.

    ``types`` and ``tags``: any of them. ``max_age``: seconds back from now. ``time_range``: from and to in unix seconds,
    inclusive, either of them None. ``sort``: of all that match, the ``limit`` first in this order. ``query``: what relevance is
    measured by; only texts have it.
    """

    types: Sequence[MemoryType] = ()
    tags: Sequence[str] = ()
    min_importance: float = 0.0
    max_age: int | None = None
    time_range: tuple[int | None, int | None] = (None, None)
    limit: int = 100
    sort: Sort = "newest"
    query: str | None = None

    def __post_init__(self) -> None:
        if (self.sort == "relevance") != (self.query is not None):
            raise ValueError("relevance is to a query: give both, or neither")
        if self.max_age is not None and self.time_range[0] is not None:
            raise ValueError("max_age and the beginning of time_range say the same thing twice: give one of them")


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that was retrieved. ``score``: how well it answers the query, None without one."""

    memory_id: str
    content: str | bytes
    type: MemoryType
    importance: float
    tags: tuple[str, ...]
    timestamp: int
    citation: Citation
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of a transaction. ``memory``: what its sender remembers of it, None while it is in no block."""

    intent: IntentView
    memory: MemoryView | None


class MemoryExEx:
    """What agents remember."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def store(self, agent: Name, data: str | bytes, *, wait: float = WAIT, **said: Any) -> Receipt:
        """Keeps ``data`` and waits until reads show it: ``visible`` of the receipt says whether they do.

        More: as ``Client.store``. Raises GatewayError.
        """
        return self._client.store(agent, data, wait=wait, **said)

    store_memory = store

    def retrieve(self, agent: Name, wanted: MemoryFilter | None = None) -> list[Recalled]:
        """Memories that match, in the order asked for. Raises GatewayError."""
        wanted = wanted or MemoryFilter()
        if wanted.query is not None:
            return self._relevant(agent, wanted, wanted.query)
        since, until = wanted.time_range
        found = self._client.retrieve(
            agent,
            types=wanted.types,
            tags=wanted.tags,
            min_importance=wanted.min_importance,
            max_age=wanted.max_age,
            since=since,
            until=until,
            limit=wanted.limit,
            order=None if wanted.sort == "relevance" else wanted.sort,
        )
        return [_recalled(item) for item in found.items]

    def export(self, agent: Name, format: str = "lines", *, compress: bool = False) -> bytes:  # noqa: A002  (the API's name)
        """All live memories in one attested package: ``lines`` (JSON Lines) or ``avro``. Raises GatewayError."""
        return self._client.export_file(agent, format=format, compress=compress)

    def _relevant(self, agent: Name, wanted: MemoryFilter, query: str) -> list[Recalled]:
        since, until = wanted.time_range
        bounds: dict[str, Any] = {
            "types": list(wanted.types) or None,
            "tags": list(wanted.tags) or None,
            "min_importance": wanted.min_importance,
            "since": since if wanted.max_age is None else int(time.time()) - wanted.max_age,
            "until": until,
        }
        found = self._client.query_context(agent, query, wanted.limit, min_similarity=-1.0, filter=bounds)
        return [_answer(item) for item in found.items]


class RagExEx:
    """What agents' memories say about a question, and what their transactions ask for."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def process_transaction(self, transaction: Mapping[str, Any], *, wait: float = WAIT) -> Processed:
        """Reads what a transaction asks for and, if it is in a block, waits for the memory that its sender has of it.

        ``transaction``: as ``eth_getTransactionByHash`` prints it. Raises GatewayError: BadRequestError for one that no node
        printed, NotFoundError if its block was undone, or it leaves no memory.
        """
        intent = self._client.parse_intent(transaction)
        block = transaction.get("blockHash")
        if block is None:
            return Processed(intent, None)
        memory_id = _memory_id(transaction)
        return Processed(intent, self._client.get(transaction["from"], memory_id, wait_for_block=block, wait=wait))

    def query_context(self, agent: Name, query: str, max_results: int = 10, **more: Any) -> Context:
        """The agent's memories nearest to the question. More: as ``Client.query_context``."""
        return self._client.query_context(agent, query, max_results, **more)

    def parse_intent(self, transaction: Mapping[str, Any]) -> IntentView:
        """What a transaction asks for."""
        return self._client.parse_intent(transaction)

    def generate_embedding(self, text: str) -> list[float]:
        """The vector of a text."""
        return self._client.generate_embedding(text).vector


def _recalled(item: MemoryView) -> Recalled:
    content = item.text if item.text is not None else b64decode(item.content_base64 or "")
    place = item.id, content, item.type, item.importance, tuple(item.tags), item.timestamp, item.citation
    return Recalled(*place)


def _answer(item: ContextItem) -> Recalled:
    place = item.memory_id, item.text, item.type, item.importance, tuple(item.tags), item.timestamp, item.citation
    return Recalled(*place, score=item.score)


def _memory_id(transaction: Mapping[str, Any]) -> bytes:
    """Of the memory that the sender of a mined transaction has of it."""
    try:
        chain_id, index = int(transaction["chainId"], 16), int(transaction["transactionIndex"], 16)
        block_hash, sender = bytes.fromhex(transaction["blockHash"][2:]), parse_agent(transaction["from"])
        return chain_memory_id(chain_id, block_hash, index, sender)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequestError(
            f"the transaction does not say where it lies: {error}",
            "Give it as eth_getTransactionByHash prints it, with chainId, blockHash and transactionIndex.",
            400,
        ) from None


class Monitoring:
    """How the deployment is, for the operator; the names of the reference design.

    ``desk``: works on the rules file of the watch and on ops.alerts. A watch by the log takes a change up at once.
    """

    def __init__(self, client: Client, desk: AlertDesk | None = None) -> None:
        self._client = client
        self._given_desk = desk

    def get_metrics(self) -> GatewayMetrics:
        """Health, alerts, response times, throughput, errors, in a few numbers; what nobody measures is None."""
        return self._client.dashboard().metrics

    def get_performance_metrics(self) -> PerformanceMetrics:
        """Latency, hit rate, messages, pools, memory, processor."""
        return self._client.dashboard().performance

    def export_dashboard_data(self, format: str = "json") -> bytes:  # noqa: A002  (the name of the reference)
        """The dashboard as a file: ``json``, ``csv`` or ``html``."""
        return self._client.export_dashboard(format)

    def rules(self) -> list[AlertRule]:
        """All rules of the file. Raises ConfigurationError, as do the next four."""
        return self._desk.book.rules()

    def add_rule(self, rule: AlertRule) -> AlertRule:
        """As it is in the file from now on."""
        return self._desk.book.add(rule)

    def remove_rule(self, name: str) -> None:
        """Takes a rule out of the file."""
        self._desk.book.remove(name)

    def enable(self, name: str) -> None:
        """Switches a rule on."""
        self._desk.book.enable(name)

    def disable(self, name: str) -> None:
        """Switches a rule off; what fires by it is over once the watch takes that up."""
        self._desk.book.disable(name)

    def resolve(self, name: str, labels: Mapping[str, str] | None = None) -> list[AlertRecord]:
        """Declares alerts of a rule over, all or those with ``labels``. Raises ConfigurationError if none fires, LogError."""
        return asyncio.run(self._desk.resolve(name, labels))

    def alerts(self) -> list[AlertView]:
        """What fires, the worst first."""
        return self._client.alerts().firing

    def history(self) -> list[AlertView]:
        """What fires and what is over, the newest first, as far back as the gateway holds it."""
        found = self._client.alerts()
        return sorted([*found.firing, *found.resolved], key=lambda alert: alert.since_ms, reverse=True)

    @property
    def _desk(self) -> AlertDesk:
        if self._given_desk is None:
            raise ConfigurationError(
                "this facade knows no rules file and no brokers", "Make it with Monitoring(client, AlertDesk(settings))."
            )
        return self._given_desk

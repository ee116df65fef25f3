"""Brings the cluster's topics in line with the topic map, and says where they differ.

Invariant: applying twice changes nothing the second time; a topic is never deleted and its partition count never changed, since
that would send the keys of one agent to two partitions and break the order that everything downstream relies on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NotControllerError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from streams.cluster.arguments import client_arguments
from streams.cluster.denials import denial, denied
from streams.cluster.refusals import explained
from streams.errors import Category, MonmouthError, Severity
from streams.settings import KafkaSettings
from streams.topics import TOPICS, TopicSpec, physical

ATTEMPTS = 5
BACKOFF = 0.5  # seconds, times the number of the attempt
SETTLE_TIMEOUT = 30.0  # seconds
REQUEST_TIMEOUT_MS = 15_000
SET_ON_TOPIC = 1  # config source of the protocol: an override of this topic, not a broker's default

T = TypeVar("T")


class TopicError(MonmouthError):
    """The cluster refused, or did not answer."""

    category = Category.EXTERNAL
    severity = Severity.HIGH


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. ``wanted`` and ``found`` are the broker's texts; ``topic`` its physical name."""

    topic: str
    kind: Literal["missing", "partitions", "replication", "config"]
    setting: str
    wanted: str
    found: str

    @property
    def fixable(self) -> bool:
        """What ``apply(fix=True)`` can put right."""
        return self.kind in {"missing", "config"}

    def __str__(self) -> str:
        if self.kind == "missing":
            return f"{self.topic}: does not exist"
        return f"{self.topic}: {self.setting} is {self.found}, should be {self.wanted}"


@dataclass(frozen=True, slots=True)
class Applied:
    """What ``apply`` did, or would do in a dry run, and what still differs after it."""

    created: tuple[str, ...]
    altered: tuple[str, ...]
    remaining: tuple[Drift, ...]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it. ``config``: every setting in force; ``overrides``: those set on the topic itself."""

    partitions: int
    replication: int
    config: Mapping[str, str]
    overrides: Mapping[str, str]
    has_leaders: bool


async def drift(kafka: KafkaSettings) -> list[Drift]:
    """Differences between the map and the cluster, in the map's order. Raises TopicError."""
    states = await with_client(kafka, lambda client: _states(client, _names(kafka)))
    return compare(kafka, states)


async def states(kafka: KafkaSettings) -> dict[str, TopicState]:
    """The map's topics that exist, by physical name. Raises TopicError."""
    return await with_client(kafka, lambda client: _states(client, _names(kafka)))


async def apply(kafka: KafkaSettings, *, fix: bool = False, dry_run: bool = False) -> Applied:
    """Create what is missing, wait until every partition has a leader; with ``fix`` also alter settings that differ.

    Raises TopicError if the cluster refuses or does not answer.
    """
    before = await drift(kafka)
    missing = tuple(entry.topic for entry in before if entry.kind == "missing")
    wrong = tuple(dict.fromkeys(entry.topic for entry in before if entry.kind == "config")) if fix else ()
    if dry_run:
        left = tuple(entry for entry in before if entry.topic not in missing and not (fix and entry.fixable))
        return Applied(missing, wrong, left)
    await with_client(kafka, lambda client: _create(client, kafka, missing))
    await with_client(kafka, lambda client: _alter(client, kafka, wrong))
    return Applied(missing, wrong, await _settle(kafka, wrong))


def compare(kafka: KafkaSettings, found: Mapping[str, TopicState]) -> list[Drift]:
    """Pure: the differences of ``found`` (by physical name) from the map under ``kafka``."""
    differences: list[Drift] = []
    for spec in TOPICS.values():
        name = physical(kafka.prefix, spec.name)
        state = found.get(name)
        if state is None:
            differences.append(Drift(name, "missing", "", "", ""))
            continue
        partitions = partition_count(spec, kafka)
        if state.partitions != partitions:
            differences.append(Drift(name, "partitions", "partition count", str(partitions), str(state.partitions)))
        if state.replication != kafka.replication:
            differences.append(Drift(name, "replication", "replication factor", str(kafka.replication), str(state.replication)))
        for setting, wanted in spec.config().items():
            value = state.config.get(setting, "(unset)")
            if value != wanted:
                differences.append(Drift(name, "config", setting, wanted, value))
    return differences


def partition_count(spec: TopicSpec, kafka: KafkaSettings) -> int:
    """The map's own number, else that of all topics keyed by agent."""
    return spec.partitions if spec.partitions is not None else kafka.partitions


def _names(kafka: KafkaSettings) -> list[str]:
    return [physical(kafka.prefix, name) for name in TOPICS]


async def with_client(kafka: KafkaSettings, work: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
    """Run ``work`` on a fresh client, again with a new one where the client happened to pick a node that is down.

    Raises TopicError, ClusterAccessError.
    """
    reason = ""
    for attempt in range(1, ATTEMPTS + 1):
        client = AIOKafkaAdminClient(**client_arguments(kafka), request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            async with explained(kafka):
                await client.start()
            return await work(client)
        except (NodeNotReadyError, NotControllerError, KafkaConnectionError, OSError, TimeoutError) as error:
            reason = type(error).__name__
            await asyncio.sleep(BACKOFF * attempt)
        except KafkaError as error:
            if (denied := denial(error, "DESCRIBE")) is not None:
                raise denied from None
            raise TopicError(f"the cluster at {kafka.bootstrap} refused: {error!r}") from None
        finally:
            await client.close()
    raise TopicError(
        f"no Kafka answers at {kafka.bootstrap} ({reason})",
        "Start one with 'monmouth infra up', or name yours: MONMOUTH_KAFKA__BOOTSTRAP=host:port.",
    )


async def _states(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, TopicState]:
    described = {entry["topic"]: entry for entry in await client.describe_topics(names) if entry["error_code"] != 3}
    for name, entry in described.items():
        _demand_allowed(entry["error_code"], "DESCRIBE", name)
    if not described:
        return {}
    settings = await _settings(client, described)
    return {name: _state(described[name], settings[name]) for name in names if name in described and name in settings}


def _state(topic: Mapping[str, Any], settings: list[tuple[Any, ...]]) -> TopicState:
    partitions = topic["partitions"]
    return TopicState(
        partitions=len(partitions),
        replication=min((len(entry["replicas"]) for entry in partitions), default=0),
        config={entry[0]: entry[1] for entry in settings},
        overrides={entry[0]: entry[1] for entry in settings if entry[3] == SET_ON_TOPIC},
        has_leaders=all(entry["error_code"] == 0 and entry["leader"] >= 0 for entry in partitions),
    )


async def _settings(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Per topic rows of (name, value, read only, source, ...). Another node may answer, which has not heard of a topic yet."""
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, list[tuple[Any, ...]]] = {}
    for answer in answers:
        for code, message, _kind, name, rows in answer.resources:
            if code == UnknownTopicOrPartitionError.errno:
                continue
            _demand_allowed(code, "DESCRIBE_CONFIGS", name)
            if code:
                raise for_code(code)(message)
            found[name] = rows
    return found


async def _create(client: AIOKafkaAdminClient, kafka: KafkaSettings, names: tuple[str, ...]) -> None:
    wanted = [
        NewTopic(name, partition_count(spec, kafka), kafka.replication, topic_configs=spec.config())
        for spec in TOPICS.values()
        if (name := physical(kafka.prefix, spec.name)) in names
    ]
    if not wanted:
        return
    answer = await client.create_topics(wanted)
    for name, code, message in answer.topic_errors:
        _demand_allowed(code, "CREATE", name)
        # Another process may apply at the same moment; what it made is compared afterwards like anything else.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise TopicError(f"cannot create {name}: {message or for_code(code).__name__}")


async def _alter(client: AIOKafkaAdminClient, kafka: KafkaSettings, names: tuple[str, ...]) -> None:
    """The protocol's alteration replaces every override of a topic, so those the map does not speak of are sent along."""
    if not names:
        return
    now = await _states(client, list(names))
    specs = {physical(kafka.prefix, spec.name): spec for spec in TOPICS.values()}
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, {**now[name].overrides, **specs[name].config()})
        for name in names
        if name in now
    ]
    for answer in await client.alter_configs(resources):
        for code, message, _kind, name in answer.resources:
            _demand_allowed(code, "ALTER_CONFIGS", name)
            if code:
                raise TopicError(f"cannot alter {name}: {message or for_code(code).__name__}")


def _demand_allowed(code: int, operation: str, name: str) -> None:
    if code == TopicAuthorizationFailedError.errno:
        raise denied(operation, f"topic {name}")


async def _settle(kafka: KafkaSettings, altered: tuple[str, ...]) -> tuple[Drift, ...]:
    """Wait for leaders everywhere, and until the broker shows what was altered: its own view lags the controller's."""
    deadline = asyncio.get_running_loop().time() + SETTLE_TIMEOUT
    while True:
        found = await states(kafka)
        left = compare(kafka, found)
        waiting = [name for name in _names(kafka) if name not in found or not found[name].has_leaders]
        waiting += [entry.topic for entry in left if entry.kind == "config" and entry.topic in altered]
        if not waiting:
            return tuple(left)
        if asyncio.get_running_loop().time() > deadline:
            raise TopicError(f"not ready within {SETTLE_TIMEOUT:.0f} s: {', '.join(waiting)}", "Is every broker up?")
        await asyncio.sleep(0.1)

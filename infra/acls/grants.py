"""The least that each program needs of the cluster, from the topic map and what stream agents declare. Pure.

Invariants: nobody may write what the topic map says another writes, nor read what it is not made from; no grant is for all
principals, and none covers a name outside the pipeline's prefix. Grants are for whole topics, so they do not keep stream agents
apart in ``checkpoints``, ``replays`` and ``dlq``, where all of them write under keys of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from streams.agents.base import StreamAgent
from streams.cluster.arguments import for_role
from streams.errors import ConfigurationError
from streams.ops.alerts.teller import GROUP as ALERTS
from streams.runtime.letters import TOOL as LETTERS
from streams.serving.registry.log import WRITER as REGISTRY_WRITER
from streams.settings import GATEWAY, OPERATOR, OPS, PRODUCER, SUPERVISOR, KafkaSettings
from streams.topics import CHECKPOINTS, COMMANDS, DLQ, EVERY_PROCESS, EVICTIONS, REPLAYS, RETRIES, SCHEMAS, TOPICS, physical
from streams.upkeep.checkpoints import COMMAND as CHECKPOINT
from streams.upkeep.replay import COMMAND as REPLAY

Resource = Literal["TOPIC", "GROUP", "TRANSACTIONAL_ID", "CLUSTER"]
Pattern = Literal["LITERAL", "PREFIXED"]
CLUSTER = "kafka-cluster"
ANYWHERE = "*"
EVERYBODY = "User:*"
OPERATED = (COMMANDS, EVICTIONS, SCHEMAS, CHECKPOINTS, REPLAYS, DLQ)
"""What the operator writes: commands carried over, records sent again and their letters closed, schemas, checkpoints with a
name, requests to replay.
"""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One line of an access control list. Types are texts, since the brokers may hold what is not ours to name."""

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str
    permission: str = "ALLOW"
    host: str = ANYWHERE

    def covers(self, resource: str, name: str) -> bool:
        """Whether it is about ``name``."""
        if self.resource != resource:
            return False
        if self.pattern == "PREFIXED":
            return name.startswith(self.name)
        return self.name in {name, ANYWHERE}

    def __str__(self) -> str:
        said = "may" if self.permission == "ALLOW" else "may not"
        kind = self.resource.lower().replace("_", " ")
        name = f"{self.name}*" if self.pattern == "PREFIXED" else self.name
        place = "" if self.host == ANYWHERE else f" from {self.host}"
        return f"{self.principal} {said} {self.operation} {kind} {name}{place}"


@dataclass(frozen=True, slots=True)
class Role:
    """A program as the cluster sees it. ``transactions``: prefixes of its transactional ids; ``group``: its consumer group.

    ``groups``: begins the names of others, of which it keeps positions; ``watches``: groups whose positions it may see.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    transactions: tuple[str, ...] = ()
    group: str = ""
    groups: str = ""
    watches: tuple[str, ...] = ()


def roles(specs: Iterable[type[StreamAgent]]) -> list[Role]:
    """Of every program but the operator. Names of topics, groups and transactional ids lack the prefix."""
    specs = tuple(specs)
    return [
        *(_stream_agent(spec) for spec in specs),
        Role(PRODUCER, _read_by(PRODUCER), _written_by(PRODUCER), transactions=(f"{PRODUCER}-",)),
        _gateway(specs),
        Role(SUPERVISOR, _read_by(SUPERVISOR), _written_by(SUPERVISOR)),
        Role(OPS, _read_by(OPS), _written_by(OPS), (f"{ALERTS}-",), group=OPS, groups=f"{ALERTS}-"),
    ]


def _gateway(specs: tuple[type[StreamAgent], ...]) -> Role:
    """It answers from what others write, and says of every stream agent how far behind its inputs it is."""
    reads = dict.fromkeys([*_read_by(GATEWAY), *(topic for spec in specs for topic in spec.timely())])
    watches = tuple(spec.name for spec in specs)
    return Role(GATEWAY, tuple(reads), _written_by(GATEWAY), transactions=(f"{REGISTRY_WRITER}-",), watches=watches)


def _stream_agent(spec: type[StreamAgent]) -> Role:
    shared = (CHECKPOINTS, REPLAYS)
    reads = (*spec.inputs, *spec.logs[:1], *shared)  # of its log, how far it is ahead of the input after replays
    retries = RETRIES if spec.defers else ()
    writes = (*spec.logs, *spec.tables, *spec.requests, *shared, DLQ, *retries, *_written_by(EVERY_PROCESS))
    return Role(spec.name, tuple(dict.fromkeys(reads)), writes, (f"{spec.name}-",), spec.name)


def _read_by(program: str) -> tuple[str, ...]:
    return tuple(spec.name for spec in TOPICS.values() if program in spec.readers)


def _written_by(program: str) -> tuple[str, ...]:
    return tuple(spec.name for spec in TOPICS.values() if spec.writer in {program, EVERY_PROCESS})


def grants(kafka: KafkaSettings, specs: Sequence[type[StreamAgent]]) -> list[Grant]:
    """All of them, for the principals of the settings. Raises ConfigurationError where none are named."""
    found = [grant for role in roles(specs) for grant in _of(kafka, role)]
    return list(dict.fromkeys([*found, *_operator(kafka)]))


def principals(kafka: KafkaSettings, specs: Sequence[type[StreamAgent]]) -> dict[str, str]:
    """What brokers take each role for."""
    return {name: principal(kafka, name) for name in (*(role.name for role in roles(specs)), OPERATOR)}


def principal(kafka: KafkaSettings, role: str) -> str:
    """What brokers take ``role`` for. Raises ConfigurationError where the settings do not say."""
    access = kafka.access
    said = access.principal or (f"User:{access.user}" if access.user else "")
    if not said:
        raise ConfigurationError(
            "nobody to grant anything to: programs have no names on this cluster",
            "Set kafka.access.user, or kafka.access.principal for certificates: User:CN={role}, say.",
        )
    if not said.startswith("User:"):
        raise ConfigurationError(f"kafka.access.principal is {said}", "Brokers know clients as User: and a name.")
    return for_role(said, role)


def _of(kafka: KafkaSettings, role: Role) -> Iterator[Grant]:
    who = principal(kafka, role.name)
    for operation, topics in (("READ", role.reads), ("WRITE", role.writes)):
        for topic in topics:
            yield Grant(who, "TOPIC", physical(kafka.prefix, topic), "LITERAL", operation)
    for prefix in role.transactions:
        yield Grant(who, "TRANSACTIONAL_ID", physical(kafka.prefix, prefix), "PREFIXED", "WRITE")
    if role.group:
        yield Grant(who, "GROUP", physical(kafka.prefix, role.group), "LITERAL", "READ")
    for group in role.watches:
        yield Grant(who, "GROUP", physical(kafka.prefix, group), "LITERAL", "DESCRIBE")
    if role.groups:
        yield Grant(who, "GROUP", physical(kafka.prefix, role.groups), "PREFIXED", "READ")


def _operator(kafka: KafkaSettings) -> Iterator[Grant]:
    """Makes and checks topics, registers schemas, reads everything, writes ``OPERATED``; grants nothing to anybody."""
    who = principal(kafka, OPERATOR)
    for operation in ("READ", "CREATE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"):
        yield Grant(who, "TOPIC", kafka.prefix, "PREFIXED", operation)
    for topic in OPERATED:
        yield Grant(who, "TOPIC", physical(kafka.prefix, topic), "LITERAL", "WRITE")
    yield Grant(who, "TRANSACTIONAL_ID", physical(kafka.prefix, "carry"), "LITERAL", "WRITE")
    for program in (REGISTRY_WRITER, CHECKPOINT, REPLAY, LETTERS):
        yield Grant(who, "TRANSACTIONAL_ID", physical(kafka.prefix, f"{program}-"), "PREFIXED", "WRITE")
    yield Grant(who, "GROUP", kafka.prefix, "PREFIXED", "DESCRIBE")
    yield Grant(who, "CLUSTER", CLUSTER, "LITERAL", "DESCRIBE")


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """``missing``: a program will be denied. ``extra``: one may do more than it needs. ``open``: anybody may."""

    kind: Literal["missing", "extra", "open"]
    grant: Grant

    def __str__(self) -> str:
        return f"{self.kind}: {self.grant}"


def compare(wanted: Sequence[Grant], found: Iterable[Grant]) -> list[Difference]:
    """How the brokers' list differs from what it should be. What others were granted, taps for example, is not looked at.

    A grant to everybody counts where it is about a resource that a grant of ours is about.
    """
    held, ours = set(found), {grant.principal for grant in wanted}
    missing = [Difference("missing", grant) for grant in wanted if grant not in held]
    extra = [Difference("extra", grant) for grant in sorted(held - set(wanted)) if grant.principal in ours]
    opened = [Difference("open", grant) for grant in sorted(held) if grant.principal == EVERYBODY and _touches(grant, wanted)]
    return [*missing, *extra, *opened]


def _touches(grant: Grant, wanted: Sequence[Grant]) -> bool:
    own = [one for one in wanted if one.resource == grant.resource and one.resource != "CLUSTER"]
    return grant.permission == "ALLOW" and any(
        grant.covers(one.resource, one.name) or (one.pattern == "PREFIXED" and one.covers(grant.resource, grant.name))
        for one in own
    )

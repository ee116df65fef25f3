"""The broker's own configuration: a KRaft node, broker and controller in one, on loopback only; alone or one of a cluster.

Invariant: no listener is bound to anything but 127.0.0.1; topics are never created by accident; nothing is removed by age
unless a topic says so, and committed positions outlast any pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
TEN_YEARS_MINUTES = 10 * 365 * 24 * 60

SERVER = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "num.partitions": "1",
    # A mistyped topic name must fail, not make a topic that forgets after seven days.
    "auto.create.topics.enable": "false",
    "log.retention.ms": "-1",
    "offsets.retention.minutes": str(TEN_YEARS_MINUTES),
    # One node: internal topics must not ask for three replicas.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "group.initial.rebalance.delay.ms": "0",
    # The least session timeout a worker may ask for (kafka.session_timeout_ms); the broker's own least is 6 s.
    "group.min.session.timeout.ms": "1000",
    # Small heap: the default buffer of the cleaner is 128 MiB.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.cleaner.io.buffer.size": str(256 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    # After kill -9 the controller refuses the new broker until the session of the old one is over (default 9 s).
    "broker.session.timeout.ms": "3500",
    "broker.heartbeat.interval.ms": "500",
}

LOGGING = """\
rootLogger.level = info
rootLogger.appenderRef.file.ref = FILE
appender.file.type = RollingFile
appender.file.name = FILE
appender.file.fileName = ${sys:monmouth.log}
appender.file.filePattern = ${sys:monmouth.log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d] %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 16MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
"""


MEMBER = {
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    # Several Java processes on a small machine: one may well be late without being dead.
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
    "replica.lag.time.max.ms": "6000",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A node of a cluster as all its nodes know it.

    Clients connect to ``port`` and are told ``advertised_port``, behind which a proxy may stand; brokers among themselves, and
    whoever asks after them, use ``internal_port``. ``voters``: node id to controller port, of every node.
    """

    cluster_id: str
    node_id: int
    port: int
    internal_port: int
    controller_port: int
    advertised_port: int
    voters: Mapping[int, int]


def server_properties(
    data: Path, port: int, controller_port: int, extra: Mapping[str, str], listeners: Mapping[str, int] | None = None
) -> str:
    """Text of ``server.properties`` of a node alone; ``extra`` wins over the defaults but not over the listeners.

    ``listeners``: more of them by name; what each speaks is for ``extra`` to say, in listener.security.protocol.map.
    """
    clients = {"PLAINTEXT": port, **(listeners or {})}
    return _text(
        {
            **SERVER,
            **extra,
            "log.dirs": str(data),
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "listeners": _listeners({**clients, "CONTROLLER": controller_port}),
            "advertised.listeners": _listeners(clients),
        }
    )


def member_properties(data: Path, member: Member, extra: Mapping[str, str]) -> str:
    """The same of a node of a cluster: three replicas where there are three nodes, and one of them may be down."""
    replicas = min(3, len(member.voters))
    listeners = {"PLAINTEXT": member.port, "INTERNAL": member.internal_port, "CONTROLLER": member.controller_port}
    advertised = {"PLAINTEXT": member.advertised_port, "INTERNAL": member.internal_port}
    return _text(
        {
            **SERVER,
            **MEMBER,
            **{name: str(replicas) for name in SERVER if name.endswith("replication.factor")},
            **{name: str(max(1, replicas - 1)) for name in SERVER if name.endswith((".min.isr", "min.insync.replicas"))},
            **extra,
            "node.id": str(member.node_id),
            "log.dirs": str(data),
            "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in sorted(member.voters.items())),
            "listeners": _listeners(listeners),
            "advertised.listeners": _listeners(advertised),
        }
    )


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())


def _text(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    """For a Java properties file, which is Latin-1: anything else as UTF-16 escapes."""
    text = value.replace("\\", "\\\\").replace("\n", "\\n")
    units = text.encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(code) if code < 0x7F else f"\\u{code:04x}" for code in codes)

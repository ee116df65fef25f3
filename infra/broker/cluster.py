"""A real Kafka cluster on this machine: several nodes, each broker and controller, that may be killed, paused and stopped.

Assumes: a folder that belongs to this user. Invariant: with three nodes every topic has three replicas and what is acknowledged
is on two, so that any one node may go; cluster id and ports are kept in ``cluster.json``, so that a stopped cluster comes back
as what it was; no node outlives ``stop``, nor a start that fails.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from infra.broker.errors import BrokerError, BrokerTimeoutError
from infra.broker.jars import OnJar
from infra.broker.launch import new_cluster_id
from infra.broker.local import START_TIMEOUT, LocalBroker
from infra.broker.ports import free_ports, is_free
from infra.broker.properties import HOST, Member
from infra.broker.quorum import leader

HEAP = "384m"
STOP_TIMEOUT = 10.0
"""Seconds. The last nodes to go cannot hand over their partitions and might wait for long: they are killed; their data stay."""
POLL = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``cluster.json`` holds. ``ports``: by node id, for clients, for the other brokers, for the controllers."""

    cluster_id: str
    ports: Mapping[int, tuple[int, int, int]]

    @classmethod
    def new(cls, nodes: int, cluster_id: str) -> Plan:
        """On ports that are free now."""
        chosen = iter(free_ports(3 * nodes))
        return cls(cluster_id, {node: (next(chosen), next(chosen), next(chosen)) for node in range(1, nodes + 1)})

    @classmethod
    def read(cls, path: Path) -> Plan | None:
        """None before the first start."""
        try:
            fields = json.loads(path.read_text())
            return cls(str(fields["cluster_id"]), {int(node): (p[0], p[1], p[2]) for node, p in fields["ports"].items()})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, IndexError):
            raise BrokerError(f"{path} is damaged", "Move the folder away to start with an empty cluster.") from None

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"cluster_id": self.cluster_id, "ports": self.ports}))
        fresh.replace(path)

    def free(self) -> bool:
        """True if all ports could be used now."""
        return all(is_free(port) for ports in self.ports.values() for port in ports)

    def member(self, node: int, advertised: int) -> Member:
        """``advertised`` 0: its own port."""
        port, internal, own = self.ports[node]
        voters = {other: ports[2] for other, ports in self.ports.items()}
        return Member(self.cluster_id, node, port, internal, own, advertised or port, voters)


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``start``, ``stop`` and ``kill`` block until it is done."""

    member: Member
    broker: LocalBroker

    @property
    def pid(self) -> int | None:
        """None while it is down."""
        return self.broker.pid

    @property
    def internal(self) -> str:
        """``host:port`` that leads to this node past any proxy."""
        return f"{HOST}:{self.member.internal_port}"

    def start(self, timeout: float = START_TIMEOUT) -> bool:
        """Start, or start again, and wait until it serves; False if it ran. Needs a majority of the nodes."""
        return self.broker.start(timeout)

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """SIGTERM: it hands its partitions over and ends. SIGKILL after ``timeout`` seconds."""
        self.resume()
        return self.broker.stop(timeout)

    def kill(self) -> None:
        """SIGKILL."""
        self.broker.kill()

    def pause(self) -> None:
        """SIGSTOP: its connections stay and nothing answers on them."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Does not wait."""
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class LocalCluster:
    """``count`` nodes with ids 1, 2, ... in ``state_dir``.

    ``properties`` adds to the configuration of every node. ``jars``, ``say`` and ``on_jar`` are those of LocalBroker.
    """

    def __init__(
        self,
        state_dir: Path,
        count: int = 3,
        *,
        jars: Path | None = None,
        heap: str = HEAP,
        properties: Mapping[str, str] | None = None,
        say: Callable[[str], None] | None = None,
        on_jar: OnJar | None = None,
    ) -> None:
        self._state_dir = state_dir.resolve()
        self._make_broker: Callable[[int, Member], LocalBroker] = lambda node, member: LocalBroker(
            self._state_dir / f"node-{node}",
            jars=jars,
            heap=heap,
            properties=properties,
            record_startup=False,
            member=member,
            say=say,
            on_jar=on_jar,
        )
        self._plan = self._planned(count)
        self.nodes = {node: self._node(node) for node in self._plan.ports}

    def advertise(self, ports: Mapping[int, int]) -> None:
        """Before the start: the loopback port by node id that clients are told instead of the node's own."""
        self.nodes |= {node: self._node(node, port) for node, port in ports.items()}

    @property
    def bootstrap(self) -> str:
        """All nodes as clients are to reach them: "host:port,..."."""
        return ",".join(f"{HOST}:{node.member.advertised_port}" for node in self.nodes.values())

    @property
    def internal(self) -> str:
        """All nodes, past any proxy."""
        return ",".join(node.internal for node in self.nodes.values())

    @property
    def replication(self) -> int:
        """Replicas that a topic should have."""
        return min(3, len(self.nodes))

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start the nodes that do not run, all at once, and wait until each serves. Raises BrokerError; then none runs."""
        self._plan.write(self._state_dir / "cluster.json")
        with ThreadPoolExecutor(len(self.nodes), thread_name_prefix="node") as pool:
            starts = [pool.submit(node.start, timeout) for node in self.nodes.values()]
            try:
                for done in as_completed(starts):
                    done.result()
            except BaseException:  # Ctrl-C too: nothing may be left running, and those that wait for a majority wait in vain
                while wait(starts, timeout=POLL).not_done:
                    self._kill()
                self._kill()
                raise

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """SIGTERM to all, SIGKILL after ``timeout`` seconds. The data stay."""
        with ThreadPoolExecutor(len(self.nodes), thread_name_prefix="node") as pool:
            for done in [pool.submit(node.stop, timeout) for node in self.nodes.values()]:
                done.result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def controller(self, timeout: float = 15.0) -> int:
        """Id of the node that leads the controllers, now. Raises BrokerTimeoutError where none is told of in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            said = (leader(HOST, node.member.controller_port, timeout=0.5) for node in self.nodes.values())
            if told := [found for found in said if found is not None]:
                return max(told).node
            time.sleep(POLL)
        raise BrokerTimeoutError(f"the cluster named no active controller within {timeout:.0f} s", "Does a majority live?")

    async def in_sync(self, timeout: float = 60.0) -> None:
        """Wait until every node runs and every replica of every partition has all of it, as far as the cluster knows.

        Raises BrokerTimeoutError naming what lacks one. A node that was just killed counts until its session is over.
        """
        deadline = time.monotonic() + timeout
        behind = ["every partition"]
        while time.monotonic() < deadline:
            with suppress(KafkaError, OSError, TimeoutError):
                behind = [f"node {number} is down" for number, node in self.nodes.items() if node.pid is None]
                behind += await _behind(self.internal)
                if not behind:
                    return
            await asyncio.sleep(POLL)
        raise BrokerTimeoutError(f"not in sync within {timeout:.0f} s: {', '.join(behind[:5])}", "Does every node live?")

    def _planned(self, count: int) -> Plan:
        known = Plan.read(self._state_dir / "cluster.json")
        if known is None:
            return Plan.new(count, new_cluster_id())
        if len(known.ports) != count:
            raise BrokerError(f"the cluster in {self._state_dir} has {len(known.ports)} nodes, not {count}")
        lives = any(self._make_broker(node, known.member(node, 0)).pid is not None for node in known.ports)
        return known if lives or known.free() else Plan.new(count, known.cluster_id)

    def _node(self, node: int, advertised: int = 0) -> Node:
        member = self._plan.member(node, advertised)
        return Node(member, self._make_broker(node, member))

    def _kill(self) -> None:
        """SIGKILL to all; whoever started them sees that they ended."""
        for node in self.nodes.values():
            node.signal(signal.SIGKILL)


async def _behind(bootstrap: str) -> list[str]:
    """Partitions with a replica that is not in sync, or whose leader is not there."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await client.start()
        topics = await client.describe_topics()
    finally:
        await client.close()
    return [
        f"{topic['topic']}/{partition['partition']}"
        for topic in topics
        for partition in topic["partitions"]
        if partition["leader"] < 0 or set(partition["isr"]) != set(partition["replicas"])
    ]

"""Three real brokers through what the chaos tests do to them: kill -9 of the controller, pause, SIGTERM, a full stop.

One cluster for all tests, in the order of the file, each leaving it whole.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from infra.broker import BrokerError, LocalCluster
from infra.broker.errors import BrokerTimeoutError, JarsUnavailableError, PortBusyError
from infra.topics import apply, states
from streams.settings import KafkaSettings
from tests.availability import unavailable
from tests.integration.infra.test_broker import processes_of

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("broker")]
TOPIC = "c.memory.log"


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def cluster(state_dir: Path, jars_dir: Path) -> Iterator[LocalCluster]:
    try:
        with LocalCluster(state_dir, jars=jars_dir) as cluster:
            yield cluster
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")
    assert processes_of(state_dir) == []


class Writing:
    """Numbers sent one after the other, acknowledged by all replicas in sync, until ``stop``; which were, in ``acked``."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._stop = False
        self.acked: list[int] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=8_000
        )
        await producer.start()
        try:
            while not self._stop:
                number = len(self.acked)
                await producer.send_and_wait(TOPIC, str(number).encode(), partition=number % 2)
                self.acked.append(number)
        finally:
            await producer.stop()

    async def more(self, count: int, timeout: float = 40.0) -> None:
        """Waits until ``count`` more are acknowledged."""
        goal = len(self.acked) + count
        async with asyncio.timeout(timeout):
            while len(self.acked) < goal and not self.task.done():
                await asyncio.sleep(0.05)

    async def stop(self) -> list[int]:
        self._stop = True
        await self.task
        return self.acked


async def written(bootstrap: str) -> list[int]:
    """All numbers in the topic, in order of size."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", request_timeout_ms=8_000)
    await consumer.start()
    try:
        places = [TopicPartition(TOPIC, number) for number in range(2)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[int] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [int(record.value) for record in records]
        return sorted(found)
    finally:
        await consumer.stop()


async def test_topics_have_three_replicas_and_need_two(cluster: LocalCluster) -> None:
    kafka = KafkaSettings(bootstrap=cluster.bootstrap, prefix="c.", partitions=2, replication=cluster.replication)
    assert (await apply(kafka)).remaining == ()
    found = await states(kafka)
    assert {state.replication for state in found.values()} == {3}
    assert {state.config["min.insync.replicas"] for state in found.values()} == {"2"}
    await cluster.in_sync()


async def test_the_controller_killed_under_writers_costs_nothing(cluster: LocalCluster) -> None:
    await apply(KafkaSettings(bootstrap=cluster.bootstrap, prefix="c.", partitions=2, replication=3))
    writing = Writing(cluster.bootstrap)
    await writing.more(200)
    first = await asyncio.to_thread(cluster.controller)
    await asyncio.to_thread(cluster.nodes[first].kill)
    assert cluster.nodes[first].pid is None
    second = await asyncio.to_thread(cluster.controller)
    assert second != first
    await writing.more(200)
    with pytest.raises(BrokerTimeoutError, match=rf"not in sync within 2 s: node {first} is down, c\."):
        await cluster.in_sync(timeout=2.0)
    assert await asyncio.to_thread(cluster.nodes[first].start) is True
    await cluster.in_sync()
    # With this one down too, the one that came back must have caught up: two are needed for every acknowledgement.
    await asyncio.to_thread(cluster.nodes[second].stop)
    await writing.more(200)
    await asyncio.to_thread(cluster.nodes[second].start)
    acked = await writing.stop()
    assert await written(cluster.bootstrap) == acked


async def test_a_paused_node_is_passed_by_and_comes_back(cluster: LocalCluster) -> None:
    leader = await asyncio.to_thread(cluster.controller)
    cluster.nodes[leader].pause()
    try:
        assert await asyncio.to_thread(cluster.controller) != leader
    finally:
        cluster.nodes[leader].resume()
    await cluster.in_sync()


async def test_internal_topics_have_three_replicas(cluster: LocalCluster) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, transactional_id="t")
    await producer.start()
    await producer.stop()
    client = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await client.start()
    try:
        (topic,) = await client.describe_topics(["__transaction_state"])
    finally:
        await client.close()
    assert {len(partition["replicas"]) for partition in topic["partitions"]} == {3}


async def test_it_comes_back_as_what_it_was(cluster: LocalCluster, state_dir: Path, jars_dir: Path) -> None:
    before = await written(cluster.bootstrap)
    assert before
    pids = [node.pid for node in cluster.nodes.values()]
    again = LocalCluster(state_dir, jars=jars_dir)
    await asyncio.to_thread(again.start)
    assert [node.pid for node in again.nodes.values()] == pids
    await asyncio.to_thread(cluster.stop)
    assert processes_of(state_dir) == []
    # Clients may be told other ports than the brokers listen on. Nothing is there; the brokers among themselves do not mind.
    cluster.advertise({1: 1, 2: 2, 3: 3})
    assert cluster.bootstrap == "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"
    await asyncio.to_thread(cluster.start)
    await cluster.in_sync()
    assert await written(cluster.internal) == before
    with pytest.raises(BrokerError, match="has 3 nodes, not 1"):
        LocalCluster(state_dir, 1)


def test_a_busy_port_is_an_error_at_once_and_leaves_nothing(tmp_path: Path, jars_dir: Path) -> None:
    cluster = LocalCluster(tmp_path, jars=jars_dir)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", cluster.nodes[2].member.controller_port))
        holder.listen()
        with pytest.raises(PortBusyError):
            cluster.start(timeout=60)
    assert processes_of(tmp_path) == []


def test_a_damaged_plan_is_said(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text(json.dumps({"cluster_id": "x"}))
    with pytest.raises(BrokerError, match="is damaged"):
        LocalCluster(tmp_path)

"""Least privilege on a real broker: each program may do what its part needs and is denied all else, tried one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ConcurrentTransactions,
    GroupAuthorizationFailedError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownMemberIdError,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from infra.acls import brokers
from infra.acls.grants import EVERYBODY, OPERATED, Grant, grants, roles
from infra.topics import TopicError, apply
from streams.cli import main
from streams.cluster.arguments import client_arguments
from streams.errors import ClusterAccessError
from streams.ports.log import TopicPartition
from streams.runtime.kafka import KafkaClient
from streams.serving.commands import KafkaCommandLog
from streams.serving.faults import UnavailableError
from streams.serving.tail import TopicTail
from streams.settings import OPERATOR, OPS, SUPERVISOR, KafkaSettings
from streams.topics import COMMANDS, MEMORY_LOG, SESSIONS, TOPICS, TRANSACTIONS, physical
from streams.upkeep.pipeline import stream_agents
from tests.secured_broker import PREFIX, SecuredBroker, environment

pytestmark = pytest.mark.kafka

ROLES = {role.name: role for role in roles(stream_agents())}
NAMES = [*ROLES, OPERATOR]
MATRIX = "matrix."
GROUPS = {OPS, *(spec.name for spec in stream_agents())}
IDS = {*(f"{name}-0" for name in ROLES), "schema-registry-0", "replay-0", "dlq-0", "carry"}
NODE = 1


@pytest.fixture(scope="module")
def matrix(secured: SecuredBroker) -> KafkaSettings:
    """Topics with one record each, and the grants; clients log in over TLS."""
    admin = secured.admin.model_copy(update={"prefix": MATRIX})
    kafka = secured.login().model_copy(update={"prefix": MATRIX})

    async def prepare() -> None:
        await apply(admin)
        await brokers.add(admin, grants(kafka, stream_agents()))
        async with AIOKafkaProducer(**client_arguments(admin), transactional_id="first") as producer, producer.transaction():
            for topic in TOPICS:
                await producer.send_and_wait(physical(MATRIX, topic), b"value", b"key", partition=0)

    asyncio.run(prepare())
    return kafka


@asynccontextmanager
async def connected(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**client_arguments(kafka))
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


async def may_read(client: AIOKafkaClient, topic: str) -> bool:
    answer = await client.send(NODE, FetchRequest(0, 0, 1_000_000, 0, [(physical(MATRIX, topic), [(0, 0, 1_000_000)])]))
    ((_, ((_, code, *_rest),)),) = answer.topics
    assert code in {0, TopicAuthorizationFailedError.errno}
    return code == 0


async def may_write(producer: AIOKafkaProducer, topic: str) -> bool:
    try:
        await producer.send_and_wait(physical(MATRIX, topic), b"value", b"key", partition=0)
    except TopicAuthorizationFailedError:
        return False
    return True


async def may_join(client: AIOKafkaClient, group: str) -> bool:
    """Whether one may is looked at first; one who may is told that this is no member, or not the group's node."""
    code = (await client.send(NODE, HeartbeatRequest(physical(MATRIX, group), 1, "nobody"))).error_code
    assert code in {GroupAuthorizationFailedError.errno, UnknownMemberIdError.errno, NotCoordinatorError.errno}
    return code != GroupAuthorizationFailedError.errno


async def may_begin(client: AIOKafkaClient, transactional_id: str) -> bool:
    while (code := await begun(client, transactional_id)) == ConcurrentTransactions.errno:
        await asyncio.sleep(0.1)
    assert code in {0, TransactionalIdAuthorizationFailed.errno}
    return code == 0


async def begun(client: AIOKafkaClient, transactional_id: str) -> int:
    answer = await client.send(NODE, InitProducerIdRequest(physical(MATRIX, transactional_id), 1_000))
    return int(answer.error_code)


@pytest.mark.parametrize("name", NAMES)
async def test_each_may_read_and_write_its_topics_and_no_other(matrix: KafkaSettings, name: str) -> None:
    kafka, role = matrix.as_role(name), ROLES.get(name)
    reads, writes = (role.reads, role.writes) if role else (tuple(TOPICS), OPERATED)
    async with connected(kafka) as client:
        assert {topic for topic in TOPICS if await may_read(client, topic)} == set(reads)
    async with AIOKafkaProducer(**client_arguments(kafka)) as producer:
        assert {topic for topic in TOPICS if await may_write(producer, topic)} == set(writes)


@pytest.mark.parametrize("name", NAMES)
async def test_each_has_its_own_group_and_transactional_ids_and_no_other(matrix: KafkaSettings, name: str) -> None:
    special = {"gateway": {"schema-registry-0"}, OPERATOR: {"schema-registry-0", "replay-0", "dlq-0", "carry"}}
    special |= {OPS: set(), SUPERVISOR: set()}
    own = special.get(name, {f"{name}-0"})
    async with connected(matrix.as_role(name)) as client:
        assert {group for group in GROUPS if await may_join(client, group)} == {name} & GROUPS
        assert {one for one in IDS if await may_begin(client, one)} == own


async def test_only_the_operator_makes_topics_and_none_of_them_grants(matrix: KafkaSettings) -> None:
    kafka = matrix.model_copy(update={"prefix": f"{MATRIX}more."})  # still below what the operator was given
    for name in ROLES:
        with pytest.raises((ClusterAccessError, TopicError), match=r"matrix\.more\."):
            await apply(kafka.as_role(name))
    assert len((await apply(kafka.as_role(OPERATOR))).created) == len(TOPICS)
    for name in NAMES:
        with pytest.raises(ClusterAccessError, match="deny ALTER"):
            await brokers.add(kafka.as_role(name), [Grant("User:mallory", "TOPIC", "*", "LITERAL", "ALL")])
        with pytest.raises(ClusterAccessError, match="deny ALTER"):
            await brokers.remove(kafka.as_role(name), grants(kafka, stream_agents())[:1])


class Anybody:
    """Of a group that is not there to be shared out."""

    async def revoked(self, _: object) -> None: ...

    async def assigned(self, _: object) -> None: ...


async def test_a_denial_names_topic_operation_and_remedy(matrix: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.runtime.kafka.producer.CLOSE_SECONDS", 0.2)  # those that were denied never flush
    client = KafkaClient(matrix.as_role("intent").model_copy(update={"request_timeout_ms": 2_000}))
    hidden = client.consumer("intent", [COMMANDS])
    with pytest.raises(ClusterAccessError, match=r"READ and WRITE of topic matrix\.memory\.commands") as refused:
        await hidden.start(Anybody())
    await hidden.stop()
    assert "monmouth acls apply" in refused.value.hint

    producer = client.producer("intent", 0)
    await producer.start()
    await producer.begin()
    with pytest.raises(ClusterAccessError, match=r"WRITE of topic matrix\.chain\.transactions"):
        await producer.send({TopicPartition(TRANSACTIONS, 0): [(b"key", b"value")]})
    await producer.close()

    foreign = client.producer("memory", 0)
    with pytest.raises(ClusterAccessError, match=r"WRITE of transactional id matrix\.memory-0"):
        await foreign.start()
    await foreign.close()

    reader = client.reader()
    place = TopicPartition(MEMORY_LOG, 0)
    with pytest.raises(ClusterAccessError, match=r"READ and WRITE of topic matrix\.memory\.log"):
        async for _ in reader.read_range(place, 0, 1):
            raise AssertionError
    with pytest.raises(ClusterAccessError, match=r"READ and WRITE of topic matrix\.memory\.log"):
        await reader.bounds([place])
    await reader.close()


async def test_a_gateway_says_what_it_is_denied_and_goes_on_once_it_is_granted(
    matrix: KafkaSettings, secured: SecuredBroker
) -> None:
    kafka = matrix.as_role("graph")
    taken: list[Any] = []

    async def fold(records: Sequence[Any]) -> None:
        taken.extend(records)

    tail = TopicTail(kafka, SESSIONS, fold)
    tail.start()
    try:
        while not tail.complaint.startswith("the brokers deny"):
            await asyncio.sleep(0.05)
        assert "topic matrix.memory.sessions" in tail.complaint
        grant = Grant(f"User:{PREFIX}graph", "TOPIC", f"{MATRIX}{SESSIONS}", "LITERAL", "READ")
        await brokers.add(secured.admin, [grant])
        await tail.barrier(15)
        assert taken
        await brokers.remove(secured.admin, [grant])
    finally:
        await tail.stop()

    commands = KafkaCommandLog(kafka)
    with pytest.raises(UnavailableError, match=r"deny WRITE of topic matrix\.memory\.commands"):
        await commands.send_raw(bytes(20), bytes(16), b"value")
    await commands.stop()


def test_apply_check_and_prune(
    secured: SecuredBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = secured.admin.model_copy(update={"prefix": "listed."})
    for name, value in environment(admin, tmp_path).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["acls", "--principal", "User:CN={role}.listed", *arguments])
        return code, capsys.readouterr().out

    code, printed = run("print")
    assert code == 0
    wanted = printed.splitlines()
    assert "User:CN=memory.listed may WRITE topic listed.memory.log" in wanted
    code, said = run("check")
    assert (code, said.splitlines()) == (1, [f"missing: {line}" for line in wanted])
    code, said = run("apply", "--dry-run")
    assert (code, said.splitlines()) == (0, [f"would be added: {line}" for line in wanted])
    assert run("apply")[0] == 0
    assert run("check") == (0, "the brokers' list is as it should be\n")

    beyond = Grant("User:CN=intent.listed", "TOPIC", "listed.memory.log", "LITERAL", "READ")
    opened = Grant(EVERYBODY, "TOPIC", "listed.", "PREFIXED", "READ")
    tap = Grant("User:auditor", "TOPIC", "listed.memory.log", "LITERAL", "READ")
    asyncio.run(brokers.add(admin, [beyond, opened, tap]))
    assert run("check") == (1, f"extra: {beyond}\nopen: {opened}\n")
    assert run("apply", "--prune") == (1, f"removed: {beyond}\nopen: {opened} (left alone)\n")
    asyncio.run(brokers.remove(admin, [opened]))
    assert run("check")[0] == 0
    assert tap in asyncio.run(brokers.held(admin))


async def test_a_cluster_that_lets_everybody_do_everything_is_named(broker: str) -> None:
    with pytest.raises(TopicError, match="no authorizer"):
        await brokers.held(KafkaSettings(bootstrap=broker))

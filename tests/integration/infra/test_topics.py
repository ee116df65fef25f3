"""Topics against a real broker: created once, differences named, settings put back, partition counts never touched."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra.topics import Drift, TopicError, apply, drift, states
from streams.settings import KafkaSettings, Settings
from streams.topics import TOPICS

pytestmark = pytest.mark.kafka


async def test_apply_creates_all_with_leaders_and_is_idempotent(kafka_settings: Settings) -> None:
    kafka = kafka_settings.kafka
    found = await states(kafka)
    assert set(found) == {kafka.prefix + name for name in TOPICS}
    assert all(state.has_leaders for state in found.values())
    assert found[kafka.prefix + "chain.blocks"].partitions == 1
    assert found[kafka.prefix + "memory.log"].partitions == kafka.partitions
    again = await apply(kafka)
    assert (again.created, again.altered, again.remaining) == ((), (), ())


async def test_dry_run_creates_nothing(broker: str) -> None:
    kafka = KafkaSettings(bootstrap=broker, prefix="dry.", partitions=2)
    plan = await apply(kafka, dry_run=True)
    assert len(plan.created) == len(TOPICS)
    assert await states(kafka) == {}


async def test_settings_that_drift_are_named_and_fixed_and_other_overrides_kept(kafka_settings: Settings) -> None:
    kafka = kafka_settings.kafka
    name = kafka.prefix + "memory.state"
    await _override(kafka.bootstrap, name, {"cleanup.policy": "delete", "max.message.bytes": "1000", "segment.ms": "70000"})
    wrong = await _until_drift(kafka, name)
    assert Drift(name, "config", "cleanup.policy", "compact", "delete") in wrong
    assert {entry.setting for entry in wrong} >= {"cleanup.policy", "max.message.bytes", "message.timestamp.type"}
    assert len((await apply(kafka)).remaining) == len(wrong)
    fixed = await apply(kafka, fix=True)
    assert fixed.altered == (name,)
    assert fixed.remaining == ()
    overrides = (await states(kafka))[name].overrides
    assert overrides["segment.ms"] == "70000"
    assert overrides["cleanup.policy"] == "compact"


async def test_a_wrong_partition_count_is_reported_and_left_alone(broker: str) -> None:
    kafka = KafkaSettings(bootstrap=broker, prefix="count.", partitions=2)
    client = AIOKafkaAdminClient(bootstrap_servers=broker)
    await client.start()
    try:
        await client.create_topics([NewTopic("count.memory.log", 3, 1, topic_configs=TOPICS["memory.log"].config())])
    finally:
        await client.close()
    applied = await apply(kafka, fix=True)
    assert applied.remaining == (Drift("count.memory.log", "partitions", "partition count", "2", "3"),)
    assert not applied.remaining[0].fixable
    assert (await states(kafka))["count.memory.log"].partitions == 3


async def test_no_broker_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.topics.BACKOFF", 0.0)
    with pytest.raises(TopicError, match=r"no Kafka answers at 127\.0\.0\.1:1") as caught:
        await drift(KafkaSettings(bootstrap="127.0.0.1:1"))
    assert "infra up" in caught.value.hint


async def _override(bootstrap: str, topic: str, settings: dict[str, str]) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    finally:
        await client.close()


async def _until_drift(kafka: KafkaSettings, topic: str) -> list[Drift]:
    for _ in range(100):
        if found := [entry for entry in await drift(kafka) if entry.topic == topic]:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("the broker never showed the override")

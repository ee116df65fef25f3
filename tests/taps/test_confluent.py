"""Confluent's own Python client: its registry client against ours, and its Avro deserialiser on our topics."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.codec import codec
from streams.core.registry.table import FIRST_FREE_ID
from streams.subjects import own_subjects
from streams.topics import TOPICS
from tests.taps.stage import Stage

pytestmark = pytest.mark.kafka
TEXT = json.dumps({"type": "record", "name": "Told", "namespace": "elsewhere", "fields": [{"name": "a", "type": "long"}]})


@pytest.fixture
def registry(stage: Stage) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": stage.registry, "basic.auth.user.info": f"operator:{stage.token}"})


def everything(stage: Stage) -> list[tuple[str, bytes | None]]:
    """Topic (by its name in the map) and value of all committed records there are, with librdkafka."""
    consumer = Consumer(
        {
            "bootstrap.servers": stage.bootstrap,
            "group.id": "nobody",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    known = consumer.list_topics(timeout=10).topics
    names = {stage.topic(topic): topic for topic in TOPICS}
    unread = {(name, number) for name in names for number in known[name].partitions}
    consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in unread])
    found = []
    try:
        while unread:
            message = consumer.poll(20)
            assert message is not None, f"not read to the end: {unread}"
            if message.error():
                unread.discard((message.topic(), message.partition()))
            else:
                found.append((names[message.topic()], message.value()))
        return found
    finally:
        consumer.close()


def test_every_record_of_every_topic_is_read_by_the_ids_of_the_registry(stage: Stage, registry: SchemaRegistryClient) -> None:
    read = AvroDeserializer(registry)
    seen = Counter[str]()
    for topic, value in everything(stage):
        if value is not None:
            name, ours = codec().decode(value)
            theirs = read(value, SerializationContext(stage.topic(topic), MessageField.VALUE))
            assert name in TOPICS[topic].records
            assert set(theirs) == set(ours)
            seen[topic] += 1
    assert {"chain.blocks", "chain.transactions", "rag.intents", "memory.log", "memory.state", "checkpoints"} <= set(seen)
    assert seen["chain.transactions"] > 50


def test_subjects_versions_and_ids_are_those_of_the_wire(stage: Stage, registry: SchemaRegistryClient) -> None:
    for wanted in own_subjects(stage.settings.kafka.prefix):
        assert wanted.subject in registry.get_subjects()
        assert json.loads(registry.get_schema(wanted.id).schema_str) == json.loads(wanted.text)
        found = registry.lookup_schema(wanted.subject, Schema(wanted.text, "AVRO"))
        assert (found.schema_id, found.subject) == (wanted.id, wanted.subject)
        assert registry.get_version(wanted.subject, found.version).schema_id == wanted.id
        assert registry.get_compatibility(wanted.subject) == "BACKWARD_TRANSITIVE"
    newest = registry.get_latest_version(stage.topic("memory.state-value"))
    written = [wanted for wanted in own_subjects(stage.settings.kafka.prefix) if wanted.subject == newest.subject]
    assert len(written) > 2, "it has grown"
    assert registry.get_versions(newest.subject) == list(range(1, len(written) + 1))
    assert newest.version == len(written)


def test_a_schema_of_somebody_else_lives_and_goes(registry: SchemaRegistryClient) -> None:
    wider = TEXT.replace('"long"}', '"double"}')
    given = registry.register_schema("elsewhere-value", Schema(TEXT, "AVRO"))
    assert given >= FIRST_FREE_ID
    assert registry.register_schema("elsewhere-value", Schema(TEXT, "AVRO")) == given
    assert registry.test_compatibility("elsewhere-value", Schema(wider, "AVRO"))
    assert not registry.test_compatibility("elsewhere-value", Schema('"int"', "AVRO"))
    with pytest.raises(SchemaRegistryError) as refused:
        registry.register_schema("elsewhere-value", Schema('"int"', "AVRO"))
    assert (refused.value.http_status_code, refused.value.error_code) == (409, 409)
    registry.set_compatibility("elsewhere-value", "FULL")
    with pytest.raises(SchemaRegistryError):
        registry.register_schema("elsewhere-value", Schema(wider, "AVRO"))
    context = SerializationContext("elsewhere", MessageField.VALUE)
    wire = AvroSerializer(registry, TEXT)({"a": 7}, context)
    assert wire is not None
    assert int.from_bytes(wire[1:5], "big") == given
    assert AvroDeserializer(registry)(wire, context) == {"a": 7}
    assert registry.delete_subject("elsewhere-value") == [1]
    assert registry.delete_subject("elsewhere-value", permanent=True)
    with pytest.raises(SchemaRegistryError) as gone:
        registry.get_latest_version("elsewhere-value")
    assert gone.value.error_code == 40401


def test_without_the_operator_s_token_it_reads_and_does_not_write(stage: Stage) -> None:
    anybody = SchemaRegistryClient({"url": stage.registry})
    assert len(anybody.get_subjects()) >= len(TOPICS)
    with pytest.raises(SchemaRegistryError) as refused:
        anybody.register_schema("elsewhere-value", Schema(TEXT, "AVRO"))
    assert (refused.value.http_status_code, refused.value.error_code) == (401, 401)

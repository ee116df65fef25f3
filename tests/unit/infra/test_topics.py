"""Comparing the topic map with a cluster's state, a pure function, and reading that state where nodes differ."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.admin.config_resource import ConfigResource
from aiokafka.errors import InvalidRequestError, TopicAuthorizationFailedError

from infra.topics import Drift, TopicState, _states, compare, partition_count
from streams.errors import ClusterAccessError
from streams.settings import KafkaSettings
from streams.topics import TOPICS

KAFKA = KafkaSettings(prefix="p.", partitions=8, replication=3)


def good() -> dict[str, TopicState]:
    return {
        f"p.{name}": TopicState(partition_count(spec, KAFKA), 3, {**spec.config(), "segment.ms": "1"}, {}, has_leaders=True)
        for name, spec in TOPICS.items()
    }


def test_equal_state_has_no_drift() -> None:
    assert compare(KAFKA, good()) == []


def test_what_is_compacted_and_written_each_second_is_cut_into_small_segments() -> None:
    """Only segments that are full are compacted, and whoever starts reads all that is not."""
    written = [spec for spec in TOPICS.values() if spec.name.startswith("ops.") and "compact" in spec.cleanup]
    assert {"ops.health", "ops.windows", "ops.slo"} <= {spec.name for spec in written}
    large = {spec.name for spec in written if int(spec.config().get("segment.bytes", 1 << 30)) > 16 << 20}
    assert large == {"ops.alerts"}, "a record for each change of an alert only"


def test_missing_topic() -> None:
    found = good()
    del found["p.dlq"]
    assert compare(KAFKA, found) == [Drift("p.dlq", "missing", "", "", "")]


@pytest.mark.parametrize(
    ("topic", "setting", "value"),
    [
        ("memory.state", "cleanup.policy", "delete"),
        ("chain.blocks", "retention.ms", "604800000"),
        ("chain.transactions", "max.message.bytes", "1048588"),
        ("memory.log", "message.timestamp.type", "CreateTime"),
    ],
)
def test_each_setting_that_matters_is_compared(topic: str, setting: str, value: str) -> None:
    found = good()
    state = found[f"p.{topic}"]
    found[f"p.{topic}"] = replace(state, config={**state.config, setting: value})
    (entry,) = compare(KAFKA, found)
    assert (entry.topic, entry.kind, entry.setting, entry.found) == (f"p.{topic}", "config", setting, value)
    assert entry.wanted == TOPICS[topic].config()[setting]
    assert entry.fixable


def test_partitions_and_replication_are_reported_as_not_fixable() -> None:
    found = good()
    found["p.memory.log"] = replace(found["p.memory.log"], partitions=4, replication=1)
    entries = compare(KAFKA, found)
    assert [(entry.kind, entry.wanted, entry.found, entry.fixable) for entry in entries] == [
        ("partitions", "8", "4", False),
        ("replication", "3", "1", False),
    ]
    assert str(entries[0]) == "p.memory.log: partition count is 4, should be 8"


class TwoNodes:
    """An admin client of a cluster of which one node knows the topics ``known``, another, asked next, only ``heard``."""

    def __init__(self, known: list[str], heard: list[str], code: int = 3) -> None:
        self.known, self.heard, self.code = known, heard, code

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        partition = {"error_code": 0, "leader": 1, "replicas": [1]}
        return [
            {"topic": name, "error_code": 0 if name in self.known else 3, "partitions": [partition] * (name in self.known)}
            for name in names
        ]

    async def describe_configs(self, resources: list[ConfigResource]) -> list[Any]:
        rows = [(0 if r.name in self.heard else self.code, "", 2, r.name, [("a", "b", False, 1)]) for r in resources]
        return [SimpleNamespace(resources=rows)]


async def test_a_topic_that_one_node_has_not_heard_of_yet_is_not_there_yet() -> None:
    states = await _states(cast("Any", TwoNodes(["one", "two"], ["one"])), ["one", "two", "three"])
    assert states == {"one": TopicState(1, 1, {"a": "b"}, {"a": "b"}, has_leaders=True)}


async def test_any_other_refusal_is_raised() -> None:
    with pytest.raises(InvalidRequestError):
        await _states(cast("Any", TwoNodes(["one"], [], InvalidRequestError.errno)), ["one"])
    with pytest.raises(ClusterAccessError, match="deny DESCRIBE_CONFIGS of topic one"):
        await _states(cast("Any", TwoNodes(["one"], [], TopicAuthorizationFailedError.errno)), ["one"])

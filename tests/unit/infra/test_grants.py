"""Grants from the topic map: complete for every program, and nothing beyond it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.acls.grants import EVERYBODY, Difference, Grant, compare, grants, principal, roles
from streams.agents.base import Delivery
from streams.cli.acls import acls
from streams.cli.wiring import AGENTS, OPTIONAL
from streams.errors import ConfigurationError
from streams.settings import KafkaAccessSettings, KafkaSettings, Settings
from streams.topics import (
    CHECKPOINTS,
    COMMANDS,
    DLQ,
    MESSAGES,
    OPS_HEALTH,
    OPS_METRICS,
    REPLAYS,
    RETRIES,
    TOPICS,
    TRANSACTIONS,
)
from streams.upkeep.pipeline import stream_agents

SPECS = stream_agents()
KAFKA = KafkaSettings(prefix="p.", access=KafkaAccessSettings(principal="User:p.{role}"))
WANTED = grants(KAFKA, SPECS)


def test_every_stream_agent_is_one() -> None:
    assert [spec.name for spec in SPECS] == [*AGENTS, *OPTIONAL]


def test_the_map_and_the_programs_agree_on_who_writes_and_every_topic_is_read() -> None:
    writers = {topic: {role.name for role in roles(SPECS) if topic in role.writes} for topic in TOPICS}
    for topic, spec in TOPICS.items():
        shared = {agent.name for agent in SPECS}
        everybody = {role.name for role in roles(SPECS)}
        several = {CHECKPOINTS: shared, REPLAYS: shared, DLQ: shared}
        several |= dict.fromkeys((MESSAGES, OPS_METRICS, OPS_HEALTH), everybody)
        several |= {name: {agent.name for agent in SPECS if agent.defers} for name in RETRIES}
        assert writers[topic] == several.get(topic, {spec.writer})


def test_nothing_is_granted_to_everybody_nor_outside_the_prefix() -> None:
    assert {grant.principal for grant in WANTED} == {
        f"User:p.{name}" for name in [*AGENTS, *OPTIONAL, "producer", "gateway", "supervisor", "ops", "operator"]
    }
    for grant in WANTED:
        assert grant.name.startswith("p.") or grant.resource == "CLUSTER"
        assert grant.operation not in {"ALL", "ALTER", "DELETE", "CLUSTER_ACTION"}
        assert (grant.permission, grant.host) == ("ALLOW", "*")
    cluster = [grant for grant in WANTED if grant.resource == "CLUSTER"]
    assert [(grant.principal, grant.operation) for grant in cluster] == [("User:p.operator", "DESCRIBE")]


def test_programs_that_share_a_name_share_what_they_may() -> None:
    one = grants(KAFKA.model_copy(update={"access": KafkaAccessSettings(principal="User:all")}), SPECS)
    assert {(g.resource, g.name, g.operation) for g in one} == {(g.resource, g.name, g.operation) for g in WANTED}
    assert len(one) == len(set(one))


def test_names_come_from_the_login_or_the_settings_or_there_are_none() -> None:
    login = KafkaAccessSettings(protocol="SASL_SSL", user="m.{role}", password="x")  # type: ignore[arg-type]
    assert principal(KafkaSettings(access=login), "graph") == "User:m.graph"
    with pytest.raises(ConfigurationError, match="nobody to grant"):
        principal(KafkaSettings(), "graph")
    with pytest.raises(ConfigurationError, match="User: and a name"):
        principal(KafkaSettings(access=KafkaAccessSettings(principal="CN={role}")), "graph")


@given(st.sets(st.sampled_from(WANTED)), st.sets(st.sampled_from(WANTED)))
def test_compare_names_exactly_what_differs(held: set[Grant], more: set[Grant]) -> None:
    extra = {Grant(g.principal, g.resource, g.name, g.pattern, "ALL") for g in more}
    strangers = {Grant("User:tap", g.resource, g.name, g.pattern, g.operation) for g in more}
    found = compare(WANTED, held | extra | strangers)
    assert {entry.grant for entry in found if entry.kind == "missing"} == set(WANTED) - held
    assert {entry.grant for entry in found if entry.kind == "extra"} == extra
    assert not [entry for entry in found if entry.kind == "open"]


@pytest.mark.parametrize(
    ("grant", "differs"),
    [
        (Grant(EVERYBODY, "TOPIC", "*", "LITERAL", "READ"), True),
        (Grant(EVERYBODY, "TOPIC", "p.memory.log", "LITERAL", "READ"), True),
        (Grant(EVERYBODY, "TOPIC", "p.", "PREFIXED", "WRITE"), True),
        (Grant(EVERYBODY, "TOPIC", "p.new", "LITERAL", "READ"), True),
        (Grant(EVERYBODY, "GROUP", "p.memory", "LITERAL", "READ"), True),
        (Grant(EVERYBODY, "TOPIC", "other.", "PREFIXED", "ALL"), False),
        (Grant(EVERYBODY, "TOPIC", "p.memory.log", "LITERAL", "READ", "DENY"), False),
        (Grant(EVERYBODY, "CLUSTER", "kafka-cluster", "LITERAL", "DESCRIBE"), False),
        (Grant("User:p.intent", "TOPIC", "p.memory.log", "LITERAL", "READ", "DENY"), True),
        (Grant("User:p.intent", "TOPIC", "elsewhere", "LITERAL", "READ"), True),
    ],
)
def test_what_undermines_the_grants_is_a_difference(grant: Grant, differs: bool) -> None:
    kind = "open" if grant.principal == EVERYBODY else "extra"
    assert compare(WANTED, {*WANTED, grant}) == ([Difference(kind, grant)] if differs else [])  # type: ignore[arg-type]


def test_printed_for_the_brokers_own_tool_and_nobody_is_asked(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, kafka=KAFKA.model_copy(update={"bootstrap": "127.0.0.1:1"}))
    printed = CliRunner().invoke(acls, ["print", "--commands"], obj=settings)
    assert printed.exit_code == 0
    lines = printed.output.splitlines()
    assert len(lines) == len(WANTED)
    assert (
        "kafka-acls $KAFKA_ACLS --add --allow-principal User:p.memory --operation Write --topic p.memory.log "
        "--resource-pattern-type literal"
    ) in lines
    shared = CliRunner().invoke(acls, ["--principal", "User:all", "print"], obj=settings)
    assert "All programs are User:all" in shared.stderr


def test_a_stream_agent_that_delivers_may_write_to_the_retry_topics() -> None:
    class Post(Delivery):
        name = "post"
        inputs = (TRANSACTIONS, COMMANDS, *RETRIES)

    (role,) = [role for role in roles([Post]) if role.name == "post"]
    assert set(RETRIES) <= set(role.writes)
    assert set(RETRIES) <= set(role.reads)


def test_only_stream_agents_that_deliver_touch_the_retry_topics() -> None:
    touch = {role.name for role in roles(SPECS) if set(RETRIES) & {*role.reads, *role.writes}}
    assert touch == {agent.name for agent in SPECS if agent.defers} == {"webhook"}

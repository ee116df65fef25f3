"""``infra`` and ``topics`` where there is no broker, or somebody else's."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.broker import BrokerError
from infra.broker.probe import Cluster
from infra.topics import Applied, Drift, TopicError
from schemas.codec import codec
from streams.cli.infra import infra, topics
from streams.settings import KafkaSettings, Settings

GROUPS = {"infra": infra, "topics": topics}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", kafka=KafkaSettings(bootstrap="127.0.0.1:1"))


def invoke(settings: Settings, group: str, *arguments: str) -> Result:
    return CliRunner().invoke(GROUPS[group], arguments, obj=settings)


def test_status_and_down_without_a_broker(settings: Settings) -> None:
    status = invoke(settings, "infra", "status")
    assert (status.exit_code, "infra up" in status.output) == (1, True)
    down = invoke(settings, "infra", "down")
    folder = settings.state_dir / "broker"
    assert f"not running in {folder};" in status.output
    assert (down.exit_code, down.output) == (0, f"Kafka was not running in {folder}\n")


def test_a_broker_of_another_state_folder_is_not_passed_over(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        settings.kafka.bootstrap = f"127.0.0.1:{there.getsockname()[1]}"
        monkeypatch.setattr("streams.cli.infra.ask", lambda *_: Cluster("abc", 1))
        said = f"A broker not started from there answers at {settings.kafka.bootstrap}: name its folder with --state-dir\n"
        assert said in invoke(settings, "infra", "down").output
        assert said in invoke(settings, "infra", "status").output
        monkeypatch.setattr("streams.cli.infra.ask", lambda *_: None)
        assert "not started from there" not in invoke(settings, "infra", "down").output


def test_a_cluster_elsewhere_is_never_stopped_or_started(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.cli.infra.LocalBroker", None)
    monkeypatch.setattr("streams.cli.infra.ask", lambda *_: Cluster("abc", 3))
    settings.kafka.bootstrap = "kafka.example:9092"
    assert "not encrypted" in str(invoke(settings, "infra", "status").exception)
    settings.kafka.access.allow_unencrypted = True
    for command in ("up", "status"):
        result = invoke(settings, "infra", command)
        assert (result.exit_code, result.output) == (0, "Kafka answers at kafka.example:9092: cluster abc, brokers: 3\n")
    assert "not ours" in invoke(settings, "infra", "down", "--bootstrap", "127.0.0.1:9092").output


def test_a_cluster_that_does_not_answer_is_an_error(settings: Settings) -> None:
    with socket.socket() as silent:  # bound, not listening
        silent.bind(("127.0.0.1", 0))
        bootstrap = f"127.0.0.1:{silent.getsockname()[1]}"
        result = invoke(settings, "infra", "up", "--bootstrap", bootstrap)
    assert isinstance(result.exception, BrokerError)
    assert f"no Kafka answers at {bootstrap}" in str(result.exception)


@pytest.mark.parametrize("arguments", [["up", "--port", "0"], ["up", "--port", "70000"], ["up", "--port", "x"]])
def test_impossible_ports_are_refused(settings: Settings, arguments: list[str]) -> None:
    assert invoke(settings, "infra", *arguments).exit_code == 2


def test_topics_without_a_broker_is_an_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.topics.BACKOFF", 0.0)
    for command in ("apply", "list", "drift"):
        assert isinstance(invoke(settings, "topics", command).exception, TopicError)
    assert isinstance(invoke(settings, "topics", "carry", "--from-prefix", "old.").exception, TopicError)


def test_the_list_says_what_schemas_are_written(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def states(*_arguments: object) -> dict[str, object]:
        return {}

    monkeypatch.setattr("streams.cli.infra.states", states)
    newest = f"newest schema known here: {codec().newest}"
    assert f"{newest}; written up to: the newest" in invoke(settings, "topics", "list").output
    settings.kafka.newest_schema = 3
    assert f"{newest}; written up to: 3" in invoke(settings, "topics", "list").output


def test_drift_that_remains_is_exit_code_1(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Drift("t", "partitions", "partition count", "4", "3")

    async def apply(*_arguments: object, **_options: object) -> Applied:
        return Applied(("new",), ("changed",), (left,))

    async def drift(*_arguments: object) -> list[Drift]:
        return [left]

    monkeypatch.setattr("streams.cli.infra.apply_topics", apply)
    monkeypatch.setattr("streams.cli.infra.topic_drift", drift)
    applied = invoke(settings, "topics", "apply", "--dry-run")
    assert applied.exit_code == 1
    assert "new: would be created" in applied.output
    assert "partition count is 3, should be 4 (left alone)" in applied.output
    drifted = invoke(settings, "topics", "drift")
    assert (drifted.exit_code, "not fixable in place" in drifted.output) == (1, True)

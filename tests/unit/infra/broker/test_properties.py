"""The broker's configuration: loopback whatever is asked, and any path in it."""

from __future__ import annotations

from pathlib import Path

from infra.broker.properties import Member, member_properties, server_properties


def parsed(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_listener_is_on_loopback_even_if_asked_otherwise() -> None:
    settings = parsed(server_properties(Path("/data"), 9092, 9093, {"listeners": "PLAINTEXT://0.0.0.0:9092"}))
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:9093"


def test_nothing_is_removed_by_age_and_no_topic_made_by_accident() -> None:
    settings = parsed(server_properties(Path("/data"), 9092, 9093, {"log.cleaner.backoff.ms": "1000"}))
    assert settings["log.retention.ms"] == "-1"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["log.cleaner.backoff.ms"] == "1000"
    assert int(settings["offsets.retention.minutes"]) > 5_000_000


def test_paths_survive_the_java_format() -> None:
    assert "log.dirs=/a\\u00df b\\\\c\\ud83d\\ude00\n" in server_properties(Path("/aß b\\c😀"), 1, 2, {})


def member(nodes: int) -> Member:
    return Member("id", 1, 101, 102, 103, 999, {node: 100 * node + 3 for node in range(1, nodes + 1)})


def test_a_member_of_three_keeps_three_copies_and_tells_clients_the_proxy() -> None:
    settings = parsed(member_properties(Path("/data"), member(3), {"node.id": "7", "log.cleaner.backoff.ms": "1000"}))
    assert settings["node.id"] == "1"
    assert settings["log.cleaner.backoff.ms"] == "1000"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:103,2@127.0.0.1:203,3@127.0.0.1:303"
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:101,INTERNAL://127.0.0.1:102,CONTROLLER://127.0.0.1:103"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:999,INTERNAL://127.0.0.1:102"
    assert settings["inter.broker.listener.name"] == "INTERNAL"
    assert {value for name, value in settings.items() if name.endswith("replication.factor")} == {"3"}
    assert {value for name, value in settings.items() if name.endswith(("min.isr", "insync.replicas"))} == {"2"}


def test_a_member_alone_keeps_one_copy() -> None:
    settings = parsed(member_properties(Path("/data"), member(1), {}))
    assert {value for name, value in settings.items() if name.endswith("replication.factor")} == {"1"}
    assert {value for name, value in settings.items() if name.endswith(("min.isr", "insync.replicas"))} == {"1"}

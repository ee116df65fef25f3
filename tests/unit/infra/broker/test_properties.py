"""The broker's configuration: loopback whatever is asked, and any path in it."""

from __future__ import annotations

from pathlib import Path

from infra.broker.properties import server_properties


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

"""A dead broker's last words become an error with advice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.broker.diagnosis import cause_of_death, tail
from infra.broker.errors import BrokerDiedError, BrokerError, DiskFullError, JavaError, NotWritableError, PortBusyError


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("java.io.IOException: No space left on device", DiskFullError, "disk is full"),
        ("org.apache.kafka.common.KafkaException: Socket server failed to bind to 127.0.0.1:9092", PortBusyError, "port"),
        ("java.nio.file.AccessDeniedException: /x/data/.lock", NotWritableError, "may not write"),
        ("java.lang.OutOfMemoryError: Java heap space", BrokerDiedError, "not enough memory"),
        ("There is insufficient memory for the Java Runtime Environment", BrokerDiedError, "not enough memory"),
        ("Failed to acquire lock on file .lock in /x/data", BrokerDiedError, "another broker"),
        ("java.lang.UnsupportedClassVersionError: kafka/Kafka", JavaError, "Java is too old"),
        ("RuntimeException: Invalid cluster.id in: /x/meta.properties", BrokerDiedError, "another cluster"),
    ],
)
def test_known_causes(words: str, kind: type[BrokerError], said: str, tmp_path: Path) -> None:
    error = cause_of_death(f"[2026] INFO fine\n[2026] ERROR {words} (kafka)\n", tmp_path, 1)
    assert type(error) is kind
    assert said in error.message
    assert error.hint


def test_unknown_cause_quotes_the_last_lines_and_the_status(tmp_path: Path) -> None:
    error = cause_of_death("one\ntwo\nthree\nfour\nfive\nsix\n", tmp_path, -6)
    assert type(error) is BrokerDiedError
    assert "status -6" in error.message
    assert "six" in error.message
    assert "one" not in error.message
    assert str(tmp_path) in error.hint


def test_lines_that_complain_are_quoted_before_others(tmp_path: Path) -> None:
    error = cause_of_death("ERROR the reason\n" + "INFO closing\n" * 20, tmp_path, 1)
    assert "the reason" in error.message
    assert "closing" not in error.message


def test_no_space_left_for_the_log_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("infra.broker.diagnosis.shutil.disk_usage", lambda _path: usage._replace(free=4096))
    assert type(cause_of_death("", tmp_path, 1)) is DiskFullError


def test_silence_is_said(tmp_path: Path) -> None:
    assert "wrote nothing" in cause_of_death("", tmp_path, None).message


def test_tail_reads_the_end_and_nothing_before_the_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("No space left on device\n" + "x" * 100)
    assert tail(log, size=10) == "x" * 10
    assert "space" not in tail(log, since=24)
    assert tail(log, since=10_000).startswith("No space"), "a log that rolled over is read whole"
    assert tail(tmp_path / "missing") == ""

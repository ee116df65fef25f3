"""A state folder serves one log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from streams.cli.gateway import serve
from streams.cli.worker import work
from streams.errors import ConfigurationError
from streams.health import Health
from streams.settings import KafkaSettings, Settings
from streams.state_folder import NOTE, claim


def settings(folder: Path, prefix: str) -> Settings:
    return Settings(state_dir=folder, kafka=KafkaSettings(bootstrap="127.0.0.1:1", prefix=prefix))


def test_the_same_log_may_come_back(tmp_path: Path) -> None:
    for _ in range(2):
        claim(settings(tmp_path / "state", "one."))


def test_another_log_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    claim(settings(tmp_path, "one."))
    with pytest.raises(ConfigurationError, match=r"one\.\*, not of two\.\*"):
        claim(settings(tmp_path, "two."))
    claim(settings(tmp_path, "one."))


@pytest.mark.parametrize("start", [lambda wanted: work(wanted, ["memory"], Health(1.0)), serve], ids=["worker", "gateway"])
def test_what_keeps_or_reads_state_asks_first(tmp_path: Path, start: Callable[[Settings], Coroutine[None, None, None]]) -> None:
    claim(settings(tmp_path, "one."))
    with pytest.raises(ConfigurationError, match="state folder of its own"):
        asyncio.run(start(settings(tmp_path, "two.")))
    assert [entry.name for entry in tmp_path.iterdir()] == [str(NOTE)]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--state-dir"):
        claim(settings(tmp_path / "file", "one."))

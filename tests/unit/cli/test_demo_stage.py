"""The stage of the demo: one demo a folder, and nothing of an earlier one left on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.broker import BrokerError
from streams.cli.demo.stage import FOLDER, alone, broker
from streams.errors import ConfigurationError
from streams.settings import KafkaSettings, Settings


def test_a_second_demo_on_one_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    with alone(settings):
        kept = tmp_path / "state" / FOLDER / "memory_store"
        kept.mkdir(parents=True)
        with pytest.raises(BrokerError, match="another demo"), alone(settings):
            pass
        assert kept.is_dir()
    with alone(settings):
        pass


def test_stores_of_an_earlier_demo_are_not_shown_beside_another_cluster(tmp_path: Path) -> None:
    old = tmp_path / FOLDER / "memory_store"
    old.mkdir(parents=True)
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(bootstrap="kafka.example:9092"))
    with broker(settings, external=True, say=print) as bootstrap:
        assert bootstrap == "kafka.example:9092"
        assert not old.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--state-dir"), alone(Settings(state_dir=tmp_path / "file" / "state")):
        pass

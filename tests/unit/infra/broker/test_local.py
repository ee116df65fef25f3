"""What the broker refuses before it starts anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.broker import BrokerError, LocalBroker
from infra.broker.errors import DiskFullError, NotWritableError
from infra.broker.local import AFTER_A_CRASH, SLOW


@pytest.fixture(autouse=True)
def nothing_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise AssertionError("must have stopped before the jars")

    monkeypatch.setattr("infra.broker.jars.JarFolder.ensure", refuse)


def test_little_space_is_said_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("infra.broker.server.shutil.disk_usage", lambda _path: usage._replace(free=100 << 20))
    with pytest.raises(DiskFullError, match=r"100 MiB free .* wants 512 MiB") as caught:
        LocalBroker(tmp_path).start()
    assert "MONMOUTH_STATE_DIR" in caught.value.hint
    assert (tmp_path / "broker").stat().st_mode & 0o077 == 0, "the log is for its user alone"


def test_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(NotWritableError, match="cannot write"):
        LocalBroker(tmp_path / "state").start()


def test_state_folder_with_a_comma(tmp_path: Path) -> None:
    with pytest.raises(NotWritableError, match="comma"):
        LocalBroker(tmp_path / "a,b").start()


def test_without_a_broker(tmp_path: Path) -> None:
    local = LocalBroker(tmp_path / "state")
    assert local.stop() is False
    assert local.pid is None
    status = local.status()
    assert (status.running, status.answers, status.pid, status.cluster_id, status.data_bytes) == (False, False, None, None, 0)
    with pytest.raises(BrokerError, match="no broker runs"):
        _ = local.bootstrap
    assert not (tmp_path / "state").exists(), "looking must not create anything"


def test_a_slow_start_speaks_of_a_crash_only_after_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("infra.broker.jars.JarFolder.ensure", lambda *_arguments: 0)
    monkeypatch.setattr(LocalBroker, "_launcher", lambda _: None)
    monkeypatch.setattr(LocalBroker, "_launch", lambda _self, _launcher, _timeout, slow: said.append(slow))
    local = LocalBroker(tmp_path / "state")
    local.start()  # for the first time
    (tmp_path / "state/broker/broker.log").write_text("of the run before")
    local.start()
    (tmp_path / "state/broker/data/.kafka_cleanshutdown").touch()
    local.start()
    assert said == [SLOW, AFTER_A_CRASH, SLOW]

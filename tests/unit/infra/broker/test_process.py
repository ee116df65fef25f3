"""Pid records: a reused number is nobody's, a stubborn process is killed with its group."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infra.broker.process import ProcessRecord, start_mark

STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait(10)


def test_record_survives_a_round_trip_and_knows_its_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record = ProcessRecord.of(sleeper.pid, 9092, recording=True)
    record.write(tmp_path / "pid")
    assert ProcessRecord.read(tmp_path / "pid") == record
    assert record.alive()


def test_a_reused_pid_is_not_believed_and_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    old = replace(ProcessRecord.of(sleeper.pid, 9092), mark="the process that had this number before")
    assert not old.alive()
    assert old.stop(timeout=1) is True
    assert sleeper.poll() is None


def test_two_processes_have_different_marks(sleeper: subprocess.Popen[bytes]) -> None:
    assert start_mark(sleeper.pid) == start_mark(sleeper.pid)
    time.sleep(0.05)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            assert start_mark(other.pid) != start_mark(sleeper.pid)
        finally:
            other.kill()


@pytest.mark.parametrize("text", ["", "12", "{}", '{"pid": "x", "mark": "", "port": 1}', "[]", "\x00\xff"])
def test_unreadable_record_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pid"
    path.write_text(text)
    assert ProcessRecord.read(path) is None
    assert ProcessRecord.read(tmp_path / "missing") is None


def test_stop_by_sigterm(sleeper: subprocess.Popen[bytes]) -> None:
    record = ProcessRecord.of(sleeper.pid, 9092)
    assert record.stop(timeout=10) is True
    assert not record.alive()


def test_stop_kills_the_group_of_one_that_will_not_end() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    record = ProcessRecord.of(process.pid, 9092)
    assert record.stop(timeout=0.3) is False
    process.wait(10)
    process.stdout.close()
    assert not record.alive()
    gone, _ = psutil.wait_procs([child], timeout=10)
    assert gone or child.status() == psutil.STATUS_ZOMBIE

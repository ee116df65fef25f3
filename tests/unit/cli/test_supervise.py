"""``monmouth supervise``: what it starts, that there is one of it, and that its processes end with it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from infra.broker.ports import free_port
from streams.cli import cli
from streams.cli.supervise import FOLDER, programs_of, runs_ops
from streams.errors import ConfigurationError
from streams.health import Health
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.incidents import Limits
from streams.ops.recovery.programs import Program, Programs, alone
from streams.ops.recovery.strategies import Strategies
from streams.ops.recovery.supervisor import Supervisor
from streams.ops.recovery.watched import Patience
from streams.settings import KafkaSettings, Settings


def test_what_is_started(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(instance_id="here"))
    found = programs_of(settings, "intent,memory", 2, producer=True, gateway=True)
    assert [program.name for program in found] == ["producer", "worker-1", "worker-2", "gateway"]
    assert len({program.port for program in found}) == 4
    assert found[1].arguments == ("worker", "--agents", "intent,memory", "--metrics-port", str(found[1].port))
    assert found[2].environment["MONMOUTH_KAFKA__INSTANCE_ID"] == "here-2"
    assert programs_of(settings, "intent", 1, producer=False, gateway=False)[0].kind is Kind.WORKER


def test_no_two_get_the_same_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each port is drawn twice, and one of them is what the gateway's settings say."""
    drawn = iter([number // 2 for number in range(24_000, 24_100)])
    monkeypatch.setattr("infra.broker.ports.secrets.choice", lambda _: next(drawn))
    monkeypatch.setattr("infra.broker.ports.is_free", lambda _: True)
    settings = Settings(state_dir=tmp_path)
    settings.gateway.metrics_port = 12_001
    found = programs_of(settings, "intent", 2, producer=True, gateway=True, ops=True, alerts=True)
    assert len({program.port for program in found}) == len(found) == 6
    assert [program.port for program in found if program.name == "gateway"] == [12_001]


def test_windows_and_alerts_are_started_where_asked(tmp_path: Path) -> None:
    found = programs_of(Settings(state_dir=tmp_path), "intent", 0, producer=False, gateway=False, ops=True, alerts=True)
    assert [(program.name, program.kind) for program in found] == [("ops", Kind.OPS), ("alerts", Kind.ALERTS)]
    assert found[0].arguments == ("ops", "--metrics-port", str(found[0].port))
    assert found[1].arguments == ("alerts", "watch", "--from-log", "--metrics-port", str(found[1].port))
    assert found[0].opening > found[1].opening == 0


def test_faust_is_there_also_once_it_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = type(sys)("faust")
    lazy.__spec__ = None
    monkeypatch.setitem(sys.modules, "faust", lazy)
    assert runs_ops(None, producer=True)


def test_without_faust_windows_are_left_out_unless_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "faust", raising=False)
    assert [runs_ops(asked, producer=True) for asked in (None, True, False)] == [True, True, False]
    assert [runs_ops(asked, producer=False) for asked in (None, True)] == [False, True]
    monkeypatch.setattr("streams.cli.supervise.find_spec", lambda name: None)
    assert [runs_ops(asked, producer=True) for asked in (None, False)] == [False, False]
    refused = CliRunner().invoke(cli, ["--state-dir", str(tmp_path), "supervise", "--ops"])
    assert isinstance(refused.exception, ConfigurationError)
    assert "faust is not installed" in refused.exception.message
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["ops", "alerts"]),
        (["--no-producer"], []),
        (["--no-ops"], ["alerts"]),
        (["--no-alerts"], ["ops"]),
        (["--no-producer", "--ops", "--alerts"], ["ops", "alerts"]),
    ],
)
def test_windows_and_alerts_run_beside_the_producer_unless_told_otherwise(
    words: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    async def watch_over(_settings: Settings, programs: list[Program], _health: Health) -> None:
        started.extend(program.name for program in programs)

    monkeypatch.setattr("streams.cli.supervise.watch_over", watch_over)
    CliRunner().invoke(cli, ["--state-dir", str(tmp_path), "supervise", *words], catch_exceptions=False)
    assert [name for name in started if name in {"ops", "alerts"}] == expected


async def test_windows_and_alerts_are_started_anew_when_they_are_killed(tmp_path: Path) -> None:
    """The true processes, whose brokers are away: they say that they live, and wait."""
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}"))
    programs = Programs(tmp_path / FOLDER, programs_of(settings, "", 0, producer=False, gateway=False, ops=True, alerts=True))
    strategies = Strategies(programs, tmp_path / "switches.json", lambda: pytest.fail("not asked"), 1.0, 1)

    async def away() -> bool:
        return False

    supervisor = Supervisor(programs, strategies, Limits(pause=0.1), Patience(look=0.1), brokers=away)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    try:
        before = {name: await _lives(programs, supervisor, name) for name in programs.all}
        for pid in before.values():
            psutil.Process(pid).kill()
        for name, pid in before.items():
            assert await _lives(programs, supervisor, name, unlike=pid) != pid
    finally:
        stop.set()
        await running
    assert {programs.ended(name) for name in programs.all} <= {0, -signal.SIGTERM}  # the latter where it had just begun


async def _lives(programs: Programs, supervisor: Supervisor, name: str, unlike: int = 0) -> int:
    """Its number, once a process with another one than ``unlike`` says that it lives."""
    async with asyncio.timeout(120):
        while True:
            process, sight = programs.all[name].process, supervisor._watched[name].sight
            if process is not None and process.pid != unlike and sight.live:
                return process.pid
            await asyncio.sleep(0.05)


def test_one_for_each_state_folder(tmp_path: Path) -> None:
    with alone(tmp_path / FOLDER):
        with pytest.raises(ConfigurationError, match="has a supervisor already"), alone(tmp_path / FOLDER):
            pass
        with alone(tmp_path / "other" / FOLDER):
            pass
    with alone(tmp_path / FOLDER):
        pass


async def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    programs = Programs(tmp_path, [Program("chain", Kind.PRODUCER, ("devchain", "--port", "0"), 0)])
    programs.start("chain")
    process = programs.all["chain"].process
    assert process is not None
    await _serves(tmp_path)
    process.send_signal(signal.SIGSTOP)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        await asyncio.sleep(0.01)
    await programs.end("chain", grace=0.2)
    assert programs.ended("chain") == -signal.SIGKILL


async def _serves(folder: Path) -> None:
    async with asyncio.timeout(30):
        while "http" not in (folder / "chain.log").read_text():
            await asyncio.sleep(0.05)


SUPERVISOR = """
import sys, time
from pathlib import Path
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.programs import Program, Programs
programs = Programs(Path(sys.argv[1]), [Program("chain", Kind.PRODUCER, ("devchain", "--port", "0"), 0)])
programs.start("chain")
print(programs.all["chain"].process.pid, flush=True)
time.sleep(60)
"""


async def test_processes_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await asyncio.to_thread(parent.stdout.readline)))
    await _serves(tmp_path)  # so it has asked the kernel for that
    parent.kill()
    parent.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, [child], 20)
    assert (len(gone), alive) == (1, [])

"""``monmouth supervise``: what it starts, that there is one of it, and that its processes end with it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from streams.cli.supervise import FOLDER, programs_of
from streams.errors import ConfigurationError
from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.programs import Program, Programs, alone
from streams.settings import KafkaSettings, Settings


def test_what_is_started(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(instance_id="here"))
    found = programs_of(settings, "intent,memory", 2, producer=True, gateway=True)
    assert [program.name for program in found] == ["producer", "worker-1", "worker-2", "gateway"]
    assert len({program.port for program in found}) == 4
    assert found[1].arguments == ("worker", "--agents", "intent,memory", "--metrics-port", str(found[1].port))
    assert found[2].environment["MONMOUTH_KAFKA__INSTANCE_ID"] == "here-2"
    assert programs_of(settings, "intent", 1, producer=False, gateway=False)[0].kind is Kind.WORKER


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

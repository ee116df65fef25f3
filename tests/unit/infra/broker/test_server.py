"""The process of a local server: one per folder, ready or gone, found again, stopped, killed and started anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from infra.broker.errors import BrokerDiedError, BrokerError, BrokerTimeoutError, DiskFullError, NotWritableError
from infra.broker.process import ProcessRecord
from infra.broker.server import LocalServer, Readiness

PORT = 9092
READY = "open('ready', 'w').close()\n"
SLEEPER = READY + "import time\ntime.sleep(60)\n"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER
NEVER = "import time\ntime.sleep(60)\n"


class Toy(LocalServer):
    """Runs ``program``; ready once it has made the file ``ready``."""

    name = "toy"
    title = "the toy"

    def __init__(self, folder: Path, program: str = SLEEPER, say: Callable[[str], None] | None = None) -> None:
        super().__init__(folder, say)
        self.program = program
        self.launched: list[int] = []
        self.on_look: Callable[[], None] = lambda: None

    def start(self, timeout: float = 20.0) -> bool:
        self._make_folder("data")
        with self._alone(1.0):
            if self._living() is not None:
                return False
            readiness = Readiness(
                self._ready,
                lambda status: BrokerDiedError(f"the toy ended with {status}"),
                BrokerTimeoutError("the toy is late"),
                slow=(0.05, "still starting"),
            )
            (self.folder / "ready").unlink(missing_ok=True)
            self._run(self._popen, PORT, readiness, timeout)
            return True

    def _popen(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", self.program], cwd=self.folder, start_new_session=True)
        self.launched.append(child.pid)
        return child

    def _ready(self) -> bool:
        self.on_look()
        return (self.folder / "ready").exists()


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Toy]:
    made = Toy(tmp_path / "toy")
    yield made
    for pid in made.launched:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def gone(toy: Toy) -> bool:
    return not psutil.pid_exists(toy.launched[-1]) and toy.pid is None


def test_it_starts_once_and_any_other_finds_and_stops_it(toy: Toy) -> None:
    assert toy.start()
    again = Toy(toy.folder)
    assert not again.start() and again.launched == []
    assert again.pid == toy.launched[0]
    (toy.folder / "data" / "kept").touch()
    assert toy.stop()
    assert not again.stop()
    assert gone(toy) and not (toy.folder / "toy.pid").exists()
    assert (toy.folder / "data" / "kept").exists()
    assert toy.folder.stat().st_mode & 0o077 == 0, "what it stores is for its user alone"


def test_one_that_was_killed_may_be_started_again(toy: Toy) -> None:
    toy.start()
    toy.kill()
    assert gone(toy)
    with toy:
        assert toy.pid == toy.launched[1]
    assert gone(toy)


def test_one_that_will_not_end_is_killed_and_that_is_said(toy: Toy) -> None:
    said: list[str] = []
    stubborn = Toy(toy.folder, STUBBORN, said.append)
    stubborn.start()
    assert stubborn.stop(timeout=0.2)
    assert gone(stubborn)
    assert said[-1] == "the toy did not end within 0 s and was killed; its data are kept"


def test_one_that_dies_while_it_starts_is_reported_by_its_status(toy: Toy) -> None:
    toy.program = "raise SystemExit(7)"
    with pytest.raises(BrokerDiedError, match="ended with 7"):
        toy.start()
    assert not (toy.folder / "toy.pid").exists()


def test_one_that_is_late_is_told_of_once_and_leaves_no_process(toy: Toy) -> None:
    said: list[str] = []
    late = Toy(toy.folder, NEVER, said.append)
    with pytest.raises(BrokerTimeoutError, match="late"):
        late.start(timeout=0.4)
    assert said == ["still starting"]
    assert gone(late) and not (late.folder / "toy.pid").exists()


def test_an_interrupted_start_leaves_no_process(toy: Toy) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    toy.on_look = interrupt
    with pytest.raises(KeyboardInterrupt):
        toy.start()
    assert gone(toy) and not (toy.folder / "toy.pid").exists()


def test_a_reused_pid_is_neither_believed_nor_killed(toy: Toy) -> None:
    toy.start()
    record = ProcessRecord.read(toy.folder / "toy.pid")
    assert record is not None and record.port == PORT
    ProcessRecord(record.pid, "before the reboot", PORT).write(toy.folder / "toy.pid")
    other = Toy(toy.folder)
    assert other.pid is None
    other.kill()
    assert not other.stop()
    assert psutil.pid_exists(record.pid)


def test_a_second_start_waits_for_the_first_and_says_so(toy: Toy) -> None:
    toy._make_folder()
    with toy._alone(1.0), pytest.raises(BrokerError, match="another start or stop of the toy"):
        Toy(toy.folder).start()


def test_looking_creates_nothing(toy: Toy) -> None:
    toy.kill()
    assert (toy.pid, toy.stop()) == (None, False)
    assert not toy.folder.exists()


def test_little_space_and_a_folder_that_is_a_file(toy: Toy) -> None:
    toy._make_folder()
    with pytest.raises(DiskFullError, match="the toy wants"):
        toy._demand_space(1 << 60)
    file = toy.folder / "file"
    file.touch()
    with pytest.raises(NotWritableError, match="cannot write"):
        Toy(file).start()

"""A watch that takes its rules up when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streams.errors import FencedError
from streams.ops.alerts.life import Event
from streams.ops.alerts.reloading import Reloading
from streams.ops.alerts.rules import AlertRule, load_rules, rules_of

ONE = '[[rule]]\nname = "One"\ncondition = "a > 1"\n'
TWO = ONE + ONE.replace("One", "Two")


class Watch:
    """Says when it works."""

    def __init__(self, log: Log, rules: list[AlertRule]) -> None:
        self.names = [rule.name for rule in rules]
        self.told: Callable[[Event], None] = lambda _: None
        self.complaint = f"{len(rules)} rules"
        self.fenced = asyncio.Event()
        self._log = log

    async def run(self, stop: asyncio.Event) -> None:
        assert not self._log.working
        self._log.working.append(self)
        self._log.began.append(self.names)
        stopping, fenced = asyncio.create_task(stop.wait()), asyncio.create_task(self.fenced.wait())
        await asyncio.wait([stopping, fenced], return_when=asyncio.FIRST_COMPLETED)
        self._log.working.remove(self)
        if self.fenced.is_set():
            raise FencedError("another watch")


@dataclass
class Log:
    file: Path
    began: list[list[str]] = field(default_factory=list)
    working: list[Watch] = field(default_factory=list)
    before: list[list[str]] = field(default_factory=list)
    begin: list[AlertRule] = field(default_factory=list)
    """While there is no file."""

    def make(self, before: Watch | None) -> Watch:
        self.before.append(before.names if before else [])
        return Watch(self, load_rules(self.file) if self.file.exists() else self.begin)

    async def until(self, names: list[str]) -> None:
        async with asyncio.timeout(30):
            while not self.working or self.working[0].names != names:
                await asyncio.sleep(0.005)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    file = tmp_path / "rules.toml"
    file.write_text(ONE)
    return Log(file)


@asynccontextmanager
async def running(watching: Reloading[Watch]) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(watching.run(stop))
    yield task
    stop.set()
    await asyncio.wait([task])


async def test_a_change_is_taken_up_and_a_file_that_is_wrong_is_not(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    watching = Reloading(log.make, log.file, look_seconds=0.01)
    events: list[object] = []
    watching.told = events.append
    async with running(watching) as task:
        await log.until(["One"])
        log.file.write_text("nonsense")
        async with asyncio.timeout(30):
            while "is not TOML" not in caplog.text:
                await asyncio.sleep(0.005)
        assert log.began == [["One"]]
        log.file.write_text(TWO)
        await log.until(["One", "Two"])
        assert watching.complaint == "2 rules"
        log.working[0].told("event")  # type: ignore[arg-type]
        assert events == ["event"]
    assert task.exception() is None
    assert (log.began, log.working) == ([["One"], ["One", "Two"]], [])


async def test_a_file_that_comes_into_being_is_taken_up_and_one_that_is_gone_changes_nothing(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    log.file.unlink()
    log.begin = rules_of(ONE, "here")
    async with running(Reloading(log.make, log.file, look_seconds=0.01)):
        await log.until(["One"])
        log.file.write_text(TWO)
        await log.until(["One", "Two"])
        log.file.unlink()
        async with asyncio.timeout(30):
            while "is not there" not in caplog.text:
                await asyncio.sleep(0.005)
        log.file.write_text(ONE.replace("One", "Third"))
        await log.until(["Third"])
    assert log.began == [["One"], ["One", "Two"], ["Third"]]
    assert log.before == [[], ["One"], ["One", "Two"]], "whose place each takes"


async def test_it_ends_as_its_watch_does(log: Log) -> None:
    async with running(Reloading(log.make, log.file, look_seconds=0.01)) as task:
        await log.until(["One"])
        log.working[0].fenced.set()
        with pytest.raises(FencedError):
            await asyncio.wait_for(asyncio.shield(task), 30)


async def test_rules_in_no_file_do_not_change(log: Log) -> None:
    async with running(Reloading(log.make, None, look_seconds=0.01)):
        await log.until(["One"])
        log.file.write_text(TWO)
        await asyncio.sleep(0.05)
    assert log.began == [["One"]]

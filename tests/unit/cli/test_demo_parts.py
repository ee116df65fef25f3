"""The demos of parts: what the commands ask for, and that the report and the exit code say what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli.demo import demo, play
from streams.cli.demo.course import CheckError, Metrics, Part, PartResult, averages, shown
from streams.cli.demo.integrated import SECONDS, integrated
from streams.cli.demo.performance import performance
from streams.cli.demo.play import Show, Wanted
from streams.cli.demo.processes import ChildError
from streams.cli.demo.report import markdown
from streams.cli.demo.synchronising import synchronising
from streams.errors import ConfigurationError
from streams.settings import Settings


class Nothing:
    """A system that only says whether its processes run."""

    lost = False

    def check(self) -> None:
        if self.lost:
            raise ChildError("gateway ended with exit code 9")


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Nothing:
    nothing = Nothing()

    @asynccontextmanager
    async def deployed(*_: Any, **__: Any) -> AsyncIterator[Nothing]:
        yield nothing

    monkeypatch.setattr(play, "deployed", deployed)
    return nothing


async def right() -> Metrics:
    return {"rows": 1_234, "rate": 0.25}


async def wrong() -> Metrics:
    raise CheckError("three rows are missing", "look again")


def show(*parts: tuple[str, Part]) -> Show:
    return Show("A demo", 3, 2, 1, lambda _: parts)


async def played(tmp_path: Path, *parts: tuple[str, Part]) -> tuple[bool, str]:
    report = tmp_path / "report.md"
    passed = await play.play(show(*parts), Settings(state_dir=tmp_path), Wanted(True, 1, report, False))
    return passed, report.read_text()


async def test_all_parts_held(system: Nothing, tmp_path: Path) -> None:
    passed, report = await played(tmp_path, ("one", right), ("two", right))
    assert passed
    assert report.startswith("# A demo\n")
    assert "2 of 2 passed." in report
    assert "* rows: 1,234\n* rate: 0.25" in report


async def test_long_traffic_has_the_time_it_is_asked_for(
    system: Nothing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow() -> Metrics:
        await asyncio.sleep(0.2)
        return {}

    monkeypatch.setattr(play, "PART_SECONDS", 0.01)
    wanted = Wanted(True, 1, None, False)
    assert not await play.play(show(("one", slow)), Settings(state_dir=tmp_path), wanted)
    assert await play.play(replace(show(("one", slow)), seconds=60.0), Settings(state_dir=tmp_path), wanted)
    assert integrated(5_000.0).seconds == 5_000.0


async def test_one_part_that_does_not_hold_is_enough(system: Nothing, tmp_path: Path) -> None:
    passed, report = await played(tmp_path, ("one", wrong), ("two", right))
    assert not passed
    assert "| one | FAILED |" in report
    assert "Failed: three rows are missing" in report


async def test_a_lost_process_ends_it_and_the_report_says_how_far_it_came(system: Nothing, tmp_path: Path) -> None:
    async def losing() -> Metrics:
        system.lost = True
        return {}

    with pytest.raises(ChildError):
        await played(tmp_path, ("one", right), ("two", losing), ("three", right))
    assert "| two | passed |" in (report := (tmp_path / "report.md").read_text())
    assert "three" not in report


async def test_an_interrupted_one_leaves_a_report(system: Nothing, tmp_path: Path) -> None:
    async def endless() -> Metrics:
        await asyncio.sleep(60)
        return {}

    playing = asyncio.create_task(played(tmp_path, ("one", right), ("two", endless)))
    await asyncio.sleep(0.05)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    report = (tmp_path / "report.md").read_text()
    assert "| parts that ran | 1 of 2 |" in report
    assert "1 of 1 passed." in report


async def test_a_report_that_cannot_be_written_is_said(system: Nothing, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        wanted = Wanted(True, 1, tmp_path / "no" / "report.md", False)
        await play.play(show(("one", right)), Settings(state_dir=tmp_path), wanted)


Seen = list[tuple[Show, Wanted]]


def asked(monkeypatch: pytest.MonkeyPatch, words: Sequence[str], *, held: bool = True) -> tuple[int, Seen, str]:
    seen: Seen = []

    async def taken(show: Show, _: Settings, wanted: Wanted) -> bool:
        seen.append((show, wanted))
        return held

    monkeypatch.setattr(play, "play", taken)
    result = CliRunner().invoke(demo, list(words), obj=Settings())
    return result.exit_code, seen, result.output


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("integrated", "Integrated agents"),
        ("performance", "Performance and production"),
        ("sync", "State synchronisation"),
    ],
)
def test_commands(monkeypatch: pytest.MonkeyPatch, name: str, title: str) -> None:
    code, [(chosen, wanted)], _ = asked(monkeypatch, [name, "--fast", "--report", "r.md", "--seed", "5"])
    assert (code, chosen.title) == (0, title)
    assert wanted == Wanted(True, 5, Path("r.md"), False)
    assert asked(monkeypatch, [name], held=False)[0] == 1


def test_an_option_in_front_of_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    code, seen, output = asked(monkeypatch, ["--fast", "integrated"])
    assert (code, seen) == (2, [])
    assert "--fast belongs behind the name" in output


def test_what_is_played() -> None:
    nothing: Any = type("System", (), {"chain": type("Chain", (), {"agents": [bytes(20)] * 20})})()
    whole = integrated(SECONDS)
    assert (whole.agents, SECONDS) == (15, 300.0)
    names = [name for name, _ in whole.parts(nothing)]
    assert [name for name in names if name.startswith("scenario")] == [
        "scenario: normal",
        "scenario: high load",
        "scenario: a worker is killed",
        "scenario: a reorganisation",
    ]
    assert len(performance(fast=True).parts(nothing)) == 12
    assert len(synchronising(fast=True).parts(nothing)) == 8


def test_a_report_of_nothing_says_so() -> None:
    assert "Nothing has run." in markdown("T", {}, [])


def test_averages() -> None:
    results = [PartResult("a", True, 1.0, None, {}), PartResult("b", False, 3.0, "no", {})]
    assert averages(results) == {"passed": 0.5, "mean seconds": 2.0, "longest seconds": 3.0}
    with pytest.raises(ValueError, match="no part"):
        averages([])


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.12345, "0.123"), (12_345.6, "12,346"), (7_000, "7,000"), ("x", "x"), (True, "True")]
)
def test_shown(value: Any, text: str) -> None:
    assert shown(value) == text

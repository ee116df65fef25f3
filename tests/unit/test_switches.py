"""Switches of a state folder: set, seen, over, taken out; a file nobody can read changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.switches import Switch, Switches, change, hold, read


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        self.now += 0.3  # so that each question looks
        return self.now


def test_set_and_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "state" / "switches.json"
    seen = Switches(path, Clock())
    assert seen.on("vectors") is None
    change(path, {"vectors": Switch("it is down"), hold("memory", 2): Switch("altered")})
    assert (found := seen.on("vectors")) is not None
    assert found.why == "it is down"
    assert seen.on("hold memory/2") is not None
    assert seen.on("hold memory/1") is None
    change(path, drop=("vectors", "never set"))
    assert seen.on("vectors") is None
    assert list(read(path)) == ["hold memory/2"]


def test_it_ends_by_itself_and_begins_anew_when_it_is_set_anew(tmp_path: Path) -> None:
    path, clock = tmp_path / "switches.json", Clock()
    seen = Switches(path, clock)
    change(path, {"vectors": Switch("down", seconds=10)})
    assert seen.on("vectors")
    clock.now += 9
    assert seen.on("vectors")
    clock.now += 1
    assert not seen.on("vectors")
    change(path, {"vectors": Switch("down again", seconds=10)})
    assert seen.on("vectors")


def test_one_that_is_over_stays_over_for_a_process_that_starts_later(tmp_path: Path) -> None:
    path = tmp_path / "switches.json"
    change(path, {"vectors": Switch("down", seconds=10, at=1_000.0), hold("memory", 2): Switch("altered", at=1_000.0)})
    half, over, before = (Switches(path, Clock(), lambda now=now: now) for now in (1_005.0, 1_010.0, 900.0))  # type: ignore[misc]
    assert half.on("vectors")
    assert before.on("vectors")  # the clock was set back: it ends later, but it ends
    assert not over.on("vectors")
    assert over.on("hold memory/2")


@pytest.mark.parametrize("text", ["", "[]", '{"vectors": 1}', '{"vectors": {"until": 3}}', "[" * 100_000])
def test_a_file_that_is_none_keeps_what_was_known(tmp_path: Path, text: str) -> None:
    path = tmp_path / "switches.json"
    seen = Switches(path, Clock())
    change(path, {"vectors": Switch("down")})
    assert seen.on("vectors")
    path.write_text(text)
    assert seen.on("vectors")
    with pytest.raises(ValueError):
        read(path)

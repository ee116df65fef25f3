"""The supervisor and a part that a gateway does without: what counts as helped, when it is renewed, and when used again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from streams.ops.recovery.ailments import Kind
from streams.ops.recovery.decide import Action, Strategy
from streams.ops.recovery.incidents import Incident, Limits
from streams.ops.recovery.observe import Sight
from streams.ops.recovery.programs import Program, Programs
from streams.ops.recovery.strategies import Strategies
from streams.ops.recovery.supervisor import Supervisor
from streams.ops.recovery.watched import Patience
from streams.switches import FILE, VECTORS, change, read

PATIENCE = Patience(look=0.01, steady=0.02, heal=3)
DEGRADE = Action(Strategy.DEGRADE, "gateway", VECTORS, "unready, database", 0.2)
USES = Sight(answers=True, live=True)
WITHOUT = Sight(answers=True, live=True, without=frozenset({VECTORS}))
BACK = Sight(answers=True, live=True, without=frozenset({VECTORS}), back=frozenset({VECTORS}))


class Running:
    """A gateway that runs, and is seen as it is said here."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sight, self.file = USES, folder / FILE
        programs = Programs(folder, [Program("gateway", Kind.GATEWAY, (), 1)])
        strategies = Strategies(programs, self.file, cast("Any", None), 1.0, 1)
        self.supervisor = Supervisor(programs, strategies, Limits(), PATIENCE)
        self.outcomes: list[str] = []
        self.supervisor.told = lambda _, outcome: self.outcomes.append(outcome)

        async def look(*_: object) -> Sight:
            return self.sight

        monkeypatch.setattr("streams.ops.recovery.supervisor.look", look)

    async def turns(self, seconds: float) -> None:
        async with asyncio.timeout(5):
            for _ in range(int(seconds / 0.01)):
                await self.supervisor._turn(cast("Any", None))
                await asyncio.sleep(0.01)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    return Running(tmp_path, monkeypatch)


async def test_ready_alone_is_no_success_if_it_still_uses_the_part(running: Running) -> None:
    running.supervisor._patience = replace(PATIENCE, heal=0.2)
    running.supervisor.begin(DEGRADE)
    await running.turns(0.4)
    assert running.outcomes == ["failed"]


async def test_used_again_when_the_part_is_back_and_what_comes_next_is_an_incident_of_its_own(running: Running) -> None:
    running.supervisor.incidents.open["gateway"] = Incident(0.0, 0.0, [Strategy.DEGRADE])
    running.supervisor.begin(DEGRADE)
    running.sight = WITHOUT
    await running.turns(0.2)
    assert running.outcomes == ["healed"]
    first = read(running.file)[VECTORS].id
    await running.turns(0.2)
    assert read(running.file)[VECTORS].id != first, "renewed while it is away"
    running.sight = BACK
    await running.turns(0.1)
    assert running.outcomes == ["healed", "taken back"]
    assert read(running.file) == {}
    assert running.supervisor.incidents.open == {}


async def test_a_switch_that_somebody_took_out_is_not_set_again(running: Running) -> None:
    running.supervisor.begin(DEGRADE)
    running.sight = WITHOUT
    await running.turns(0.1)
    change(running.file, drop=(VECTORS,))
    running.sight = USES
    await running.turns(0.4)
    assert read(running.file) == {}
    assert running.outcomes == ["healed"]

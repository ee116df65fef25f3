"""A slice of the seeds, every crash point of one short run, seeds kept from the past, and that the simulator can say no."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.agents.base import Emit, Record
from streams.core.block import BlockRef
from tests.sim.agents import Cast, _check_tally
from tests.sim.broker import Broker, Log, Transaction
from tests.sim.histories import TINY, TINY_SEED
from tests.sim.invariants import false_undos
from tests.sim.parameters import QUIET, TABLE, Parameters
from tests.sim.run import crash_points, run_seed, run_world
from tests.toys import Tally, factory

ROOT = Path(__file__).parents[2]
SEEDS = 160
CHUNK = 20
SECONDS = 60.0
"""The slice ends early on a slow machine, but never below a quarter."""
_began: list[float] = []


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_seeds(first: int) -> None:
    if not _began:
        _began.append(time.monotonic())
    if first >= SEEDS // 4 and time.monotonic() - _began[0] > SECONDS:
        pytest.skip("a slow machine: the rest is run by command")
    failed = {seed: result.failures for seed in range(first, first + CHUNK) if (result := run_seed(seed)).failures}
    assert not failed, f"python -m tests.sim --one {min(failed)} --trace"


def regressions() -> Iterator[Any]:
    for line in (ROOT / "tests/sim/regressions.txt").read_text().splitlines():
        text, _, comment = line.partition("#")
        if words := text.split():
            fixed = {name: ast.literal_eval(value) for name, _, value in (word.partition("=") for word in words[1:])}
            yield pytest.param(int(words[0]), fixed, id=comment.strip().replace(" ", "-"))


@pytest.mark.parametrize(("seed", "fixed"), regressions())
def test_seeds_kept(seed: int, fixed: dict[str, Any]) -> None:
    assert run_seed(seed, **fixed).failures == []


def test_every_crash_point_of_a_short_run() -> None:
    calm = run_world(TINY_SEED, TINY)
    assert calm.failures == []
    assert calm.undone > 0, "there is a rewind to crash in"
    runs = list(crash_points(TINY_SEED, TINY))
    assert {point: result.failures for point, result in runs if result.failures} == {}
    assert len(runs) > 200
    assert all(result.crashes == 1 for _, result in runs)


def test_one_seed_is_one_run() -> None:
    for seed in (10, 17):
        first, second = run_seed(seed, trace=True), run_seed(seed, trace=True)
        assert first.events == second.events
        assert len(first.events) > 1_000
        assert first.digest == second.digest
    assert run_seed(10).digest != run_seed(17).digest


def test_one_seed_is_one_run_in_another_process() -> None:
    """Nothing depends on how this interpreter hashes."""
    program = "from tests.sim.run import run_seed; print(run_seed(17).digest)"
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == run_seed(17).digest


def test_parameters_are_drawn_by_name() -> None:
    assert QUIET.keys() == TABLE.keys()
    drawn = [vars(Parameters.drawn(seed)) for seed in range(300)]
    for name, choices in TABLE.items():
        assert {values[name] for values in drawn} >= {choice for choice in choices if choice != 256}, name
    assert vars(Parameters.drawn(5)) == drawn[5]


# That it can say no: broken parts must be caught within a few seeds.
class Forgetful(Tally):
    """Takes back all records of a block but the first."""

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        return super().revert(block, records[1:])


class Unfenced(Broker):
    """Lets anyone write who once held the transactional id."""

    def owned(self, name: str, epoch: int) -> None:
        pass


class Doubling(Broker):
    """Loses the offsets of some transactions."""

    def decide(self, transaction: Transaction, *, commit: bool) -> None:
        if commit and transaction.offsets and self.random.random() < 0.2:
            transaction.offsets.clear()
        super().decide(transaction, commit=commit)


class _Dirty(Log):
    @property
    def stable(self) -> int:
        return len(self.entries)


class Dirty(Broker):
    """Lets readers past open transactions, whose records they then miss."""

    def log(self, target: Any) -> Log:
        return self.logs.setdefault(target, _Dirty())


class Amnesiac(Broker):
    """Forgets a committed record now and then."""

    def append(self, target: Any, records: Any, transaction: Any = None) -> None:
        super().append(target, [pair for pair in records if self.random.random() > 0.02], transaction)


MORE = {
    "pause_rate": 0.1, "pause_seconds": 20.0, "session_timeout": 0.5, "workers": 3, "spikes": 0.05, "marker_delay": 0.5,
    "latency": 0.02, "commands": 5.0,
}  # fmt: skip
TROUBLED = {"agents": "tally", "reorg_rate": 0.3, "reorg_depth": 3, "crash_rate": 0.002, "seconds": 20.0, "transactions": 3}


@pytest.mark.parametrize("broker", [Unfenced, Doubling, Dirty, Amnesiac])
def test_a_broken_broker_is_caught(broker: type[Broker]) -> None:
    assert any(run_world(seed, Parameters.quiet(**TROUBLED, **MORE), broker=broker).failures for seed in range(10))


def test_a_broken_stream_agent_is_caught() -> None:
    cast = Cast(lambda: [factory(Forgetful)], _check_tally, (Forgetful,))
    assert run_world(1, Parameters.quiet(**TROUBLED), cast=lambda name, store: cast).failures


def test_a_false_undo_is_caught() -> None:
    refs = [BlockRef(n, bytes([n]) * 32, bytes([n - 1]) * 32 if n else bytes(32)) for n in range(4)]
    undo = {"step": "UNDO", "removed": [refs[3].record()], "ancestor": refs[2].record()}
    watch: Any = SimpleNamespace(notified=[(9.0, undo)])
    parent = {ref.hash: ref for ref in refs}.__getitem__
    on, low = (1.0, "p", refs[3], True), (2.0, "p", refs[2], True)
    other = (2.0, "q", refs[2], True)

    def faults(*answers: Any) -> list[str]:
        return list(false_undos(watch, answers, parent, 2))

    assert faults(on, low, low) == []
    assert "left it 0 times" in faults(on, on)[0]
    assert "2 times in a row" in faults(on, low)[0]
    assert "2 times in a row" in faults(on, low, other)[0]
    assert "2 times in a row" in faults(on, low, on, low)[0]
    assert "left it 0 times" in faults(on, (99.0, "p", refs[2], True))[0], "what was said later explains nothing"

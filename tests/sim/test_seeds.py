"""A slice of the seeds, every crash point of one short run, seeds kept from the past, and that the simulator can say no."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from streams import topics
from streams.agents.base import Emit, Record, StreamAgent
from streams.agents.graph import GraphAgent
from streams.agents.intent import IntentAgent
from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.errors import FencedError, LogIntegrityError
from tests.chainlog import CHAIN_ID, SIGNER, VERIFIER
from tests.sim.agents import Cast, _check_tally
from tests.sim.beside import BESIDE
from tests.sim.broker import Broker, Log, Transaction
from tests.sim.client import Faults
from tests.sim.histories import SHORTS
from tests.sim.invariants import false_finals, false_undos, lost_finals
from tests.sim.parameters import QUIET, TABLE, Parameters
from tests.sim.run import crash_points, run_seed, run_seeds, run_world
from tests.sim.signatures import Remembering
from tests.sim.store import SimMemoryStore
from tests.sim.wall import WallClock
from tests.toys import Tally, factory

ROOT = Path(__file__).parents[2]
SEEDS = 1_000
CPU_SECONDS = 1_200.0
"""They take about 300 s of processor time, as ``python -m tests.sim`` prints."""


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_seeds() -> None:
    results = dict(run_seeds(range(SEEDS), jobs=2))
    failed = {seed: result.failures for seed, result in results.items() if result.failures}
    assert not failed, f"python -m tests.sim --one {min(failed)} --trace"
    assert len(results) == SEEDS
    assert sum(result.cpu for result in results.values()) < CPU_SECONDS, "four times what they take: what became slow?"


def regressions() -> Iterator[Any]:
    for line in (ROOT / "tests/sim/regressions.txt").read_text().splitlines():
        text, _, comment = line.partition("#")
        if words := text.split():
            fixed = {name: ast.literal_eval(value) for name, _, value in (word.partition("=") for word in words[1:])}
            yield pytest.param(int(words[0]), fixed, id=comment.strip().replace(" ", "-"))


@pytest.mark.parametrize(("seed", "fixed"), regressions())
def test_seeds_kept(seed: int, fixed: dict[str, Any]) -> None:
    assert run_seed(seed, **fixed).failures == []


@pytest.mark.parametrize(("name", "every"), [("tiny", 1), ("chained", 7), ("poisoned", 1), ("stored", 3), ("replayed", 8)])
def test_crash_points_of_short_runs(name: str, every: int) -> None:
    """All of two runs, a part of three others; ``python -m tests.sim --crash-points`` takes all of all."""
    runs = list(crash_points(*SHORTS[name], every=every))
    assert {point: result.failures for point, result in runs if result.failures} == {}
    assert len(runs) > 70
    assert all(result.crashes == 1 for _, result in runs)


@pytest.mark.parametrize("name", SHORTS)
def test_short_runs_pass_every_kind_of_io(name: str) -> None:
    """So that crashing at each of their points means crashing at each kind of I/O that producer and runtime do."""
    calm = run_world(*SHORTS[name])
    assert calm.failures == []
    assert calm.undone > 0, "there is a rewind to crash in"
    assert calm.places >= PRODUCER_IO | RUNTIME_IO
    assert bool(calm.replays) is (name == "replayed")
    if name == "stored":
        assert calm.places >= STORE_IO
    if name == "poisoned":
        assert calm.letters > 1
        assert calm.below_final > 0


def test_every_kind_of_io_is_in_the_list() -> None:
    """A kind of I/O that seeds meet and no short run does would be no crash point."""
    met: set[str] = set().union(*(run_seed(seed, agents="memory").places for seed in range(20)))
    ends = {"producer: revoke"}
    rare = {"producer: node.canonical", "producer: node.syncing", "producer: abort", "worker: abort"}
    assert met - ends <= PRODUCER_IO | RUNTIME_IO | STORE_IO | rare


def test_one_seed_is_one_run() -> None:
    for seed in (10, 40):
        first, second = run_seed(seed, trace=True), run_seed(seed, trace=True)
        assert first.events == second.events
        assert len(first.events) > 1_000
        assert first.digest == second.digest
    assert run_seed(10).digest != run_seed(40).digest


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


def test_the_wall_clock_decides_nothing() -> None:
    """However it jumps, the run is the same to the last event."""
    for seed in (3, 17, 40):
        calm = run_seed(seed, clock_jumps=0.0)
        assert calm.digest == run_seed(seed, clock_jumps=50.0).digest
        assert calm.failures == []


def test_the_wall_clock_of_a_run_jumps() -> None:
    clock = WallClock(Random(1), jumps=1.0)
    seen = []
    with clock.on_the_wall():
        for _ in range(20):
            clock.pass_by(1.0)
            seen.append(time.time())
    assert any(after < before for before, after in pairwise(seen))
    assert time.time() not in seen


@pytest.mark.parametrize("package", ["core", "runtime", "producer", "agents", "decoding"])
def test_nothing_that_decides_names_the_wall_clock(package: str) -> None:
    """What a jumping ``time.time`` cannot show: other ways to ask for the time of day."""
    files = list((ROOT / "streams" / package).rglob("*.py"))
    assert files
    assert {str(path): lines for path in files if (lines := _wall_clock_lines(path.read_text()))} == {}


def test_the_time_of_day_is_for_measures_alone() -> None:
    users = {path.name for path in (ROOT / "streams" / "runtime").rglob("*.py") if "wall" in _imported(path.read_text())}
    assert users == {"freshness.py", "lateness.py"}
    for package in ("core", "producer", "agents", "decoding"):
        assert not [path for path in (ROOT / "streams" / package).rglob("*.py") if "wall" in _imported(path.read_text())]


def _imported(text: str) -> set[str]:
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module == "streams"]
    return {alias.name for node in found for alias in node.names}


def _wall_clock_lines(text: str) -> list[int]:
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    return [node.lineno for node in found if node.attr in WALL_CLOCK or ast.unparse(node) == "time.time"]


@pytest.mark.parametrize("call", ["time.time()", "datetime.datetime.now(UTC)", "date.today()", "time.gmtime()"])
def test_a_look_at_the_wall_clock_is_found(call: str) -> None:
    assert _wall_clock_lines(f"at = loop.time()\nnow = {call}") == [2]


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


REFS = [BlockRef(n, bytes([n]) * 32, bytes([n - 1]) * 32 if n else bytes(32)) for n in range(4)]
PRODUCER_IO = {
    f"producer: {what}"
    for what in (
        "start", "begin", "send", "commit", "bounds", "read", "node", "node.chain_id", "node.genesis", "node.earliest",
        "node.head", "node.final", "node.span", "node.ref", "node.blocks",
    )
}  # fmt: skip
RUNTIME_IO = {
    f"worker: {what}"
    for what in (
        "consumer.start", "assign", "revoke", "poll", "start", "committed", "bounds", "read", "begin", "send", "offsets",
        "commit", "disk",
    )
}  # fmt: skip
STORE_IO = {"worker: store.claim", "worker: store.apply", "worker: store.revert"}
WALL_CLOCK = {"time_ns", "now", "utcnow", "today", "localtime", "gmtime", "ctime", "fromtimestamp"}
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


class ForgetfulGraph(GraphAgent):
    """Takes back all transactions of a block but the first."""

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        return super().revert(block, records[1:])


class Mishearing(IntentAgent):
    """Reads a transaction as the one before."""

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        return super().apply(block, [records[0], *records[:-1]] if records else records)


@pytest.mark.parametrize(("name", "broken"), [("graph", ForgetfulGraph), ("intent", Mishearing)])
def test_a_broken_agent_beside_the_memory_agent_is_caught(
    name: str, broken: type[StreamAgent], monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled = {**TROUBLED, "agents": "memory", "beside": name}
    assert run_world(1, Parameters.quiet(**troubled)).failures == []
    monkeypatch.setitem(BESIDE, name, (broken, BESIDE[name][1]))
    assert run_world(1, Parameters.quiet(**troubled)).failures


def test_a_store_fences_former_owners_of_a_lane() -> None:
    store = SimMemoryStore(Parameters.quiet(), Faults(Broker(Parameters.quiet(), Random(1), lambda who, what: None)))
    store.owners[b"memory/0"] = 2
    store.owned(b"memory/0", 2)
    with pytest.raises(FencedError):
        store.owned(b"memory/0", 1)


def test_a_remembered_signature_vouches_for_nothing_else() -> None:
    verifier = Remembering(VERIFIER)
    marker = Marker(Step.FINAL, CHAIN_ID, 4, topics.TRANSACTIONS, 0, REFS[1], REFS[2], REFS[1])
    good = SIGNER.sign("Marker", marker.record())
    verifier.verify("Marker", good)
    verifier.verify("Marker", good)
    for wrong in ({"sequence": 5}, {"partition": 1}, {"signature": bytes(64)}, {"key_id": bytes(8)}):
        with pytest.raises(LogIntegrityError):
            verifier.verify("Marker", {**good, **wrong})


def test_a_false_final_is_caught() -> None:
    watch: Any = SimpleNamespace(notified=[(3.0, {"step": "FINAL", "block": REFS[2].record()})])
    assert list(false_finals(watch, {REFS[2].hash: 3.0})) == []
    assert list(false_finals(watch, {REFS[2].hash: 4.0})), "what was said later explains nothing"
    assert list(false_finals(watch, {REFS[1].hash: 1.0}))


def test_a_lost_final_is_caught() -> None:
    def undo(ancestor: BlockRef) -> tuple[float, dict[str, Any]]:
        return 2.0, {"step": "UNDO", "ancestor": ancestor.record(), "final": None}

    final = (1.0, {"step": "FINAL", "final": REFS[2].record()})
    assert list(lost_finals(SimpleNamespace(notified=[final, undo(REFS[2])]))) == []  # type: ignore[arg-type]
    assert list(lost_finals(SimpleNamespace(notified=[final, undo(REFS[1])])))  # type: ignore[arg-type]


def test_a_false_undo_is_caught() -> None:
    refs = REFS
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

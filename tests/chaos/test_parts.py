"""The parts of a run say no where they must."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from streams.core.block import BlockRef
from streams.oracle import World
from streams.serving.wire import AsOf, Block, Citation, MemoryList, MemoryView
from tests.chaos.__main__ import COURSES, PLANNED, arguments, node_of, play, rows, spread
from tests.chaos.clock import make_clock, set_clock, watch_of
from tests.chaos.faults import AIMS, FAULTS, NEEDS, strikes_of
from tests.chaos.figures import HEADINGS, figures, markdown, text
from tests.chaos.life import Life
from tests.chaos.processes import Processes, crash_of
from tests.chaos.reader import answer_of
from tests.chaos.residue import INPUTS
from tests.chaos.results import Result, Results
from tests.chaos.retention import faults_of
from tests.chaos.run import Outcome, Standstill, struck
from tests.chaos.small_disk import fill, free, room, small_disk
from tests.chaos.stage import AGENTS, Stage
from tests.chaos.tap import Seen
from tests.chaos.unavailable import UnavailableError
from tests.chaos.vectors import kept
from tests.checker.events import Answer, Chain, Log, Marker
from tests.checker.history import History
from tests.checker.report import check
from tests.conftest import ROOT
from tests.e2e.expected import Expected

A, B = "aa" * 32, "bb" * 32


def answer(block: str, sequence: int) -> MemoryList:
    """The gateway's list of one memory of a block, as of a point of the log."""
    at = Block(number=1, hash=f"0x{block}", parent="0x" + "00" * 32)
    cited = Citation(memory_id="0x01", source="CHAIN", block=at, transaction=None, transaction_index=None)
    fields = {
        "id": "0x01",
        "agent": "0x02",
        "type": "EPISODIC",
        "text": "t",
        "content_base64": None,
        "media_type": "text/plain",
    }
    item = MemoryView(**fields, importance=0.5, tags=[], timestamp=1, citation=cited)
    return MemoryList(agent="0x02", items=[item], as_of=AsOf(sequence=sequence, head=at))


def judged(*answers: Answer) -> list[str]:
    """Anomalies of answers on a log whose block A is undone by its third marker, and B put in its place."""
    place = {"topic": "t", "partition": 0}
    marks = [
        Marker(**place, offset=0, step="NEW", sequence=0, block=A, digest=check_digest()),
        Marker(**place, offset=1, step="UNDO", sequence=1, block=A, removed=(A,)),
        Marker(**place, offset=2, step="NEW", sequence=2, block=B, digest=check_digest()),
    ]
    history = History((*answers, Chain(**place), Log(**place, start=0, end=3), *marks))
    return [str(found) for found in check(history).anomalies if found.kind == "stale row"]


def check_digest() -> str:
    """Of a block without records."""
    from tests.checker.markers import digest_of  # noqa: PLC0415

    return digest_of(())


def test_an_answer_is_held_to_what_the_log_had_shown_before_the_question() -> None:
    assert judged(answer_of(answer(A, 0), before=0), answer_of(answer(B, 2), before=0)) == []
    assert len(judged(answer_of(answer(A, 0), before=1))) == 1  # the undo was in the log, the answer behind it
    assert len(judged(answer_of(answer(A, 2), before=0))) == 1  # it claims to know better itself
    assert len(judged(answer_of(answer(B, 1), before=1))) == 1  # a row ahead of the log


def test_a_vector_is_due_until_its_memory_is_deleted_for_good() -> None:
    blocks = [BlockRef(number, bytes([number]) * 32, bytes(32)) for number in range(3)]
    keys = [bytes([n]) * 52 for n in range(4)]
    memories = dict.fromkeys(keys)
    deletes = [("DELETE", keys[1], b""), ("DELETE", keys[2], blocks[1].hash), ("DELETE", keys[3], blocks[2].hash)]
    facts = Counter((op, key[:20], key[20:], b"", block) for op, key, block in deletes)
    expected = Expected(blocks, facts, Counter(), memories, World({}))  # type: ignore[arg-type]
    assert set(kept(expected, final=1)) == {keys[0], keys[3]}


def test_halting_at_a_gap_means_to_end_with_a_message_that_names_it() -> None:
    good = "error: lattice/1: memory.log: offsets 5 to 99 are due and no longer in the log\n"
    assert list(faults_of("w", 1, good, ["lattice"])) == []
    for code, said in (
        (None, good),
        (0, good),
        (1, "error: something else"),
        (1, good.replace("memory.log", "chain.blocks")),
        (1, good + "Traceback (most recent call last)"),
    ):
        assert len(list(faults_of("w", code, said, ["lattice"]))) == 1


def test_a_small_disk_is_full_when_it_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    try:
        with small_disk(folder, 1024 * 1024):
            fill(folder)
            assert room(folder) == 0
            with pytest.raises(OSError, match="No space left"):
                (folder / "more").write_bytes(b"x")
            free(folder)
            assert room(folder) > 0
    except UnavailableError as error:
        pytest.skip(str(error))
    assert not (folder / "more").exists()


def test_a_clock_jumps_and_spans_stay(tmp_path: Path) -> None:
    try:
        clock = make_clock(tmp_path / "clock")
    except UnavailableError as error:
        pytest.skip(str(error))
    code = "import time; print(time.time(), time.monotonic())"

    def look() -> tuple[float, float]:
        done = subprocess.run([sys.executable, "-c", code], env=watch_of(clock), capture_output=True, text=True, check=True)
        wall, steady = done.stdout.split()
        return float(wall), float(steady)

    before = look()
    set_clock(clock, -7200)
    after = look()
    assert -7201 < after[0] - before[0] < -7100
    assert 0 < after[1] - before[1] < 60


def test_every_fault_is_run_once_for_each_stream_agent_it_can_be_aimed_at() -> None:
    said = arguments(["--agents", "all"])
    planned = list(rows(said.faults, said.agents))
    assert len(planned) == len(set(planned))
    assert {fault for fault, _ in planned} == {*FAULTS, *COURSES} == set(said.faults)
    assert {agent for fault, agent in planned if fault == "kill-worker"} == set(AGENTS)
    assert [agent for fault, agent in planned if fault == "kill-broker"] == [None]
    assert ("slow-store", "intent") not in planned
    assert set(AIMS) <= set(FAULTS)
    assert set(NEEDS) <= set(FAULTS)
    assert list(rows(["kill-worker+slow-store"], AGENTS)) == [("kill-worker+slow-store", a) for a in AIMS["slow-store"]]


def test_a_fault_strikes_one_stage_as_often_as_it_is_told_to() -> None:
    assert strikes_of("poison") == ["poison"] * 2
    assert strikes_of("poison*3+kill-worker") == [*["poison"] * 3, "kill-worker"]


def test_the_page_has_figures_of_each_fault_or_says_that_it_has_none() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    shown = set(re.findall(r"^\| `([a-z-]+)` \| ", page, re.MULTILINE))
    (left_out,) = re.findall(r"Rows that the command leaves out \(([^)]*)\)", page)
    named = set(re.findall(r"`([a-z-]+)`", left_out))
    assert not shown & named
    assert shown | named | {"none"} == set(PLANNED)


def test_strikes_are_spread_over_stages_that_they_are_of_use_on() -> None:
    assert spread("kill-worker", 5, 4) == ("kill-worker*5", 4)
    assert spread("kill-worker", 2, 1) == ("kill-worker", 1)
    assert spread("upgrade", 5, 4) == ("upgrade", 10)
    assert spread("replay", 20, 1) == ("replay*5", 4)
    assert spread("retention", 5, 4) == ("retention", 20)
    assert spread("poison*3+kill-worker", 5, 4) == ("poison*3+kill-worker", 4)
    for fault in PLANNED:
        name, runs = spread(fault, 5, 4)
        each = len(strikes_of(name)) if fault in FAULTS else 1
        row = figures((name, None), [replace(result(seed), strikes=each) for seed in range(runs)])
        assert (row.fault, row.runs, row.strikes) == (fault, runs, 20)


def test_runs_take_turns_on_the_nodes() -> None:
    assert {node_of("both", seed) for seed in (1, 2)} == {"dev", "anvil"}
    assert node_of("anvil", 1) == node_of("anvil", 2) == "anvil"


def test_what_a_process_that_ended_by_itself_met_is_told_from_what_it_ends_with_on_purpose() -> None:
    assert crash_of("worker-1", 1, "error: lattice/1: fenced\n") is None
    assert crash_of("worker-1", -11, "") == "worker-1 was ended by signal 11"
    trace = "Traceback (most recent call last):\n  ...\nKeyError: 7\n"
    mended = trace + "2026-01-01 00:00:00,000 INFO streams.x goes on\n"
    assert crash_of("producer", 1, mended + "error: fenced\n") is None
    assert crash_of("producer", 1, trace + "error: fenced\n") is None
    assert crash_of("producer", 1, mended + trace)
    assert crash_of("producer", 1, trace) == "producer ended with exit code 1 and a trace: KeyError: 7"


def test_a_process_that_crashes_is_started_again_and_remembered(tmp_path: Path) -> None:
    processes = Processes(tmp_path, {}, lambda event: None)
    processes.start("gateway", "no-such-command")
    try:
        child = processes.children["gateway"]
        child.process.wait(60)
        processes.mend()
        assert [name for name, _ in processes.deaths] == ["gateway"]
        assert processes.crashes == []
        child.process.kill()
        child.process.wait(60)
        child.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        child.process.send_signal(signal.SIGSEGV)
        child.process.wait(60)
        processes.mend()
        assert processes.crashes[-1] == "gateway was ended by signal 11"
    finally:
        processes.stop()
    assert not processes.children


async def test_the_chain_rests_and_goes_on() -> None:
    played: list[int] = []

    class Node:
        async def play(self, steps: list[int], interval: float) -> None:
            played.extend(steps)
            await asyncio.sleep(0)

    life = Life(Node(), iter(range(1_000_000)))  # type: ignore[arg-type]
    living = asyncio.create_task(life.run())
    async with asyncio.timeout(30):
        while not played:
            await asyncio.sleep(0)
        life.rest()
        await asyncio.sleep(0.01)
        count = len(played)
        await asyncio.sleep(0.05)
        assert len(played) == count
        life.go_on()
        while len(played) == count:
            await asyncio.sleep(0)
        life.rest()
        life.end()
        await living


async def test_whatever_a_strike_meets_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(at: Stage, random: Random) -> None:
        raise TimeoutError("brokers are not in sync")

    async def cannot(at: Stage, random: Random) -> None:
        raise UnavailableError("no tmpfs")

    tap, reader = SimpleNamespace(seen=Seen()), SimpleNamespace(answers=0, reason="it is away")
    life = Life(SimpleNamespace(), iter(()))  # type: ignore[arg-type]
    assert await struck(None, tap, reader, life, fails, Random(1)) == ["fails: TimeoutError: brokers are not in sync"]  # type: ignore[arg-type]
    with pytest.raises(UnavailableError):
        await struck(None, tap, reader, life, cannot, Random(1))  # type: ignore[arg-type]


def test_what_gets_on_does_not_stand_still() -> None:
    still = Standstill(0.05)
    assert not still.too_long(["a at 1"])
    time.sleep(0.1)
    assert not still.too_long(["a at 2"])
    time.sleep(0.1)
    assert still.too_long(["a at 2"])
    assert not Standstill(0.1).too_long([])


def test_what_goes_round_in_a_circle_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.run.LONGEST", 2)
    still, turn = Standstill(0.05), 0
    deadline = time.monotonic() + 60
    while not still.too_long([f"a at {turn % 2}"]):
        turn += 1
        time.sleep(0.01)
        assert time.monotonic() < deadline


async def test_a_strike_is_over_when_all_got_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def strike(at: Stage, random: Random) -> None:
        tap.seen.ends["chain.transactions", 0] = 7

    monkeypatch.setattr("tests.chaos.run.REST_SECONDS", 0.3)
    tap, reader = SimpleNamespace(seen=Seen()), SimpleNamespace(answers=0, reason="it is away")
    life = Life(SimpleNamespace(), iter(()))  # type: ignore[arg-type]
    found = await struck(None, tap, reader, life, strike, Random(1))  # type: ignore[arg-type]
    assert "strike: intent chain.transactions/0 at None of 7" in found
    assert "strike: the log stays at notification -1" in found
    assert "strike: the gateway does not answer" in found
    assert "strike: the gateway said last: it is away" in found

    def recover() -> None:
        tap.seen.sequence, reader.answers = 5, 1
        for agent in INPUTS:
            tap.seen.positions[agent]["chain.transactions", 0] = 7

    monkeypatch.setattr("tests.chaos.run.REST_SECONDS", 60.0)
    asyncio.get_running_loop().call_later(0.1, recover)
    assert await struck(None, tap, reader, life, strike, Random(1)) == []  # type: ignore[arg-type]


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--faults", "kill-worker+nonsense"], ["--faults", "retention+poison"], ["--agents", "nonsense"]):
        with pytest.raises(SystemExit):
            arguments(wrong)
    for wrong in (["--faults", "poison*nine"], ["--faults", "poison*0"], ["--strikes", "0"]):
        with pytest.raises(SystemExit):
            arguments(wrong)
    assert "no fault is called" in capsys.readouterr().err


def test_a_run_that_could_not_be_judged_is_in_the_table(tmp_path: Path) -> None:
    stuck = Outcome("kill-worker", "memory", 1, 40, None, (), ("never came to rest",), tmp_path)
    clean = Outcome("kill-worker", "memory", 2, 60, check(History(())), (), (), tmp_path, answers=9)
    crashed = replace(clean, crashes=("worker-1 was ended by signal 11",))
    assert (stuck.good, clean.good, crashed.good, Result.of(crashed).good) == (False, True, False, False)
    assert figures(("kill-worker", "memory"), [Result.of(crashed)]).other == 1
    row = figures(("kill-worker", "memory"), [Result.of(stuck), Result.of(clean)])
    assert (row.runs, row.blocks, row.answers, row.stuck) == (2, 100, 9, 1)
    shown = list(markdown([row]))
    assert shown[0].count("|") == shown[1].count("|") == shown[2].count("|") == len(HEADINGS) + 1
    assert len(list(text([row]))) == 3


def result(seed: int, **counts: int) -> Result:
    return Result("kill-worker", "memory", seed, 40, 7, counts, [1.5, 2.0], 3, 1.25, stuck=False)


def test_results_are_kept_and_what_was_cut_short_is_run_again(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    first = Results(file)
    for seed in (2, 1):
        first.add(result(seed, duplicate=seed - 1))
    file.write_bytes(file.read_bytes()[:-9])
    again = Results(file)
    assert ("kill-worker", "memory", 2) in again
    assert ("kill-worker", "memory", 1) not in again
    again.add(result(1))
    assert Results(file).of(("kill-worker", "memory")) == [result(1), result(2, duplicate=1)]
    assert [found.good for found in again.of(("kill-worker", "memory"))] == [True, False]
    assert not Results(file).of(("kill-worker", None))


async def test_what_has_a_result_is_not_run_again(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    Results(file).add(result(1))
    said = arguments(["--faults", "kill-worker", "--agents", "memory", "--resume", str(file)])
    found = await play(said, tmp_path, Results(said.resume))
    assert found == {("kill-worker", "memory"): [result(1)]}

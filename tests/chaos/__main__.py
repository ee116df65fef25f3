"""``python -m tests.chaos --faults NAME,... --agents NAME,... --runs N``: runs, a table, exit code 1 if anything was wrong.

``--faults all --agents all --strikes 5 --runs 4`` strikes every stream agent with every fault that can be aimed at one twenty
times, five times on each of four stages, and everything at once with the others; what only strikes a new stage well gets more
stages. What this machine cannot do is said and left out. That takes hours; ``--resume FILE`` goes on where an earlier go was
stopped. Two commands may go on at once with other ``--faults`` and other files; the files one behind the other make one table.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from math import ceil
from pathlib import Path

from tests.chaos.brokers import Brokers, brokers
from tests.chaos.faults import AIMS, FAULTS, MOST, STRIKES, needs_of, strikes_of
from tests.chaos.figures import figures, markdown, text
from tests.chaos.node import NODES
from tests.chaos.results import Result, Results, Row
from tests.chaos.retention import run_retention
from tests.chaos.run import Course, Outcome, run
from tests.chaos.stage import AGENTS
from tests.chaos.unavailable import UnavailableError
from tests.checker.report import table
from tests.conftest import ROOT

JARS = Path(os.environ.get("MONMOUTH_JARS") or ROOT / ".monmouth" / "jars")
APART_SECONDS = 2.0
TURNS = "both"
COURSES: dict[str, Course] = {"retention": run_retention}
"""What has a course of its own, not the one in which faults strike."""
PLANNED = (*FAULTS, *COURSES)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    faults = "\n".join(f"  {name:<18} {strike.__doc__}" for name, strike in (FAULTS | COURSES).items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", epilog=f"faults:\n{faults}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", default="all", metavar="NAME,...", help="which, or all; A+B, A*9: in turn on one stage")
    parser.add_argument(
        "--agents",
        default="",
        metavar="NAME,...",
        help="stream agents to aim at one by one, or all (default: all at once)",
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="runs of each row (default: 1)")
    parser.add_argument("--strikes", type=int, default=STRIKES, metavar="N", help="of a fault in one run (default: 2)")
    parser.add_argument(
        "--apart",
        type=float,
        default=APART_SECONDS,
        metavar="S",
        help=f"at most, from what was got over to the next strike (default: {APART_SECONDS:.0f})",
    )
    parser.add_argument(
        "--pause", type=float, metavar="S", help="a stopped process stands still (default: 9, one time in four 60)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next ones count up")
    parser.add_argument("--brokers", type=int, default=3, metavar="N", help="nodes of the cluster (default: 3)")
    parser.add_argument("--node", choices=(*NODES, TURNS), default=TURNS, help=f"the chain's node (default: {TURNS}, in turns)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all histories and logs here")
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="add results to this file, and run only what it does not hold yet"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/guarantees.md holds it")
    said = parser.parse_args(argv)
    said.faults = list(PLANNED) if said.faults == "all" else said.faults.split(",")
    said.agents = list(AGENTS) if said.agents == "all" else [name for name in said.agents.split(",") if name]
    if said.strikes < 1 or said.runs < 1:
        parser.error("--strikes and --runs are at least 1")
    if unknown := [name for name in said.faults if name not in COURSES and not known(name)]:
        parser.error(f"no fault is called {', '.join(unknown)}")
    if unknown := [name for name in said.agents if name not in AGENTS]:
        parser.error(f"no stream agent is called {', '.join(unknown)}")
    return said


def known(fault: str) -> bool:
    """Whether all that ``fault`` stands for is a fault."""
    try:
        return set(strikes_of(fault)) <= set(FAULTS) and bool(strikes_of(fault))
    except ValueError:
        return False


def spread(fault: str, strikes: int, runs: int) -> tuple[str, int]:
    """So many strikes or more, as a run's name and the number of runs: fewer on a stage where more are no use."""
    if fault not in FAULTS and fault not in COURSES:
        return fault, runs  # it says itself what strikes how often
    each = 1 if fault in COURSES else min(strikes, MOST.get(fault, strikes))
    name = fault if fault in COURSES or each == STRIKES else f"{fault}*{each}"
    return name, ceil(strikes * runs / each)


def rows(faults: Sequence[str], agents: Sequence[str]) -> Iterator[Row]:
    """What is run: each fault against each stream agent it can be aimed at; once against everything if it cannot."""
    for fault in faults:
        if fault in COURSES:
            yield from [(fault, agent) for agent in agents] or [(fault, None)]
            continue
        aims = [agent for agent in agents if all(agent in AIMS.get(name, ()) for name in strikes_of(fault))]
        yield from [(fault, agent) for agent in aims]
        if not aims and not (agents and set(strikes_of(fault)) <= AIMS.keys()):
            yield fault, None


def tell(outcome: Outcome) -> Iterator[str]:
    """What is worth saying of one run."""
    verdict = "good" if outcome.good else "NOT GOOD"
    aim = f" at {outcome.target}" if outcome.target else ""
    yield f"{outcome.fault}{aim} seed {outcome.seed}: {verdict}, history {outcome.history}"
    yield f"  {outcome.blocks} blocks, {outcome.answers} answers of the gateway, {outcome.refusals} questions without one"
    for name, code in outcome.deaths:
        yield f"  {name} ended by itself with exit code {code} and was started again"
    for line in outcome.crashes:
        yield f"  crashed: {line}"
    for line in outcome.stuck:
        yield f"  stuck: {line}"
    if outcome.report is not None and not outcome.good:
        yield table(outcome.report)


async def play(said: argparse.Namespace, folder: Path, results: Results) -> dict[Row, list[Result]]:
    """Runs what has no result yet. What fills the brokers' disk has brokers of its own, on one that is soon full."""
    runs = dict(spread(fault, said.strikes, said.runs) for fault in said.faults)
    planned = list(rows(list(runs), said.agents))
    seeds = {row: range(said.seed, said.seed + runs[row[0]]) for row in planned}
    missing = [row for row in planned if any((*row, seed) not in results for seed in seeds[row])]
    for disk in sorted({disk_of(fault) for fault, _ in missing}):
        async with brokers(folder / f"kafka-{disk}", JARS, said.brokers, disk) as cluster:
            for row in missing:
                if disk_of(row[0]) == disk:
                    await repeat(said, folder, cluster, row, seeds[row], results)
    return {row: found for row in planned if (found := results.of(row))}


def node_of(said: str, seed: int) -> str:
    """Of one run."""
    return list(NODES)[seed % len(NODES)] if said == TURNS else said


@cache
def commit() -> str:
    """What the tree holds that is run; a ``+`` behind it where that is not committed."""
    try:
        named = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return named.stdout.strip() + ("+" if changed.stdout.strip() else "")


def disk_of(fault: str) -> int:
    """Bytes of the brokers' own disk that a row needs."""
    return 0 if fault in COURSES else needs_of(fault).brokers_disk


async def repeat(
    said: argparse.Namespace, folder: Path, cluster: Brokers, row: Row, seeds: Sequence[int], results: Results
) -> None:
    """All runs of a row that have no result; none where this machine cannot do what it needs."""
    fault, target = row
    for seed in seeds:
        if (*row, seed) in results:
            continue
        place = folder / f"{fault}-{target or 'all'}-{seed}"
        try:
            outcome = await COURSES.get(fault, run)(
                cluster, NODES[node_of(said.node, seed)], place, fault, seed, said.apart, target, said.pause
            )
        except UnavailableError as error:
            print(f"{fault}: left out: {error}", flush=True)
            break
        print("\n".join(tell(outcome)), flush=True)
        results.add(Result.of(outcome, commit()))
        if outcome.good and said.keep is None:
            await asyncio.to_thread(shutil.rmtree, place)


def main(argv: Sequence[str]) -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says a lot about a broker that was killed on purpose
    said = arguments(argv)
    folder = said.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = asyncio.run(play(said, folder, Results(said.resume)))
    shown = [figures(row, results) for row, results in found.items()]
    print("\n" + "\n".join(markdown(shown) if said.markdown else text(shown)))
    if commits := sorted({result.commit for results in found.values() for result in results}):
        print(f"\ncommits: {', '.join(commits)}")
    good = all(result.good for results in found.values() for result in results)
    if good and said.keep is None:
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

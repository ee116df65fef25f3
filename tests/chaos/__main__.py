"""``python -m tests.chaos --faults kill-worker,... --runs N --seconds S``: runs, a table, exit code 1 if anything was wrong."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos.brokers import brokers
from tests.chaos.faults import FAULTS
from tests.chaos.node import NODES
from tests.chaos.run import Outcome, run
from tests.checker.measures import percentile
from tests.checker.report import seconds, table

ROOT = Path(__file__).resolve().parents[2]
LOST = ("lost write", "lost row", "commit hole", "poll skip")
DOUBLED = ("duplicate", "doubled row", "commit back", "non-monotonic poll")
STALE = ("stale row", "aborted read")
JARS = Path(os.environ.get("MONMOUTH_JARS") or ROOT / ".monmouth" / "jars")


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    faults = "\n".join(f"  {name:<18} {strike.__doc__}" for name, strike in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", epilog=f"faults:\n{faults}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", default="all", metavar="NAME,...", help="which, or all")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="runs of each fault (default: 1)")
    parser.add_argument("--seconds", type=float, default=30, metavar="S", help="of a live chain in each run (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next ones count up")
    parser.add_argument("--brokers", type=int, default=3, metavar="N", help="nodes of the cluster (default: 3)")
    parser.add_argument("--node", choices=NODES, default="dev", help="the chain's node (default: dev)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all histories and logs here")
    said = parser.parse_args(argv)
    said.faults = list(FAULTS) if said.faults == "all" else said.faults.split(",")
    if unknown := [name for name in said.faults if name not in FAULTS]:
        parser.error(f"no fault is called {', '.join(unknown)}")
    return said


def row(fault: str, outcomes: Sequence[Outcome]) -> str:
    """One line of the table."""
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    times = [time for report in reports for time in report.seconds]
    worst = [max(report.amplification.values()) for report in reports if report.amplification]

    def total(kinds: Sequence[str]) -> int:
        return sum(report.counts[kind] for report in reports for kind in kinds)

    other = sum(len(report.anomalies) for report in reports) - total(LOST) - total(DOUBLED) - total(STALE)
    faults = sum(len(report.recoveries) for report in reports)
    counts = f"{len(outcomes):>4} {sum(o.blocks for o in outcomes):>7} {total(LOST):>5} {total(DOUBLED):>8} {total(STALE):>6}"
    rest = f"{other:>6} {sum(bool(o.stuck) for o in outcomes):>6} {len(times):>5}/{faults:<4}"
    recovery = f"{seconds(percentile(times, 0.5)):>8} {seconds(percentile(times, 0.99)):>8}"
    return f"{fault:<17} {counts} {rest} {recovery} {max(worst, default=0):>6.2f}"


HEADING = (
    "fault             runs  blocks  lost  doubled  stale  other  stuck  recovered      p50      p99  amplification\n"
    + "-" * 104
)


def tell(outcome: Outcome) -> Iterator[str]:
    """What is worth saying of one run."""
    yield f"{outcome.fault} seed {outcome.seed}: {'good' if outcome.good else 'NOT GOOD'}, history {outcome.history}"
    for name, code in outcome.deaths:
        yield f"  {name} ended by itself with exit code {code} and was started again"
    for line in outcome.stuck:
        yield f"  stuck: {line}"
    if outcome.report is not None and not outcome.good:
        yield table(outcome.report)


async def play(said: argparse.Namespace, folder: Path) -> list[Outcome]:
    outcomes = []
    async with brokers(folder / "kafka", JARS, said.brokers) as cluster:
        for fault in said.faults:
            for seed in range(said.seed, said.seed + said.runs):
                place = folder / f"{fault}-{seed}"
                outcome = await run(cluster, NODES[said.node], place, fault, seed, said.seconds)
                print("\n".join(tell(outcome)), flush=True)
                outcomes.append(outcome)
                if outcome.good and said.keep is None:
                    await asyncio.to_thread(shutil.rmtree, place)
    return outcomes


def main(argv: Sequence[str]) -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says a lot about a broker that was killed on purpose
    said = arguments(argv)
    folder = said.keep or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = asyncio.run(play(said, folder))
    print("\n" + HEADING)
    for fault in said.faults:
        print(row(fault, [outcome for outcome in outcomes if outcome.fault == fault]))
    good = all(outcome.good for outcome in outcomes)
    if good and said.keep is None:
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

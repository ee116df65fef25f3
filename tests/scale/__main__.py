"""``python -m tests.scale [--records N] [--workers 6] [--brokers 3]``: a run at scale. Exit code 1 if anything was wrong.

python -m tests.scale --records 1000000             a tenth of it
python -m tests.scale --no-kills                    the same work in peace
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.broker.cluster import LocalCluster
from tests.scale.run import Plan, Report, Run

ROOT = Path(__file__).resolve().parents[2]
JARS = Path(os.environ.get("MONMOUTH_JARS") or ROOT / ".monmouth" / "jars")
PROPERTIES = {"log.cleaner.backoff.ms": "1000"}
CLASSES = ("lost write", "duplicate", "stale row", "order per key", "commit hole", "marker mismatch", "digest mismatch")


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000_000, help="events to write, over all partitions")
    parser.add_argument("--per-block", type=int, default=100, help="events of a block in one partition (default: 100)")
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-kills", dest="kills", action="store_false", help="let nothing die")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep data and logs here")
    return parser.parse_args(argv)


def show(report: Report) -> None:
    blocks, undone = (sum(getattr(verdict, name) for verdict in report.verdicts) for name in ("blocks", "undone"))
    entries = sum(verdict.entries for verdict in report.verdicts)
    print(f"\nevents {report.events:,}  entries {entries:,}  blocks in partitions {blocks:,}, of these undone {undone:,}")
    print(f"killed: {report.killed['worker']} workers, {report.killed['broker']} brokers")
    rate = report.events / report.seconds
    print(f"{report.seconds:.0f} s, {rate:,.0f} events/s of wall time; checked in {report.checking:.0f} s")
    if report.events:
        print(f"amplification: {report.folded / (report.events + blocks):.3f} records folded per distinct record, at least")
    counts = {kind: sum(finding.startswith(kind) for finding in report.findings) for kind in CLASSES}
    print("  ".join(f"{kind}: {count}" for kind, count in counts.items()))
    for finding in report.findings[:40]:
        print(f"  {finding}")
    print("good" if report.good else "NOT GOOD")


async def play(said: argparse.Namespace, folder: Path) -> Report:
    plan = Plan(said.records, said.per_block, said.partitions, said.workers, said.seed, said.kills)
    with LocalCluster(folder / "kafka", said.brokers, jars=JARS, properties=PROPERTIES) as cluster:
        return await Run(cluster, folder, plan, lambda line: print(line, flush=True)).play()


def main(argv: Sequence[str]) -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says a lot about brokers that were killed on purpose
    said = arguments(argv)
    folder = said.keep or Path(tempfile.mkdtemp(prefix="scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = asyncio.run(play(said, folder))
    show(report)
    if said.keep is None and report.good:
        shutil.rmtree(folder)
    elif not report.good:
        print(f"logs and data: {folder}")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

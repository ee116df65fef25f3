"""``python -m tests.slow_sink --minutes 60``: memory of a worker whose store is slow, over time.

Prints resident memory, records in hand and records that wait in the log as a table, and how fast memory grew (least squares
over the last two thirds). Then the store becomes quick, and everything must arrive exactly once. A second worker comes and
goes. Exit code 1 if memory was not flat.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from infra.broker import LocalBroker
from tests.conftest import ROOT
from tests.slow_sink.run import Run
from tests.slow_sink.verdict import judge, rows
from tests.slow_sink.worker import IN_HAND


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.slow_sink", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--per-record", type=float, default=0.06, help="seconds of the store for one; partition 0: ten times")
    parser.add_argument("--rate", type=float, default=60.0, help="records written a second")
    said = parser.parse_args()
    jars = Path(os.environ.get("MONMOUTH_JARS") or ROOT / ".monmouth" / "jars")
    with tempfile.TemporaryDirectory() as folder:
        broker = LocalBroker(Path(folder) / "broker", jars=jars, record_startup=False)
        broker.start()
        try:
            run = Run(broker.bootstrap, Path(folder), 60 * said.minutes, said.per_record, said.rate, say=print)
            report = asyncio.run(run.run())
        finally:
            broker.stop()
    print("\n".join(rows(report.samples)))
    verdict = judge(report.samples, report.changes)
    flat = verdict.flat(IN_HAND)
    most = verdict.most_in_hand
    print(
        f"\n{report.records:,} records, all there exactly once; up to {most:,} in hand at a time, allowed {IN_HAND}; "
        f"{verdict.most_at_changes:,} while a worker came or went, allowed less than {2 * IN_HAND}"
    )
    print(
        f"memory grew by {verdict.slope:+.1f} MiB an hour, {verdict.growth:+.1f} MiB in the time measured, "
        f"allowed {verdict.allowed:.1f}: {'flat' if flat else 'NOT FLAT'}"
    )
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.sim --seeds 1000 [--start N] [--jobs 2]``, ``--one SEED [--trace]``, ``--crash-points``,
``--model [N] [--part K/M] [--jobs 2]``.

Exit status 1 if a run failed.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.histories import SHORTS
from tests.sim.parameters import Parameters
from tests.sim.run import crash_points, run_seed, run_seeds, run_world
from tests.sim.scope import visit
from tests.sim.world import Result

TELL_EVERY = 10.0
"""Seconds."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description="The pipeline in a simulated world.")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in")
    parser.add_argument("--one", type=int, help="run this seed alone")
    parser.add_argument("--trace", action="store_true", help="with --one: print every event")
    parser.add_argument("--crash-points", action="store_true", help="crash at every point of I/O of short runs, one by one")
    parser.add_argument(
        "--model",
        type=int,
        nargs="?",
        const=0,
        metavar="N",
        help="the small-scope model: all histories, or N of them",
    )
    parser.add_argument("--part", default="1/1", metavar="K/M", help="with --model: the K-th of M equal parts of them")
    return parser.parse_args()


def _told(name: str, result: Result) -> None:
    print(f"{name}: {len(result.failures)} failures", flush=True)
    for failure in result.failures:
        print(f"    {failure}", flush=True)


def _one(seed: int, trace: bool) -> int:
    result = run_seed(seed, trace=trace)
    for event in result.events:
        print(event)
    print(f"parameters: {Parameters.drawn(seed)}")
    print(
        f"seed {seed}: {result.points} points of I/O, {result.crashes} crashes there, {result.notifications} notifications, "
        f"{result.undone} blocks undone, {result.seconds:.0f} s, events {result.digest[:16]}"
    )
    _told(f"seed {seed}", result)
    return len(result.failures)


def _range(start: int, count: int, jobs: int) -> int:
    began, failed, total = time.monotonic(), 0, Result()
    said = began
    for done, (seed, result) in enumerate(run_seeds(range(start, start + count), jobs), 1):
        total.points += result.points
        total.crashes += result.crashes
        total.undone += result.undone
        total.seconds += result.seconds
        total.cpu += result.cpu
        if result.failures:
            failed += 1
            _told(f"seed {seed} ({Parameters.drawn(seed)})", result)
        if (now := time.monotonic()) - said > TELL_EVERY:
            said, left = now, (now - began) / done * (count - done)
            print(f"{done:,} of {count:,} seeds, {failed} failed, {left:,.0f} s left", file=sys.stderr, flush=True)
    rate = count / (time.monotonic() - began)
    print(
        f"{count} seeds, {failed} failed; {rate:.1f} seeds/s in {jobs} processes; {total.seconds / 3600:.1f} simulated hours "
        f"in {total.cpu:.0f} s of processor time,"
    )
    print(f"    {total.points} points of I/O, {total.crashes} crashes at one, {total.undone} blocks undone")
    return failed


def _points() -> int:
    total = 0
    for name, (seed, parameters) in SHORTS.items():
        began, failed, count = time.monotonic(), 0, 0
        calm = run_world(seed, parameters)
        if calm.failures:
            _told(f"{name}, without a crash", calm)
            failed += 1
        for point, result in crash_points(seed, parameters):
            count += 1
            if result.failures:
                failed += 1
                _told(f"{name}, crash at point {point}", result)
        total += failed
        print(f"{name}: {count} crash points, {failed} failed; {count / (time.monotonic() - began):.1f} runs/s", flush=True)
    return total


def main() -> int:
    options = _options()
    if options.model is not None:
        return visit(options.model, options.part, options.jobs)
    if options.crash_points:
        return _points()
    return _one(options.one, options.trace) if options.one is not None else _range(options.start, options.seeds, options.jobs)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)

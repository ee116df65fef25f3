"""``python -m tests.sim --seeds 1000 [--start N] [--jobs 2]``, ``--one SEED [--trace]``, ``--crash-points``,
``--model [N] [--part K/M] [--jobs 2]``.

Exit status 1 if a run failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

from streams.core.checkpoint import SlotPolicy
from tests.sim.histories import SHORTS
from tests.sim.model import SCOPE, Broken, Reduced, histories
from tests.sim.parameters import Parameters
from tests.sim.run import crash_points, run_seed, run_seeds, run_world
from tests.sim.world import Result


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
    for seed, result in run_seeds(range(start, start + count), jobs):
        total.points += result.points
        total.crashes += result.crashes
        total.undone += result.undone
        total.seconds += result.seconds
        total.cpu += result.cpu
        if result.failures:
            failed += 1
            _told(f"seed {seed} ({Parameters.drawn(seed)})", result)
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


def _model(count: int, part: str, jobs: int) -> int:
    """Histories of the whole scope, all of them or so many spread evenly; of these every M-th from the K-th on."""
    began, scope = time.monotonic(), list(histories(*SCOPE))
    numbers = range(0, len(scope), max(1, len(scope) // count) if count else 1)
    todo = [(number, shared) for number in numbers for shared in (False, True)]
    first, step = map(int, part.split("/"))
    todo = todo[first - 1 :: step]
    total, failed = 0, 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done, ((number, shared), states) in enumerate(zip(todo, pool.map(_explored, todo), strict=True), 1):
            if isinstance(states, str):
                failed += 1
                print(f"history {number}, {'one disk' if shared else 'two disks'}: {states}", flush=True)
                continue
            total += states
            if done % 50 == 0 or done == len(todo):
                seconds = time.monotonic() - began
                print(f"{done} of {len(todo)} models, {total} states, {failed} failed, {seconds:.0f} s", flush=True)
    return failed


def _explored(one: tuple[int, bool]) -> int | str:
    number, shared = one
    history = next(islice(histories(*SCOPE), number, None))
    try:
        return Reduced(history, SlotPolicy(window=1, blocks=2, seconds=24), shared=shared).explore()
    except Broken as error:
        return str(error)


def main() -> int:
    options = _options()
    if options.model is not None:
        return _model(options.model, options.part, options.jobs)
    if options.crash_points:
        return _points()
    return _one(options.one, options.trace) if options.one is not None else _range(options.start, options.seeds, options.jobs)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)

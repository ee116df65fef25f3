"""The run in several processes: each is a gateway of its own with a share of every agent's tasks, on the same stores."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.isolation.run import Findings, Share, run

TELL_EVERY = 10.0
REST_SECONDS = 3_600.0
"""What one part may end before the others."""
_done: Synchronized[int]
_resting: Barrier


def _begin(counter: Synchronized[int], resting: Barrier) -> None:
    global _done, _resting
    _done, _resting = counter, resting


def _count() -> None:
    with _done.get_lock():
        _done.value += 1


def _part(folder: Path, wanted: argparse.Namespace, number: int) -> Findings:
    share = Share(number, wanted.processes)
    return asyncio.run(
        run(
            folder,
            wanted.agents,
            wanted.tasks,
            wanted.operations,
            wanted.seed,
            share,
            _count,
            partial(_resting.wait, REST_SECONDS),
        )
    )


def together(wanted: argparse.Namespace) -> Findings:
    """All parts, in processes of their own, with their progress on stderr."""
    context, started = multiprocessing.get_context("spawn"), time.monotonic()
    counter: Synchronized[int] = context.Value("q", 0)
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(wanted.processes, context, _begin, (counter, context.Barrier(wanted.processes))) as pool,
    ):
        parts: set[Future[Findings]] = {pool.submit(_part, Path(folder), wanted, number) for number in range(wanted.processes)}
        while wait(parts, TELL_EVERY).not_done:
            _tell(counter.value, wanted.operations, time.monotonic() - started)
        return sum((part.result() for part in parts), Findings())


def _tell(done: int, wanted: int, seconds: float) -> None:
    left = f"{seconds * (wanted - done) / done:,.0f} s left" if 0 < done < wanted else "finishing"
    print(f"{done:,} of {wanted:,} operations, {done / seconds:,.0f}/s, {left}", file=sys.stderr, flush=True)

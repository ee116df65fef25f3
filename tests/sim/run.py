"""Runs of a seed, of a range of seeds, and of every crash point of one history."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.sim.parameters import Parameters
from tests.sim.world import Result, World

MEMORY_DISK = Path("/dev/shm")


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="sim-", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None)


def run_seed(seed: int, *, trace: bool = False, **fixed: Any) -> Result:
    """One run with the parameters of the seed, but for those in ``fixed``."""
    return run_world(seed, Parameters.drawn(seed, **fixed), trace=trace)


def run_world(seed: int, parameters: Parameters, **options: Any) -> Result:
    """One run with these parameters; ``options`` as of ``World``."""
    with _folder() as folder:
        return World(seed, parameters, Path(folder), **options).run()


def run_seeds(seeds: Iterable[int], jobs: int) -> Iterator[tuple[int, Result]]:
    """(seed, result) of each in turn, from ``jobs`` processes. Closing the iterator ends them."""
    todo = list(seeds)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from zip(todo, pool.map(run_seed, todo, chunksize=5), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def crash_points(seed: int, parameters: Parameters, *, every: int = 1) -> Iterator[tuple[int, Result]]:
    """The same history once for each point of I/O it has, with a crash of the process that was there: (point, result)."""
    points = run_world(seed, parameters).points
    for point in range(1, points + 1, every):
        yield point, run_world(seed, parameters, crash_at=point)

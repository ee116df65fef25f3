"""Visits the whole scope of the model, or parts of it, in several processes.

A module of its own because a process that is started anew imports what it runs by the module's name, which ``__main__`` is not.
"""

from __future__ import annotations

import gc
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

from streams.core.checkpoint import SlotPolicy
from tests.sim.model import SCOPE, Broken, Reduced, forget, histories


def visit(count: int, part: str, jobs: int) -> int:
    """Histories of the whole scope, all of them or so many spread evenly; of these every M-th from the K-th on."""
    began, scope = time.monotonic(), list(histories(*SCOPE))
    numbers = range(0, len(scope), max(1, len(scope) // count) if count else 1)
    todo = [(number, shared) for number in numbers for shared in (False, True)]
    first, step = map(int, part.split("/"))
    todo = todo[first - 1 :: step]
    total, failed = 0, 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done, ((number, shared), states) in enumerate(zip(todo, pool.map(explored, todo), strict=True), 1):
            if isinstance(states, str):
                failed += 1
                print(f"history {number}, {'one disk' if shared else 'two disks'}: {states}", flush=True)
                continue
            total += states
            if done % 50 == 0 or done == len(todo):
                seconds = time.monotonic() - began
                print(f"{done} of {len(todo)} models, {total} states, {failed} failed, {seconds:.0f} s", flush=True)
    return failed


def explored(one: tuple[int, bool]) -> int | str:
    gc.disable()  # states form no cycles, and there are very many
    forget()
    number, shared = one
    history = next(islice(histories(*SCOPE), number, None))
    try:
        return Reduced(history, SlotPolicy(window=1, blocks=2, seconds=24), shared=shared).explore()
    except Broken as error:
        return str(error)

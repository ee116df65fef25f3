"""Tells a cancellation that was asked for from one that leaks out of a client library.

aiokafka lets several tasks wait for one future, and cancels it when one of them gives up or a connection closes; the others
then see a CancelledError that nobody sent them. Passed on, it ends a task without a word, as if it had been told to stop.
Invariant: a task that was told to stop does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stray_cancellation_is_an_error() -> Iterator[None]:
    """Raises ConnectionAbortedError in place of a CancelledError for which nobody cancelled this task."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionAbortedError("the client gave up what was waited for") from error


async def end(*tasks: asyncio.Future[Any], every: float = 1.0) -> None:
    """Cancels tasks until they are done. Once is not enough: where the result of an inner wait comes at the same moment, Python
    3.11's ``wait_for`` gives that and drops the cancellation, and a task that loops goes on for ever.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=every)

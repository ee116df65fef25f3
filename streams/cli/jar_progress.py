"""A bar while jars are fetched, and nothing where all are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from infra.broker.jars import OnJar


@contextmanager
def jar_progress(console: Console, whose: str) -> Iterator[OnJar]:
    """What to call as they come; ``whose`` jars they are."""
    columns = (TextColumn(f"fetching {whose} jars"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    progress = Progress(*columns, console=console, transient=True)
    task = progress.add_task("", total=None)

    def on_jar(done: int, total: int, file: str) -> None:
        progress.start()
        progress.update(task, completed=done, total=total, description=file)

    try:
        yield on_jar
    finally:
        if progress.live.is_started:
            progress.stop()

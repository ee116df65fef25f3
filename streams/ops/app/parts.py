"""What the application is made of: each part declares its agents and tables. A new one is a function here and a topic
``ops.table.NAME`` in the topic map, which has the partitions of the topic that it folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from streams.ops.app.declared import OpsApp
from streams.ops.reports import Window
from streams.ops.series import SeriesFold
from streams.ops.windows import Limits


def series(ops: OpsApp) -> None:
    """Windows of every series in ops.metrics."""
    table = ops.table("series")
    settings = ops.settings.ops
    fold = SeriesFold(table, settings.max_processes, Limits(series=settings.max_series))

    def take(event: Any) -> Iterable[Window]:
        message = event.message
        return fold.take(message.partition, event.value, round(message.timestamp * 1000))

    async def revoked(*_: Any, **__: Any) -> None:
        fold.forget()

    ops.app.on_partitions_revoked.connect(revoked)

    @ops.app.agent(ops.metrics, name="series")
    async def _series(stream: Any) -> None:
        await ops.fold(stream, take)


PARTS: tuple[Callable[[OpsApp], None], ...] = (series,)

"""What the application is made of: each part declares its agents and tables. A new one is a function here and a topic
``ops.table.NAME`` in the topic map, which has the partitions of the topic that it folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from streams.ops.app.declared import OpsApp
from streams.ops.reports import Window
from streams.ops.series import SeriesFold
from streams.ops.slo.fold import SloFold
from streams.ops.slo.objectives import objectives_in_use
from streams.ops.windows import Limits


def series(ops: OpsApp) -> None:
    """Windows of every series in ops.metrics."""
    settings = ops.settings.ops
    _folded(
        ops, "series", SeriesFold(ops.table("series"), settings.max_processes, Limits(series=settings.max_series)), ops.windows
    )


def slo(ops: OpsApp) -> None:
    """Good and bad events of objectives, by the minute."""
    settings = ops.settings.ops
    fold = SloFold(ops.table("slo"), objectives_in_use(ops.settings), settings.max_processes)
    _folded(ops, "slo", fold, ops.slo)


class Fold(Protocol):
    """Of ops.metrics into a table."""

    def take(self, partition: int, value: bytes | None, broker_ms: int) -> Iterable[Window]:
        """Folds a record in; what is to be said. Does nothing when it comes again."""

    def forget(self) -> None:
        """Partitions went to another worker."""


def _folded(ops: OpsApp, name: str, fold: Fold, said: Any) -> None:
    def take(event: Any) -> Iterable[Window]:
        message = event.message
        return fold.take(message.partition, event.value, round(message.timestamp * 1000))

    async def revoked(*_: Any, **__: Any) -> None:
        fold.forget()

    ops.app.on_partitions_revoked.connect(revoked)

    @ops.app.agent(ops.metrics, name=name)
    async def _agent(stream: Any) -> None:
        await ops.fold(stream, take, said)


PARTS: tuple[Callable[[OpsApp], None], ...] = (series, slo)

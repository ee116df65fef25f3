"""A schema registry in memory: the table and the decisions of the real one, without a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streams.core.registry.decide import Decision
from streams.core.registry.table import Table


class FakeRegistry:
    """Folds what is decided at once."""

    def __init__(self) -> None:
        self.table = Table()

    async def fresh(self) -> Table:
        return self.table

    async def change(self, decide: Callable[[Table], Decision]) -> Any:
        decision = decide(self.table)
        for key, row in decision.rows:
            self.table.take(key, row)
        return decision.answer

"""The dashboard of one gateway: the whole state, its parts, and the history of a series.

Assumes it is asked by the event loop, which alone changes what it reads. Invariant: it answers from memory, whatever is away;
what it does not know is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from streams import __version__
from streams.core.canonical import CanonicalView
from streams.serving.addresses import to_hex
from streams.serving.faults import BadRequestError, NotFoundError
from streams.serving.ops import sections
from streams.serving.ops.board import Board
from streams.serving.ops.components import components, summary
from streams.serving.ops.pipeline import pipeline
from streams.serving.ops.series import SERIES
from streams.serving.root import Root
from streams.serving.wire import CacheState
from streams.serving.wire.dashboard import AgentsView, AlertList, ComponentList, DashboardState, RecentAgent, SeriesView

LONGEST = 12 * 3_600
_DURATION = re.compile(r"(\d{1,6})([smh]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600}


class Agents(Protocol):
    """Which agents there are."""

    @property
    def active(self) -> int:
        """With a live memory."""

    @property
    def known(self) -> int:
        """With a root."""

    @property
    def recent(self) -> Sequence[Root]:
        """Those whose root changed last, newest first."""


class Dashboard:
    """``complaint``: why reports do not arrive, empty while they do."""

    def __init__(
        self,
        board: Board,
        view: CanonicalView,
        agents: Agents,
        cache: Callable[[], CacheState],
        complaint: Callable[[], str],
        *,
        stores: Mapping[str, str] | None = None,
    ) -> None:
        """``stores``: components that memory_store and vector_store are."""
        self.board = board
        self._view = view
        self._agents = agents
        self._cache = cache
        self._complaint = complaint
        self._stores = stores

    def state(self) -> DashboardState:
        """Everything."""
        return self._state(sections.all_series(self.board))

    def moment(self) -> DashboardState:
        """Everything but the history of series."""
        return self._state([])

    def components(self) -> ComponentList:
        """All processes."""
        return sections.component_list(self.board, components(self.board))

    def alerts(self) -> AlertList:
        """What fires, and what did."""
        return sections.alert_list(self.board)

    def performance(self, metric: str, duration: str) -> SeriesView:
        """One series over ``duration``: seconds, or a number with s, m or h. Raises NotFoundError, BadRequestError."""
        if metric not in SERIES:
            raise NotFoundError(f"there is no series {metric[:80]!r}", f"There are: {', '.join(SERIES)}.")
        return sections.series(self.board, metric, seconds_of(duration))

    def _state(self, series: list[SeriesView]) -> DashboardState:
        board = self.board
        processes = components(board)
        health = summary(board, processes)
        slos = sections.slo(board)
        return DashboardState(
            at_ms=board.now_ms,
            version=__version__,
            reading=self._complaint(),
            health=health,
            metrics=sections.gateway_metrics(board, health, slos),
            performance=sections.performance_metrics(board),
            components=processes,
            pipeline=pipeline(board, processes, self._stores),
            chain=sections.chain(board, self._view),
            alerts=sections.alert_list(board),
            slo=slos,
            agents=self._agents_view(),
            cache=self._cache(),
            series=series,
        )

    def _agents_view(self) -> AgentsView:
        recent = [
            RecentAgent(agent=to_hex(root.agent), memories=root.count, block=None if root.block is None else root.block.number)
            for root in self._agents.recent
        ]
        return AgentsView(active=self._agents.active, known=self._agents.known, recent=recent)


def seconds_of(duration: str) -> int:
    """Raises BadRequestError."""
    found = _DURATION.fullmatch(duration)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST:
        raise BadRequestError(f"{duration[:40]!r} is no duration", "Give seconds, or a number with s, m or h: up to 12h.")
    return seconds

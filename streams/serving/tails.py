"""The gateway's own views of topics, each read by a tail of its own.

Invariant: they start and stop together, in one order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streams.core.canonical import ChainStep
from streams.serving.access import AccessTail
from streams.serving.chain import ChainTail
from streams.serving.erasures import ErasureTail
from streams.serving.graph.tail import EdgeTail
from streams.serving.progress import ProgressTail, Tip
from streams.serving.root_history import Bounds
from streams.serving.roots import RootTail
from streams.serving.sessions import SessionTail
from streams.serving.tail import TopicTail
from streams.settings import Settings
from streams.signing import Verifier

ROOTS_FILE = Path("gateway", "roots.history")


class Tails:
    """``stepped`` hears of every step of the chain and its time, ``moved`` of every commit of a stream agent."""

    def __init__(
        self, settings: Settings, verifier: Verifier, stepped: Callable[[ChainStep, int], None], moved: Callable[[Tip], None]
    ) -> None:
        kafka, patience = settings.kafka, settings.gateway.barrier_seconds
        self.chain = ChainTail(kafka, verifier, patience, stepped)
        gateway = settings.gateway
        bounds = Bounds(gateway.root_history, gateway.root_transitions, gateway.root_retention_blocks)
        self.roots = RootTail(kafka, patience, bounds, settings.state_dir / ROOTS_FILE)
        self.sessions = SessionTail(kafka, verifier, patience)
        self.edges = EdgeTail(kafka, settings.graph, patience, self._final)
        self.progress = ProgressTail(kafka, patience, moved)
        self.erasures = ErasureTail(kafka, patience)
        self.access = AccessTail(kafka, verifier, patience)
        self._all = (self.chain, self.roots, self.sessions, self.edges, self.progress, self.erasures, self.access)

    @property
    def topics(self) -> tuple[TopicTail, ...]:
        """What reads each topic."""
        return tuple(tail.tail for tail in self._all)

    def start(self) -> None:
        """Each begins to read; what asks one waits until it has caught up."""
        for tail in self._all:
            tail.start()

    async def stop(self) -> None:
        """Not to be started again."""
        for tail in self._all:
            await tail.stop()

    def _final(self) -> int | None:
        final = self.chain.view.final
        return final.number if final else None

"""Probes of the parts the gateway needs: each asks the real part for something, and says no if it does not get it.

Invariant: no probe answers from what it remembers, but for ``MAX_AGE`` seconds, so that a flood of health requests is no
load on the stores; a probe that does not answer within ``PROBE_SECONDS`` has failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

from streams.errors import MonmouthError
from streams.ports.stores import VectorStore
from streams.serving.chain import ChainReader
from streams.serving.degraded import DegradableVectors
from streams.serving.graph.tail import GraphSource
from streams.serving.vectors import QueryVectors
from streams.serving.wire import ProbedPart
from streams.store_probes import Probe
from streams.store_probes import vector_store_probe as of_the_store

PROBE_SECONDS = 2.0
GRAPH_SECONDS = 1.0
MAX_AGE = 1.0
LAG_TOLERATED = 1_000


def vector_store_probe(index: VectorStore, dimension: int) -> Probe:
    """Searches among the vectors of nobody. Where the gateway does without them now, that is no failure: it is looked whether
    the store answers again, for whoever has switched it off.
    """
    if not isinstance(index, DegradableVectors):
        return of_the_store(index, dimension)
    asked = of_the_store(index.whole, dimension)

    async def probe() -> str:
        why = index.off
        if not why:
            return await asked()
        index.answered(await _answers(asked))
        return f"not used, {why}: answers come without it"

    return probe


async def _answers(asked: Probe) -> bool:
    try:
        return not await asyncio.wait_for(asked(), PROBE_SECONDS / 2)
    except (TimeoutError, MonmouthError):
        return False


def embedder_probe(vectors: QueryVectors) -> Probe:
    """Embeds a text and looks at the vector."""

    async def probe() -> str:
        vector = await vectors.fresh(f"is the model awake at {time.monotonic_ns()}")  # never in any cache
        if vector.shape != (vectors.embedder.dimension,) or not np.isfinite(vector).all():
            raise MonmouthError("the model gave a vector of the wrong shape, or not of numbers")
        norm = float(np.linalg.norm(vector))
        return "" if abs(norm - 1) < 1e-3 else f"vectors have length {norm:.3f} instead of 1"

    return probe


def broker_probe(chain: ChainReader) -> Probe:
    """Asks the broker where chain.blocks ends."""

    async def probe() -> str:
        await chain.lag()
        return ""

    return probe


def chain_view_probe(chain: ChainReader) -> Probe:
    """Reads chain.blocks to its end."""

    async def probe() -> str:
        lag = await chain.lag()
        if lag > LAG_TOLERATED:
            raise MonmouthError(f"the chain view is {lag} offsets behind the log")
        await chain.barrier()
        return "" if chain.view.head is not None else "the log holds no block yet"

    return probe


def graph_probe(graph: GraphSource) -> Probe:
    """Reads graph.edges to its end. A gateway whose graph gives no answers is well but for the graph."""

    async def probe() -> str:
        try:
            await asyncio.wait_for(graph.barrier(), GRAPH_SECONDS)
        except TimeoutError:
            return f"the graph is more than {GRAPH_SECONDS:g} s behind the log"
        except MonmouthError as error:
            return f"the graph gives no answers: {error.message}"
        return ""

    return probe


def board_probe(broken: Callable[[], str]) -> Probe:
    """Whether what the dashboard shows goes on. A gateway whose dashboard stands still is well but for that."""

    async def probe() -> str:
        return broken()

    return probe


class Probes:
    """Runs all probes together. Concurrent callers share one run. ``names``: of the parts that are probed."""

    def __init__(self, probes: dict[str, Probe]) -> None:
        self._probes = probes
        self.names = tuple(probes)
        self._last: dict[str, ProbedPart] = {}
        self._ran_at = float("-inf")
        self._running = asyncio.Lock()

    async def components(self) -> dict[str, ProbedPart]:
        """The state of each part, at most MAX_AGE old."""
        async with self._running:
            if time.monotonic() - self._ran_at > MAX_AGE:
                results = await asyncio.gather(*(_run(probe) for probe in self._probes.values()))
                self._last = dict(zip(self._probes, results, strict=True))
                self._ran_at = time.monotonic()
            return dict(self._last)


def failures(components: dict[str, ProbedPart]) -> list[str]:
    """Why it is not ready; nothing if it is."""
    return [f"{name}: {component.message}" for name, component in components.items() if component.status == "failed"]


async def _run(probe: Probe) -> ProbedPart:
    started = time.monotonic()

    def component(status: str, message: str) -> ProbedPart:
        elapsed = round(1000 * (time.monotonic() - started), 3)
        return ProbedPart.model_validate({"status": status, "message": message, "milliseconds": elapsed})

    try:
        complaint = await asyncio.wait_for(probe(), PROBE_SECONDS)
    except TimeoutError:
        return component("failed", f"no answer within {PROBE_SECONDS:g} s")
    except MonmouthError as error:
        return component("failed", error.message)
    except Exception as error:  # a store may raise anything when it is closed under us; its text may name paths of ours
        return component("failed", type(error).__name__)
    return component("degraded" if complaint else "healthy", complaint)

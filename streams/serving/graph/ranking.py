"""A ranking with one more cue: memories that name an address close to one in the question get a small bonus.

Only a question that names an address costs anything more. The cue never filters, and a graph that cannot be read takes nothing
from an answer but the cue.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from streams.core.graph.related import bonus, named
from streams.errors import MonmouthError
from streams.retrieval.ranked import Question, Ranked, Ranking
from streams.serving.graph.reads import GraphReads

log = logging.getLogger(__name__)

BONUS = 0.05
"""Of a score for a neighbour of full weight: it orders what text finds alike, and lifts nothing over a clear match."""
MORE = 2
"""Times as many are ranked, so that a neighbour just below the cut can come in."""


def asks_graph(text: str | None) -> bool:
    """Whether the answer to this question depends on the graph, and so on what other agents do."""
    return text is not None and bool(named(text))


class GraphRanking:
    """A Ranking around another."""

    def __init__(self, inner: Ranking, graph: GraphReads) -> None:
        self._inner = inner
        self._graph = graph

    async def rank(self, question: Question) -> list[Ranked]:
        weights = await self._related(question)
        if not weights:
            return await self._inner.rank(question)
        found = await self._inner.rank(replace(question, wanted=MORE * question.wanted))
        order: list[Ranked] = []
        for one in found:
            gained = BONUS * bonus(weights, one.text)
            if gained:
                lifted = replace(one, score=one.score + gained)
                order.insert(_place(order, lifted.score), lifted)
            else:
                order.append(one)
        return order

    async def _related(self, question: Question) -> Mapping[bytes, float]:
        addresses = sorted(named(question.text))
        if not addresses:
            return {}
        try:
            return await self._graph.related(question.agent, addresses)
        except MonmouthError as error:
            log.warning("no cue from the graph: %s", error.message)
            return {}


def _place(order: list[Ranked], score: float) -> int:
    """Before the first that scores less; the order of the rest, which need not be that of their scores, stays."""
    return next((at for at, other in enumerate(order) if other.score < score), len(order))

"""The finder with its answers kept: the same answers, sooner.

Assumes that the caller's right to ask was checked before: a request names one agent, whose rows alone its answer holds; and
that requests which differ in ``when.clock`` alone are equal.
Invariant: what comes out is what the finder would answer at a moment between the call and the return, the point of the chain it
speaks of included; nothing is served that was not checked against stores and view after the view was brought up to date.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from streams.core.moment import Moment
from streams.serving import metrics as gateway_metrics
from streams.serving.cache import metrics
from streams.serving.cache.flights import Flights
from streams.serving.cache.freshness import Freshness, Stamp, Versions
from streams.serving.cache.levels import Limits, Question, TwoLevels
from streams.serving.context.request import ContextRequest
from streams.serving.reads import MemoryReads, present
from streams.serving.wire import AsOf, Context

TURNS = 3
"""Answers of others that a question waits for at most: where each is out of date when it comes, it is computed beside them."""


class Finder(Protocol):
    """Answers requests for context."""

    async def find(self, request: ContextRequest) -> Context:
        """The answer. Raises UnavailableError, StoreError."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it is sent. ``cached``: it was computed earlier."""

    body: bytes
    cached: bool


class CachedFinder:
    """A Finder on another one. ``limits`` None: nothing is kept."""

    def __init__(
        self,
        finder: Finder,
        reads: MemoryReads,
        freshness: Freshness,
        limits: Limits | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        elsewhere: Callable[[ContextRequest], bool] = lambda _: False,
    ) -> None:
        """``elsewhere``: whether the answer depends on more than ``freshness`` knows of; it is not kept then."""
        self._finder = finder
        self._reads = reads
        self._freshness = freshness
        self._elsewhere = elsewhere
        self._flights = Flights()
        self.cache: TwoLevels[Stamp] | None = None if limits is None else TwoLevels(limits, clock, metrics.observe)
        if self.cache is not None:
            metrics.follow(self.cache)

    async def find(self, request: ContextRequest) -> Context:
        """The answer. Raises what the finder behind raises."""
        return Context.model_validate_json((await self.answer(request)).body)

    async def answer(self, request: ContextRequest) -> Answered:
        """The answer in JSON. Raises what the finder behind raises."""
        if self.cache is None:
            return Answered(_whole(await self._finder.find(request)), cached=False)
        if self._elsewhere(request):
            metrics.UNKEPT.labels("elsewhere").inc()
            return Answered(_whole(await self._finder.find(request)), cached=False)
        when = request.when or present()
        request = replace(request, when=when)
        started = time.monotonic()
        await self._reads.chain.barrier()
        question = Question(request.agent, request)
        versions = await self._alone(question)
        if versions is None:
            metrics.UNKEPT.labels("unknown").inc()
            return Answered(_whole(await self._finder.find(request)), cached=False)
        # No wait between the look at the view and the answer: what it says now is what the answer holds.
        body = self.cache.look_up(question, lambda stamp: self._freshness.fresh(stamp, versions, when.clock))
        if body is not None:
            gateway_metrics.RAG_QUERIES.inc()
            gateway_metrics.QUERY_LATENCY.observe(1000 * (time.monotonic() - started))
            return Answered(_joined(body, self._reads.as_of(when)), cached=True)
        with self._flights.led(question):
            return await self._computed(self.cache, question, request, versions, when)

    async def _alone(self, question: Question) -> Versions | None:
        """What the stores hold of the agent now, once nobody is computing this answer, or after TURNS have. None: unknown."""
        for _ in range(TURNS):
            versions = await self._freshness.versions(question.agent)
            if versions is None or question not in self._flights:
                return versions
            metrics.SHARED.inc()
            await self._flights.landing(question)
        return await self._freshness.versions(question.agent)

    async def _computed(
        self, cache: TwoLevels[Stamp], question: Question, request: ContextRequest, versions: Versions, when: Moment
    ) -> Answered:
        before, ticket = self._freshness.moment(versions, when.clock), cache.ticket()
        found = await self._finder.find(request)
        body = _timeless(found)
        stamp = await self._freshness.stamp(request.agent, before)
        if stamp is None:
            metrics.UNKEPT.labels("moved").inc()
        else:
            cache.put(question, stamp, body, ticket)
        return Answered(_joined(body, found.as_of), cached=False)

    def purge(self, agent: bytes) -> int:
        """Forgets all answers about the agent; how many there were."""
        return 0 if self.cache is None else self.cache.purge(agent)

    def tend(self) -> None:
        """What is due now and then: expired answers leave, the most frequent questions are counted out."""
        if self.cache is not None:
            self.cache.sweep()
            metrics.show_top(self.cache)


def _timeless(context: Context) -> bytes:
    """All but the point of the chain."""
    return context.model_dump_json(exclude={"as_of"}).encode()


def _joined(body: bytes, as_of: AsOf) -> bytes:
    return b'%b,"as_of":%b}' % (body[:-1], as_of.model_dump_json().encode())


def _whole(context: Context) -> bytes:
    return _joined(_timeless(context), context.as_of)

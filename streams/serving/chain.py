"""The gateway's view of the chain: chain.blocks, verified and folded.

Invariant: a notification enters the view only if its signature holds and it follows the one before it; one that does not
ends the tail, and with it every answer, until a person has looked. Where the log ends in records of a newer version, which may
undo what the view holds, there is no answer either.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from schemas.codec import SchemaError, UnknownSchemaError, codec
from streams.core.block import Step
from streams.core.canonical import BrokenChainError, CanonicalView, ChainStep
from streams.errors import LogIntegrityError, OutdatedError
from streams.serving import metrics
from streams.serving.faults import UnavailableError
from streams.serving.tail import TopicTail
from streams.settings import GATEWAY, KafkaSettings
from streams.signing import Verifier
from streams.topics import BLOCKS
from streams.tracing import BlockSpans, current, parent_of

log = logging.getLogger(__name__)

INLINE = 16  # records; a longer batch is verified on a thread


class ChainReader(Protocol):
    """What the rest of the gateway needs of the chain."""

    view: CanonicalView

    async def barrier(self) -> None:
        """Returns when the view holds all that was in the log at the call. Raises UnavailableError at the deadline."""

    async def lag(self) -> int:
        """Offsets the view is behind the log."""


class ChainTail:
    """A ChainReader on Kafka."""

    def __init__(
        self,
        settings: KafkaSettings,
        verifier: Verifier,
        timeout: float,
        told: Callable[[ChainStep, int], None] | None = None,
    ) -> None:
        """``timeout``: seconds a barrier may take. ``told``: of each step, and when the broker took it, in milliseconds."""
        self.view = CanonicalView()
        self.tail = TopicTail(settings, BLOCKS, self._fold)
        self._verifier = verifier
        self._newer: OutdatedError | None = None
        self._timeout = timeout
        self._told = told
        self._recent: deque[tuple[float, int]] = deque(maxlen=100_000)
        metrics.THROUGHPUT.set_function(self._throughput)

    def start(self) -> None:
        """Begins to follow the log."""
        self.tail.start()

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()

    async def barrier(self) -> None:
        await self.tail.barrier(self._timeout)
        if self._newer is not None:
            raise UnavailableError(self._newer.message, self._newer.hint)

    async def lag(self) -> int:
        lag = await self.tail.lag()
        metrics.VIEW_LAG.set(lag)
        return lag

    async def _fold(self, records: Sequence[Any]) -> None:
        tracing = current()
        if tracing is None:
            await self._taken(records)
            return
        blocks = []
        for record in records:
            if (parent := parent_of(record)) is not None:
                with suppress(SchemaError):
                    said = codec().decode(record.value)[1]["block"]
                    blocks.append((said["hash"], said["number"], parent))
        spans = BlockSpans(tracing, GATEWAY, blocks)
        try:
            await self._taken(records)
        except BaseException as error:
            spans.end(error)
            raise
        spans.end()

    async def _taken(self, records: Sequence[Any]) -> None:
        if len(records) <= INLINE:
            steps = self._checked(records)
        else:
            steps = await asyncio.to_thread(self._checked, records)
        if self.view.sequence is None and self.tail.beginnings.get(0, 0) > 0:
            self.view.first = None
        for step, at_ms in steps:
            try:
                self.view.apply(step)
            except BrokenChainError as error:
                raise LogIntegrityError(
                    f"{self.tail.topic}: {error}", "The log was cut or altered, or two producers wrote to it."
                ) from None
            self._measure(step)
            if self._told is not None:
                self._told(step, at_ms)

    def _checked(self, records: Sequence[Any]) -> list[tuple[ChainStep, int]]:
        steps = []
        for record in records:
            try:
                name, value = codec().decode(record.value)
                if name != "BlockNotification":
                    raise SchemaError(f"a {name} does not belong here")
            except SchemaError as error:
                # Not a statement about the chain at all; if it overwrote one, the gap in the sequence stops the view.
                log.warning("%s, offset %d: %s", self.tail.topic, record.offset, error)
                metrics.GARBAGE.labels(BLOCKS).inc()
                if isinstance(error, UnknownSchemaError):
                    self._newer = OutdatedError(f"{self.tail.topic}, offset {record.offset}", str(error))
                continue
            self._verifier.verify(name, value, record.value)
            self._newer = None  # garbage, then: the log goes on in the version that is known
            steps.append((ChainStep.of(value), record.timestamp))
        return steps

    def _measure(self, step: ChainStep) -> None:
        view = self.view
        metrics.HEAD.set(step.head.number)
        if view.final is not None:
            metrics.FINAL.set(view.final.number)
        if step.step is Step.NEW:
            metrics.TRANSACTIONS.inc(step.transactions)
            if step.transactions and not self.tail.complaint:  # history read at the start is not throughput
                self._recent.append((time.monotonic(), step.transactions))
        elif step.step is Step.UNDO:
            metrics.REORGS.inc()
            metrics.REORG_DEPTH.set(len(step.removed))
        metrics.UNDONE.set(view.undone)
        metrics.UNDONE_FORGOTTEN.set(view.forgotten)

    def _throughput(self) -> float:
        since = time.monotonic() - 1.0
        return float(sum(count for at, count in list(self._recent) if at >= since))

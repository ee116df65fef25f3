"""Builds local state and stores of one stream agent anew from the log, or from an archive in front of it, while it is stopped.

It is what a worker does that finds no local state; here it is done ahead, with an archive where the log has lost its beginning.
Invariants: nothing is committed and nothing is written to topics that others read; the state comes to stand exactly at the
committed position, and its digest is the committed one, or the command says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from streams.core.checkpoint import TIP
from streams.core.position import stand
from streams.errors import Category, MonmouthError, Severity
from streams.ports.log import TopicPartition
from streams.runtime.catchup import nobody_else
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.early import EarlyWrites
from streams.runtime.job import Job
from streams.runtime.occupancy import OccupiedError, check_no_owner
from streams.runtime.recovery import Manner, Recovery
from streams.runtime.state import StateStore, state_path

Committed = Callable[[str, int], Awaitable[Mapping[str, int | None]]]
"""Offsets that a stream agent has committed in a partition, by input topic."""


class RebuildError(MonmouthError):
    """State that cannot be built anew, or not now."""

    category = Category.PROCESSING
    severity = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``offsets``: where it stands. ``agrees``: whether its digest is the committed one; None if there is none to compare."""

    partition: int
    offsets: Mapping[str, int]
    block: int | None
    agrees: bool | None


async def rebuild(job: Job, committed: Committed, partition: int) -> Rebuilt:
    """Forgets what is here of one partition and builds it. The job's client may have an archive in front of the log.

    Raises RebuildError if a worker uses the state, PositionLostError if log and archive do not hold all of it.
    """
    if not job.spec.keeps_state:
        raise RebuildError(f"{job.name} keeps no state", "To have its outputs done again: monmouth replay.")
    path = state_path(job.state_dir, job.name, partition)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        check_no_owner(path)
    except OccupiedError:
        raise RebuildError(f"{job.name}/{partition} is in use", "Stop the workers of this state folder first.") from None
    producer = job.client.producer(job.name, partition)  # so that no other owner is at work, and writes to stores take turns
    reader = job.client.reader()
    store = None
    try:
        await producer.start()
        store = StateStore(path)
        checkpoints = await read_checkpoints(reader, job.name, partition)
        sources = [TopicPartition(topic, partition) for topic in job.spec.inputs]
        bounds = {source.topic: bound for source, bound in (await reader.bounds(sources)).items()}
        goal = stand(job.marked, await committed(job.name, partition), bounds, checkpoints.get(TIP))
        early = None
        if job.factory.claim is not None:
            early = EarlyWrites(job, partition, producer, store, await job.factory.claim(partition))
            early.bind(checkpoints)
        announce = nobody_else if early is None else early.announce
        fresh, make = Manner(fresh=True), job.factory.make
        fold = await Recovery(job, partition, reader, goal, checkpoints, fresh, make, announce=announce).fold(store)
        if early is not None:
            await early.settle()
        tip = checkpoints.get(TIP)
        known = tip is not None and tip.at.state is not None and dict(tip.offsets) == goal.offsets
        agrees = fold.agent.state_digest() == tip.at.state if known and tip is not None else None
        return Rebuilt(partition, dict(fold.positions), fold.chain.head.number if fold.chain.head else None, agrees)
    finally:
        if store is not None:
            store.close()
        await reader.close()
        await producer.close()

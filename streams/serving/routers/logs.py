"""The logs of final lattice states: entries, and proofs that a log only ever grew."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from streams.serving.addresses import parse_root
from streams.serving.services import Served
from streams.serving.wire import ConsistencyView, EntryProofView, LogList, LogView

LARGEST = (1 << 63) - 1

router = APIRouter(prefix="/v1/logs", tags=["commitments"])

PartitionParam = Annotated[int, Path(ge=0, le=LARGEST, description="Partition of memory.log the states are of.")]
SizeParam = Annotated[int | None, Query(ge=1, le=LARGEST, description="Entries of the log to prove in; all, if not given.")]


@router.get("", operation_id="logs")
async def logs(served: Served) -> LogList:
    """Every partition's log of final lattice states (RFC 9162): size, root, newest entry."""
    return await served.logs.list()


@router.get("/{partition}", operation_id="log")
async def log(partition: PartitionParam, served: Served) -> LogView:
    """One partition's log. Keep size and root: a later consistency proof shows that nothing before was altered."""
    return await served.logs.log(partition)


@router.get("/{partition}/entries/{index}", operation_id="log_entry")
async def log_entry(
    partition: PartitionParam,
    index: Annotated[int, Path(ge=0, le=LARGEST, description="Number of the entry, from 0.")],
    served: Served,
    size: SizeParam = None,
) -> EntryProofView:
    """A final state, with the proof that it is that entry of the log of ``size`` entries."""
    return await served.logs.entry(partition, index, size)


@router.get("/{partition}/consistency", operation_id="log_consistency")
async def log_consistency(
    partition: PartitionParam,
    first: Annotated[int, Query(ge=1, le=LARGEST, description="Size of the log you know.")],
    served: Served,
    first_root: Annotated[str | None, Query(description="Its root as you know it; refused if the log never had it.")] = None,
    size: SizeParam = None,
) -> ConsistencyView:
    """Proof that the log of ``first`` entries is the beginning of the one of ``size``."""
    known = None if first_root is None else parse_root(first_root)
    return await served.logs.consistency(partition, first, size, known)

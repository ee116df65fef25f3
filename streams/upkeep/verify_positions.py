"""Compares where stream agents say they stand, and with what state, with their inputs; and rows of local state with the log.

Assumes both logs were read to their ends. Invariant: a checkpoint of a block that no longer stands is not looked at, since no
rewind reaches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams import topics
from streams.agents.memory_rows import MODULUS, digest_of
from streams.core.block import BlockRef
from streams.core.checkpoint import TIP, Checkpoint, is_boundary
from streams.ports.log import LogReader
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.state import state_path
from streams.upkeep.difference import Difference
from streams.upkeep.local import Local, lattice_presences, memory_presences, read_local
from streams.upkeep.standing import Key, Secrets, StandingLog
from streams.upkeep.transactions import TransactionLog


@dataclass(frozen=True, slots=True)
class Due:
    """What the checkpoints of a stream agent must say.

    ``head``, ``sequence``, ``offset``: of the last marker of ``marked``, and behind it. ``digest``: of the state now, and
    ``digests`` behind a block, by its hash; None and none where the log does not tell.
    """

    marked: str
    head: BlockRef | None
    sequence: int
    offset: int
    digest: bytes | None = None
    digests: Mapping[bytes, bytes] = field(default_factory=dict)


def due(standing: StandingLog, transactions: TransactionLog | None, secrets: Secrets | None) -> dict[str, Due]:
    """By stream agent."""
    log = topics.MEMORY_LOG, standing.head, standing.sequence, standing.settled
    lattice = standing.chain_checksum(secrets) if secrets is not None else None
    found = {"embedding": Due(*log), "lattice": Due(*log, lattice)}
    if transactions is not None:
        chain = topics.TRANSACTIONS, transactions.head, transactions.sequence, transactions.settled
        found |= {"intent": Due(*chain), "memory": Due(*chain, *_fact_digests(standing, transactions))}
        if (graph := transactions.graph) is not None:
            found["graph"] = Due(*chain, graph.digest, graph.digests)
    return found


def _fact_digests(standing: StandingLog, transactions: TransactionLog) -> tuple[bytes, Mapping[bytes, bytes]]:
    """Of the memory agent's state, now and behind each block whose digest was kept.

    It counts facts of erased agents that are in no log.
    """
    behind = standing.digests or {}
    if not transactions.facts:
        return standing.facts_digest(), behind
    passed_over, digests = 0, {}
    for block in standing.chain:
        unwritten = (fact for fact in transactions.facts.get(block.hash, ()) if not standing.holds(fact))
        passed_over += sum(map(digest_of, unwritten))
        if block.hash in behind:
            digests[block.hash] = _sum(behind[block.hash], passed_over)
    return _sum(standing.facts_digest(), passed_over), digests


def _sum(digest: bytes, more: int) -> bytes:
    return ((int.from_bytes(digest, "little") + more) % MODULUS).to_bytes(32, "little")


async def checkpoint_differences(
    reader: LogReader, name: str, partition: int, must: Due, skipped: list[str]
) -> tuple[Checkpoint | None, list[Difference]]:
    """The newest checkpoint of a stream agent, and what is wrong with any."""
    checkpoints = await read_checkpoints(reader, name, partition)
    where, tip = f"{name}/{partition}", checkpoints.get(TIP)
    if tip is None:
        skipped.append(f"{where} has no checkpoint")
    found = [] if tip is None else list(_of_tip(tip, must, f"checkpoint of {where}"))
    for slot, each in sorted(checkpoints.items()):
        digest = must.digests.get(each.at.block.hash)
        if each.live and is_boundary(slot) and None not in (digest, each.at.state) and each.at.state != digest:
            side, what = f"checkpoint {slot} of {where}", "the state digest is not that of the log"
            found.append(Difference(side, what, block=each.at.block.number))
    return tip, found


def _of_tip(tip: Checkpoint, must: Due, side: str) -> Iterator[Difference]:
    head, at, offset = must.head, tip.at, tip.offsets.get(must.marked)
    if head is not None and at.block != head:
        yield Difference(side, f"stands at block {at.block}, the log at {head}", block=head.number)
        return
    if at.sequence == must.sequence and offset != must.offset:
        what = f"stands at offset {offset} of {must.marked}, behind its last marker comes {must.offset}"
        yield Difference(side, what, block=at.block.number)
    if None not in (must.digest, at.state) and at.state != must.digest:
        yield Difference(side, "the state digest is not that of the log", block=at.block.number)


def read_settled(state_dir: Path, name: str, partition: int, tip: Checkpoint, skipped: list[str]) -> Local | None:
    """Local state, if it is here and stands where the stream agent does."""
    local = read_local(state_path(state_dir, name, partition))
    if local is None or local.tip is None or local.tip.offsets != tip.offsets:
        skipped.append(f"local state of {name}/{partition} is not here, or not at the committed position")
        return None
    return local


def presence_differences(local: Local, name: str, standing: StandingLog) -> Iterator[Difference]:
    """Rows of the memory agent's or the lattice agent's local state."""
    side = f"local state of {name}/{standing.partition}"
    presences = memory_presences(local) if name == "memory" else lattice_presences(local)
    wanted = {key: row.presence for key, row in standing.rows.items()}
    for key in sorted(wanted.keys() | presences.keys()):
        if key in wanted and key in presences and presences[key] != wanted[key]:
            yield Difference(side, "the facts of the row are not those of the log", *key, standing.rows[key].block)
        elif key not in presences and (name == "lattice" or not _is_erased(standing, key)):
            yield Difference(side, "the row is missing", *key, standing.rows[key].block)
        elif key not in wanted:
            yield Difference(side, "has a row too many", *key)


def _is_erased(standing: StandingLog, key: Key) -> bool:
    memory = standing.rows[key].memory
    return memory is not None and memory["sealed"] is not None

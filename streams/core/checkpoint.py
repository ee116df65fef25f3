"""Checkpoints: block boundaries a fold can be rewound to, in slots of a compacted topic.

Slots: ``tip`` says where the stream agent stands after its last transaction; ``redo`` counts owners that wrote to outside
stores before they were through with old work (``Redo``); a ring of four reorg windows, by block number, holds the blocks that
may still be undone; slots of history (``h...``) hold blocks at round numbers and at round times.
History is kept in levels: level n has the HISTORY newest boundaries whose index is an odd multiple of 2^n. So slots grow with
the logarithm of the chain's length, and the way from a block down to the nearest checkpoint is a fraction of its age.
Three kinds are no places to look blocks up, only positions to tell and to come back to, and are never freed: ``r.<0-9>`` after
an undo, ``e.<0-9>`` before work is taken back for a replay, ``m.<name>`` where an operator asked for one.
Assumes records are read newest last, all of one stream agent and partition.
Invariants:
  * what compaction leaves is enough to rebuild the live chain by walking parent links down from the tip; slots that a removed
    branch left behind are not reached by that walk and so are ignored;
  * the slots of a block follow from its number, its timestamp and its parent's timestamp alone, never from a clock, so a replay
    writes the same ones and an undo frees the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from streams.core.block import ZERO_HASH, BlockRef
from streams.core.chain import LiveBlock, LiveChain

TIP = "tip"
REDO = "redo"
HISTORY = 10
NAMED = "m."
REORG = "r."
EMERGENCY = "e."
KEPT = 10
"""Newest checkpoints kept of each kind that is written when something happens."""
NOWHERE = BlockRef(-1, ZERO_HASH, ZERO_HASH)
"""Stands for "no block yet" in the tip."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One slot. ``topic``: logical input that carries the markers; ``offsets``: next to read of each input then."""

    stream_agent: str
    partition: int
    slot: str
    topic: str
    at: LiveBlock
    offsets: Mapping[str, int]
    live: bool = True

    @property
    def key(self) -> bytes:
        """Record key."""
        return slot_key(self.stream_agent, self.partition, self.slot)

    def freed(self) -> Checkpoint:
        """The same slot, of a block that was undone."""
        return replace(self, live=False)

    def record(self) -> dict[str, Any]:
        """The Avro form."""
        return {
            "stream_agent": self.stream_agent,
            "partition": self.partition,
            "slot": self.slot,
            "sequence": self.at.sequence,
            "block": self.at.block.record(),
            "topic": self.topic,
            "start_offset": self.at.start,
            "marker_offset": self.at.marker,
            "offsets": dict(self.offsets),
            "count": self.at.count,
            "digest": self.at.digest,
            "state_digest": self.at.state,
            "live": self.live,
            "timestamp": self.at.time,
            "parent_timestamp": self.at.parent_time,
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Checkpoint:
        """The inverse of ``record``."""
        at = LiveBlock(
            block=BlockRef.of(record["block"]),
            sequence=record["sequence"],
            start=record["start_offset"],
            marker=record["marker_offset"],
            count=record["count"],
            digest=record["digest"],
            state=record["state_digest"],
            time=record["timestamp"],
            parent_time=record["parent_timestamp"],
        )
        return cls(
            record["stream_agent"], record["partition"], record["slot"], record["topic"], at, record["offsets"], record["live"]
        )


@dataclass(frozen=True, slots=True)
class Redo:
    """``count``: owners so far that wrote to outside stores early. ``unfinished``: the last one did not get through, yet."""

    count: int = 0
    unfinished: bool = False

    @classmethod
    def of(cls, checkpoints: Mapping[str, Checkpoint]) -> Redo:
        """What slots say, by slot."""
        said = checkpoints.get(REDO)
        return cls() if said is None else cls(said.at.sequence, said.at.count > 0)

    def checkpoint(self, stream_agent: str, partition: int, topic: str) -> Checkpoint:
        """The slot that says it. It is no block boundary, so it is never live."""
        at = LiveBlock(NOWHERE, self.count, -1, -1, int(self.unfinished), ZERO_HASH)
        return Checkpoint(stream_agent, partition, REDO, topic, at, {}, live=False)


class Trigger(StrEnum):
    """Why a checkpoint was written."""

    PERIODIC = "Periodic"
    STATE_TRANSITION = "StateTransition"
    REORG = "Reorg"
    MANUAL = "Manual"
    EMERGENCY = "Emergency"


def trigger_of(slot: str) -> Trigger:
    """By slot."""
    if slot.startswith("h"):
        return Trigger.PERIODIC
    named = {NAMED: Trigger.MANUAL, REORG: Trigger.REORG, EMERGENCY: Trigger.EMERGENCY}
    return named.get(slot[:2], Trigger.STATE_TRANSITION)


def is_boundary(slot: str) -> bool:
    """Whether the slot is of the ring or of history: freed when its block is undone, so that it says where the block lies."""
    return slot.isdigit() or slot.startswith("h")


def kept_slot(kind: str, sequence: int) -> str:
    """Slot of a checkpoint that is written when something happens, at this sequence."""
    return f"{kind}{max(0, sequence) % KEPT}"


def slot_key(stream_agent: str, partition: int, slot: str) -> bytes:
    """Key of a slot in the checkpoints topic; with an empty ``slot`` the prefix of all keys of a stream agent's partition."""
    return f"{stream_agent}/{partition}/{slot}".encode()


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """``window``: blocks below the tip with a dense checkpoint.

    ``blocks`` and ``seconds`` of block time: what lies between checkpoints of history; whichever boundary a block is the first
    behind, it is kept for.
    """

    window: int
    blocks: int
    seconds: int

    @property
    def ring(self) -> int:
        """Slots of the ring: four windows, so that reorgs inside reorgs do not overwrite what an undo needs."""
        return 4 * self.window

    def slots(self, at: LiveBlock, final: BlockRef | None) -> tuple[str, ...]:
        """Slots to write for a block where ``final`` is the finality line."""
        number = at.block.number
        dense = (str(number % self.ring),) if final is None or number > final.number else ()
        by_number = (history_slot("b", number // self.blocks),) if number % self.blocks == 0 else ()
        crossed = self._crossed(at)
        return dense + by_number + (() if crossed is None else (history_slot("t", crossed),))

    def _crossed(self, at: LiveBlock) -> int | None:
        """Index of the roundest boundary of time that the block is the first behind, if any."""
        if at.time is None:
            return None
        index = at.time // self.seconds
        if at.parent_time is None:  # the log begins here
            return index
        before = at.parent_time // self.seconds
        if index <= before:
            return None
        level = (before ^ index).bit_length() - 1
        return index >> level << level

    def chain(self, checkpoints: Mapping[str, Checkpoint]) -> LiveChain:
        """The live chain that slots hold: the walk from the tip down its parent links, as far as it leads."""
        tip = checkpoints.get(TIP)
        if tip is None or tip.at.block == NOWHERE:
            return LiveChain(self.ring)
        by_hash = {c.at.block.hash: c.at for c in checkpoints.values() if c.live and is_boundary(c.slot)}
        walked: list[LiveBlock] = []
        at = by_hash.get(tip.at.block.hash)
        while at is not None and len(walked) < self.ring and (not walked or at.sequence < walked[-1].sequence):
            walked.append(at)
            at = by_hash.get(at.block.parent)
        return LiveChain(self.ring, tip.at.block, reversed(walked), tip.at.time)


def history_slot(kind: str, index: int) -> str:
    """Slot of boundary ``index`` (from 0) among those of one kind."""
    level = (index & -index).bit_length() - 1 if index else 0
    return f"h{kind}{level}.{(index >> (level + 1)) % HISTORY}"


def history_before(checkpoints: Mapping[str, Checkpoint], number: int, offset: int) -> Checkpoint | None:
    """The newest live checkpoint kept for history whose block lies below height ``number``, and in the log before ``offset``.

    A fold that does old work again may hold checkpoints of blocks that were added, again, behind where it stands.
    """
    history = [c for c in checkpoints.values() if c.slot.startswith("h") and c.live]
    older = [c for c in history if c.at.block.number < number and c.at.marker < offset]
    return max(older, key=lambda c: c.at.block.number, default=None)

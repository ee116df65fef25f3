"""One follower's events: the entries of the log that concern an agent, and nothing of anybody else.

Invariants:
  * events come in log order, each with the cursor right after it, and an entry has the same events whoever asks and when: a
    filter of types hides events, but never counts them otherwise;
  * a content is read from the store when the event is sent, behind the chain view, so no event holds a memory that was
    forgotten, or undone, by then;
  * what lies in a session has no event but that it went, which names its id alone;
  * a follower holds one batch at most: one that reads slowly is held up by its connection, and when what comes next has left
    the lane it is told so (``overflow``) and ends, to resume from the log at its own pace.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.serving.addresses import to_hex
from streams.serving.faults import RateLimitedError, UnavailableError
from streams.serving.feed.cursor import Cursor
from streams.serving.feed.entries import Entry, FactEntry
from streams.serving.feed.log import FeedLog
from streams.serving.reads import MemoryReads
from streams.serving.wire import Block, Change, ChangeType, MemoryView

HAS_CONTENT = ("memory.stored", "memory.amended")


class OverflowedError(RateLimitedError):
    """A follower fell behind what is held for it."""

    error = "overflow"


@dataclass(frozen=True, slots=True)
class Told:
    """Events, and the place after them; no events after a quiet time."""

    changes: Sequence[Change]
    cursor: Cursor


async def follow(
    log: FeedLog, reads: MemoryReads, agent: bytes, cursor: Cursor, *, types: Collection[ChangeType], quiet: float
) -> AsyncGenerator[Told]:
    """Batches from ``cursor`` on, for ever; one after ``quiet`` seconds at the latest. Raises Refusal, MonmouthError."""
    live = log.is_live(cursor.partition, cursor.offset)
    while True:
        if live and not log.is_live(cursor.partition, cursor.offset):
            raise OverflowedError(
                "more changes came than this connection took", "Connect again with the last id: nothing is lost."
            )
        live = live or log.is_live(cursor.partition, cursor.offset)
        entries, position = await log.read(cursor.partition, cursor.offset, quiet)
        found: list[Change] = []
        for entry in entries:
            found += await _changes(log, agent, cursor, entry)
        wanted = [change for change in found if change.type in types]
        cursor = cursor if position == cursor.offset else Cursor(cursor.partition, position)
        yield Told(await _with_contents(reads, agent, wanted), cursor)


async def _changes(log: FeedLog, agent: bytes, cursor: Cursor, entry: Entry) -> list[Change]:
    body = entry.body
    if isinstance(body, FactEntry):
        made = [_fact(agent, body)] if body.owner == agent and not body.zone else []
    elif isinstance(body, Marker):
        made = await _marker(log, agent, cursor.partition, entry.offset, body)
    else:
        raise UnavailableError(body.reason, "A newer version wrote it: upgrade this gateway.")
    skipped = cursor.sent if entry.offset == cursor.offset else 0
    place = replace(cursor, offset=entry.offset)
    return [
        change.model_copy(update={"cursor": str(replace(place, sent=number))})
        for number, change in enumerate(made, 1)
        if number > skipped
    ]


async def _marker(log: FeedLog, agent: bytes, partition: int, offset: int, marker: Marker) -> list[Change]:
    name = to_hex(agent)
    if marker.step is Step.FINAL:
        return [Change(type="block.final", cursor="", agent=name, block=Block.of(marker.final or marker.block))]
    if marker.step is not Step.UNDO:
        return []
    taken = await log.undone_by(partition, offset, marker)
    undone = [
        Change(
            type="memory.undone",
            cursor="",
            agent=name,
            memory_id=to_hex(fact.memory_id),
            block=Block.of(fact.block),
            undone=fact.kind,
        )
        for fact in taken.get(agent, ())
    ]
    last = Change(
        type="block.undone",
        cursor="",
        agent=name,
        block=Block.of(marker.block),
        removed=[_block(ref) for ref in marker.removed],
        ancestor=Block.of(marker.ancestor),
    )
    return [*undone, last]


def _fact(agent: bytes, fact: FactEntry) -> Change:
    return Change(type=fact.kind, cursor="", agent=to_hex(agent), memory_id=to_hex(fact.memory_id), block=Block.of(fact.block))


def _block(ref: BlockRef) -> Block:
    block = Block.of(ref)
    assert block is not None
    return block


async def _with_contents(reads: MemoryReads, agent: bytes, changes: Sequence[Change]) -> list[Change]:
    ids = list(dict.fromkeys(change.memory_id for change in changes if change.type in HAS_CONTENT and change.memory_id))
    if not ids:
        return list(changes)
    await reads.chain.barrier()  # or the view might not know the block of a fact yet
    rows = await reads.rows(agent, [bytes.fromhex(memory_id[2:]) for memory_id in ids])
    views: Mapping[str, MemoryView] = {
        memory_id: MemoryView.of(memory)
        for memory_id, row in zip(ids, rows, strict=True)
        if (memory := reads.live(row)) is not None
    }
    return [
        change.model_copy(update={"memory": views.get(change.memory_id or "")}) if change.type in HAS_CONTENT else change
        for change in changes
    ]

"""The producer's own position, folded from the end of chain.blocks. No side file: the log is the only truth.

Assumes notifications in log order with nothing missing between them; they may start anywhere in history.
Invariant: the view returned is linked, ends at the tip the last notification names, and holds as many blocks as were read.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records import BlockNotification
from streams.core.block import BlockRef, Step, optional_ref
from streams.core.forkview import ForkView, check, linked
from streams.errors import LogIntegrityError


def replay(notifications: Iterable[BlockNotification]) -> tuple[ForkView, int]:
    """The view after the last notification, and the next sequence. Raises LogIntegrityError if they do not fit together."""
    blocks: list[BlockRef] = []
    final: BlockRef | None = None
    sequence = 0
    started = False
    for record in notifications:
        if started and record["sequence"] != sequence:
            raise _broken(f"notification {record['sequence']} follows {sequence - 1}")
        _fold(blocks, record)
        started, sequence, final = True, record["sequence"] + 1, optional_ref(record["final"])
    view = ForkView(tuple(blocks), final)
    try:
        check(view)
    except ValueError as error:
        raise _broken(str(error)) from None
    return view, sequence


def _fold(blocks: list[BlockRef], record: BlockNotification) -> None:
    head = BlockRef.of(record["head"])
    step = Step(record["step"])
    if step is Step.NEW:
        if blocks and not linked([blocks[-1], head]):
            raise _broken(f"block {head} does not follow {blocks[-1]}")
        blocks.append(head)
    elif step is Step.UNDO and blocks and head.number >= blocks[0].number:
        del blocks[head.number - blocks[0].number + 1 :]
    elif not blocks or step is Step.UNDO:  # history before what was read: start from the tip it names
        blocks[:] = [head]
    if blocks[-1].hash != head.hash:
        raise _broken(f"notification {record['sequence']} names {head} as tip, the ones before it lead to {blocks[-1]}")


def _broken(reason: str) -> LogIntegrityError:
    return LogIntegrityError(f"chain.blocks does not fit together: {reason}", "The topic was altered or cut; restore it.")

"""Blocks, and the notifications a producer would write about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from streams.core.block import BlockRef, Step
from streams.core.canonical import ChainStep
from tests.samples import HEADER


def block(number: int, fork: int, parent: bytes) -> BlockRef:
    """A block of branch ``fork``: the same arguments name the same block."""
    return BlockRef(number, blake3(b"%d/%d/" % (number, fork) + parent).digest(), parent)


def step_new(sequence: int, ref: BlockRef, final: BlockRef | None = None, transactions: int = 0, time: int = 0) -> ChainStep:
    return ChainStep(Step.NEW, sequence, ref, ref, final, transactions=transactions, timestamp=time)


def step_undo(sequence: int, removed: Sequence[BlockRef], ancestor: BlockRef) -> ChainStep:
    return ChainStep(Step.UNDO, sequence, removed[0], ancestor, removed=tuple(removed), ancestor=ancestor)


def step_final(sequence: int, final: BlockRef, head: BlockRef) -> ChainStep:
    return ChainStep(Step.FINAL, sequence, final, head, final)


def notification(step: ChainStep, chain_id: int = 1337) -> dict[str, Any]:
    """The record of a step, not signed yet."""
    header = {**HEADER, "parent_hash": step.block.parent, "number": step.block.number}
    return {
        "step": step.step.value,
        "chain_id": chain_id,
        "sequence": step.sequence,
        "block": step.block.record(),
        "head": step.head.record(),
        "final": step.final.record() if step.final else None,
        "header": header if step.step is Step.NEW else None,
        "removed": [ref.record() for ref in step.removed],
        "ancestor": step.ancestor.record() if step.ancestor else None,
        "transactions": step.transactions,
        "records": 0,
        "key_id": bytes(8),
        "signature": b"",
    }

"""Shapes of an agent's state: what it is, what it was, and how another place comes to hold the same."""

from __future__ import annotations

from streams.serving.wire.base import Answer, AsOf, Block
from streams.serving.wire.context import ItemProof
from streams.serving.wire.memories import MemoryView
from streams.serving.wire.proofs import LogEntry, RootView


class StateView(Answer):
    """An agent's memories as its published root commits to them. ``counts``: of all live memories, by type; ``items``: the
    newest of the types asked for; ``proofs``: of these, in the same order, if asked for.
    """

    agent: str
    root: RootView
    counts: dict[str, int]
    items: list[MemoryView]
    proofs: list[ItemProof] | None = None
    as_of: AsOf


class VerificationView(Answer):
    """Whether an agent's checksum or Merkle root was the one expected. ``root``: the one compared with.

    ``exact``: it is the only root there was while that block was the agent's newest, and no other was in force at the height
    asked about. If not, commands, which lie between blocks, changed it meanwhile, or a later root covers several blocks.
    """

    agent: str
    expected: str
    matches: bool
    exact: bool
    root: RootView


class TransitionsView(Answer):
    """How an agent's root changed. ``start``: the root in force at the beginning; ``changes``: after it, oldest first, without
    those of blocks that were undone; ``complete``: no published root between them was missed.
    """

    agent: str
    start: RootView
    changes: list[RootView]
    complete: bool


class SyncView(Answer):
    """One page of what a replica needs. ``live``: ids of all live memories, on the first page: what else it holds is gone.

    ``next``: cursor of the page behind this one. Pages with different roots do not belong together: begin anew.
    """

    agent: str
    root: RootView
    items: list[MemoryView]
    live: list[str] | None
    next: str | None
    as_of: AsOf


class StandingView(Answer):
    """Where a stream agent stands: next offset of each input, and the newest block taken in."""

    offsets: dict[str, int]
    block: Block | None


class CheckpointView(Answer):
    """The newest checkpoint of an agent's partition: where each stream agent stands, the agent's root, the last final state."""

    agent: str
    partition: int
    stream_agents: dict[str, StandingView]
    root: RootView | None
    final: LogEntry | None

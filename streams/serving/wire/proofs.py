"""Shapes of roots, proofs and logs of final states."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, RootModel

from streams.serving.wire.base import Answer, Block


class RootView(Answer):
    """An agent's commitment. ``count``: live memories; ``checksum``: BLAKE3 of the lattice state; ``block``: newest applied."""

    agent: str
    count: int
    checksum: str
    merkle_root: str
    block: Block | None


class ProofView(Answer):
    """That a memory is (``present``) or is not in the tree under ``root``.

    ``proof``: the self-contained document. ``opening``: the key under which the value in it commits to the memory, so that
    who holds the memory can check that it is this one; null for an absence. That the path of an absence belongs to
    ``memory_id`` is the gateway's word, since paths hang on the agent's secret.
    """

    agent: str
    memory_id: str
    present: bool
    root: RootView
    opening: str | None
    proof: dict[str, Any]


class DocumentView(RootModel[dict[str, Any]]):
    """A proof document by itself, as ``monmouth proof verify`` reads it."""

    model_config = ConfigDict(frozen=True)


class LogEntry(Answer):
    """Entry ``index`` of a partition's log: ``checksum`` of the lattice state when ``block`` became final."""

    partition: int
    index: int
    block: Block
    checksum: str


class LogView(Answer):
    """A partition's log of final lattice states."""

    partition: int
    size: int
    root: str
    newest: LogEntry


class LogList(Answer):
    """The logs of all partitions that have entries."""

    items: list[LogView]


class EntryProofView(Answer):
    """That ``entry`` lies in the log of ``size`` entries and ``root``; ``proof``: the self-contained document."""

    entry: LogEntry
    size: int
    root: str
    proof: dict[str, Any]


class ConsistencyView(Answer):
    """That the log of ``first`` entries and ``first_root`` is the beginning of the one of ``size`` and ``root``."""

    partition: int
    first: int
    first_root: str
    size: int
    root: str
    proof: dict[str, Any]

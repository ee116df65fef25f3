"""Hypothesis strategies for chain histories."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.chainlog import ChainLog


@dataclass(frozen=True)
class Grow:
    """A block with one transaction per agent number; equal forks on one parent are the same block."""

    agents: tuple[int, ...]
    fork: int


@dataclass(frozen=True)
class Shrink:
    """An undo of at most ``depth`` blocks."""

    depth: int


@dataclass(frozen=True)
class Settle:
    """The finality line moves to ``back`` blocks below the tip."""

    back: int


Move = Grow | Shrink | Settle

grow = st.builds(Grow, st.lists(st.integers(1, 4), max_size=4).map(tuple), st.integers(0, 1))
shrink = st.builds(Shrink, st.integers(1, 6))
settle = st.builds(Settle, st.integers(0, 8))
histories = st.lists(st.one_of(grow, grow, grow, shrink, settle), max_size=40)
"""Moves of a chain: mostly blocks, so that undos have something to remove; siblings repeat, so blocks come back."""


def play(moves: list[Move], partitions: int = 1) -> ChainLog:
    """The chain those moves make; moves that cannot be are left out."""
    chain = ChainLog(partitions=partitions)
    for move in moves:
        if isinstance(move, Grow):
            chain.add(move.agents, fork=move.fork)
        elif isinstance(move, Shrink) and chain.blocks:
            chain.undo(min(move.depth, len(chain.blocks)))
        elif isinstance(move, Settle) and chain.blocks:
            number = chain.head.number - move.back
            if number > max(0, chain.final.number if chain.final else 0):
                chain.finalize(number)
    return chain

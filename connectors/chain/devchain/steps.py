"""What can happen to a development chain in one step, and seeded scripts of such steps.

A script is a value: the same seed and plan give the same steps, whatever chain they are applied to. Depths are cut down to
what the chain allows at that moment (its height and its final block).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from connectors.chain.devchain.chain import DevChain, HeadChange
from streams.errors import ConfigurationError

MAX_DEPTH = 32


class StepKind(StrEnum):
    """ADVANCE: one more block. REORG: a longer branch wins. FLIP: a branch wins, then the old one again (A-B-A).
    NESTED: a branch wins, then another one from further below. LOWER: an ancestor becomes the head. SILENT: the same
    without a word to anyone, and the cut blocks are gone.
    """

    ADVANCE = "advance"
    REORG = "reorg"
    FLIP = "flip"
    NESTED = "nested"
    LOWER = "lower"
    SILENT = "silent"


REORG_KINDS = tuple(kind for kind in StepKind if kind is not StepKind.ADVANCE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step; ``depth`` in blocks, ``extra``: how much longer the new branch is than what it replaces."""

    kind: StepKind
    depth: int = 0
    extra: int = 1


@dataclass(frozen=True, slots=True)
class ReorgPlan:
    """About one reorg every ``every`` blocks, of depth 1 to ``max_depth``, mostly shallow; each kind in turn."""

    every: int = 12
    max_depth: int = 6
    kinds: tuple[StepKind, ...] = field(default=REORG_KINDS)

    def __post_init__(self) -> None:
        if self.every < 1 or not 1 <= self.max_depth <= MAX_DEPTH or not self.kinds:
            raise ConfigurationError(
                f"a plan with a reorg every {self.every} blocks of depth up to {self.max_depth} cannot be followed",
                f"Take every >= 1, a depth from 1 to {MAX_DEPTH} and at least one kind.",
            )


def script(seed: int, blocks: int, plan: ReorgPlan | None) -> Iterator[Step]:
    """``blocks`` ADVANCE steps with the plan's reorgs between them; begins and ends with an ADVANCE."""
    rng = Random(f"monmouth devchain script {seed}")
    left = _pause(rng, plan)
    turn = 0
    for number in range(blocks):
        yield Step(StepKind.ADVANCE)
        left -= 1
        if plan is not None and left <= 0 and number < blocks - 1:
            yield Step(plan.kinds[turn % len(plan.kinds)], _depth(rng, plan, turn), rng.choice((0, 1, 1, 2)))
            turn += 1
            left = _pause(rng, plan)


def play(chain: DevChain, step: Step) -> Iterator[HeadChange]:
    """Apply ``step`` and tell each change of the head as it is made; nothing where the chain is too short for it."""
    if step.kind is StepKind.ADVANCE:
        yield chain.advance()
        return
    final = chain.final
    depth = min(step.depth, chain.head.number - (final.number if final else 0))
    if depth < 1:
        return
    if step.kind is StepKind.LOWER:
        yield chain.rewind(depth)
    elif step.kind is StepKind.SILENT:
        yield chain.silent_rewind(depth)
    elif step.kind is StepKind.FLIP:
        yield from _flip(chain, min(depth, chain.finality_depth - step.extra), step.extra)
    else:
        yield chain.reorg(depth, step.extra)
        if step.kind is StepKind.NESTED:
            ground = chain.final.number if chain.final else 0
            yield chain.reorg(min(depth + step.extra + 1, chain.head.number - ground), 1)


def _flip(chain: DevChain, depth: int, extra: int) -> Iterator[HeadChange]:
    """There and back, where the longer branch does not make the way back final."""
    tip = chain.head.hash
    if depth >= 1:
        yield chain.reorg(depth, extra)
        yield chain.switch(tip)


def _pause(rng: Random, plan: ReorgPlan | None) -> int:
    return rng.randint(max(1, plan.every * 2 // 3), plan.every * 4 // 3) if plan else 0


def _depth(rng: Random, plan: ReorgPlan, turn: int) -> int:
    """Geometric with mean 2, capped; every fourth one is as deep as allowed, so that depth is reached in short runs too."""
    if turn % 4 == 2:
        return plan.max_depth
    depth = 1
    while depth < plan.max_depth and rng.random() < 0.5:
        depth += 1
    return depth

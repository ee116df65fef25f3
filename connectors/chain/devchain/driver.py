"""Lets a node live: plays a script of steps in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from connectors.chain.devchain.chain import HeadChange
from connectors.chain.devchain.node import DevNode
from connectors.chain.devchain.steps import ReorgPlan, Step, script

Observer = Callable[[Step, HeadChange], None]


async def run_script(
    node: DevNode,
    blocks: int,
    interval: float = 1.0,
    reorgs: ReorgPlan | Iterable[Step] | None = None,
    observer: Observer | None = None,
) -> int:
    """Advance ``node`` by ``blocks`` steps ``interval`` seconds apart, with the reorgs of a plan, or play given steps.

    Every change of the head takes one interval, those inside a compound step too. ``observer`` hears of each. Returns the
    number of changes. With steps given, ``blocks`` is ignored.
    """
    steps = script(node.chain.rules.seed, blocks, reorgs) if reorgs is None or isinstance(reorgs, ReorgPlan) else reorgs
    loop = asyncio.get_running_loop()
    due, changes = loop.time(), 0
    for step in steps:
        for change in node.apply(step):
            changes += 1
            if observer is not None:
                observer(step, change)
            due = max(due + interval, loop.time())
            await asyncio.sleep(max(0.0, due - loop.time()))
    return changes

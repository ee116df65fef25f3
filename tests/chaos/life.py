"""The chain's life beside the faults: a step every quarter of a second, but while those that are behind need to catch up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from connectors.chain.devchain.steps import Step
from tests.chaos.node import ChainNode

BLOCK_SECONDS = 0.25


class Life:
    """``run`` until ``end`` was called. It goes on from the start."""

    def __init__(self, node: ChainNode, steps: Iterator[Step]) -> None:
        self._node = node
        self._steps = steps
        self._going = asyncio.Event()
        self._going.set()
        self._ended = False

    async def run(self) -> None:
        for step in self._steps:
            await self._going.wait()
            if self._ended:
                return
            await self._node.play([step], BLOCK_SECONDS)

    def rest(self) -> None:
        """No more blocks for now: a machine that is busy would else get further behind with each."""
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def end(self) -> None:
        """No more blocks at all."""
        self._ended = True
        self._going.set()

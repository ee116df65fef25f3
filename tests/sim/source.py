"""``streams.ports.chain.ChainSource`` on the simulated node, for one producer process: stale or missing answers.

Every answer is one that a row of real nodes behind one address could give: of now, or of some time ago. A head that lags below
is given fewer times in a row than the producer is told to wait for, since more of them are indistinguishable from a rewind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from streams.core.block import BlockRef
from streams.errors import SourceError
from streams.ports.chain import Block
from tests.chainlog import CHAIN_ID
from tests.sim.client import Faults
from tests.sim.node import SimNode
from tests.sim.parameters import Parameters
from tests.sim.process import Process


class SimSource:
    """``ring``: set whenever the node's head may have changed."""

    ended = False
    eager = False

    def __init__(
        self, node: SimNode, process: Process, parameters: Parameters, faults: Faults, ring: asyncio.Condition
    ) -> None:
        self._node = node
        self._process = process
        self._parameters = parameters
        self._faults = faults
        self._ring = ring
        self._lagged = 0
        self._off = 0
        self._is_off = False

    async def _ask(self, what: str) -> None:
        await self._process.io(f"node.{what}")
        if self._faults.hit(self._parameters.source_errors):
            raise SourceError(f"no answer to {what}")

    def _branch(self) -> tuple[Block, ...]:
        """The canonical branch of now, or of some time ago."""
        if self._node.versions and self._faults.hit(self._parameters.lag):
            found = self._process.world.random.choice(self._node.versions)
            is_off = self._node.left_final(found)
            if not is_off or self._off + 1 < self._parameters.confirmations:
                self._is_off |= is_off
                return found
        return self._node.branch

    def _said(self, ref: BlockRef, *, is_head: bool) -> None:
        self._node.answers.append((asyncio.get_running_loop().time(), self._process.name, ref, is_head))

    async def _answered(self) -> None:
        await self._process.io("node done")

    async def chain_id(self) -> int:
        await self._ask("chain_id")
        return CHAIN_ID

    async def genesis(self) -> bytes | None:
        await self._ask("genesis")
        return self._node.branch[0].ref.hash

    async def earliest(self) -> int:
        await self._ask("earliest")
        return 0

    async def head(self) -> BlockRef:
        await self._ask("head")
        self._off, self._is_off = self._off + 1 if self._is_off else 0, False
        head = self._branch()[-1].ref
        honest = self._node.head
        if head.number < honest.number:
            self._lagged += 1
            if self._lagged >= self._parameters.confirmations:
                head = honest
        if head.number >= honest.number:
            self._lagged = 0
        if self._faults.hit(self._parameters.lies):
            return await self._invented(honest)
        self._said(head, is_head=True)
        await self._answered()
        return head

    async def _invented(self, honest: BlockRef) -> BlockRef:
        """A head that no chain holds, at the honest height or above."""
        random = self._process.world.random
        parent = random.choice([honest.parent, random.randbytes(32)])
        await self._answered()
        return BlockRef(honest.number + random.randint(0, 3), random.randbytes(32), parent)

    async def final(self) -> BlockRef | None:
        await self._ask("final")
        found = self._node.final(self._branch())
        if found is not None and self._faults.hit(self._parameters.wrong_tag):
            found = self._process.world.random.choice(list(self._node.known.values())).ref
        if found is not None:
            self._node.call_final(found)
        await self._answered()
        return found

    async def syncing(self) -> bool:
        await self._ask("syncing")
        return self._faults.hit(self._parameters.syncing)

    def _by_hash(self, block_hash: bytes) -> Block | None:
        if block_hash in self._node.forgotten or self._faults.hit(self._parameters.forgets):
            return None
        return self._node.known.get(block_hash)

    async def ref(self, block_hash: bytes) -> BlockRef | None:
        await self._ask("ref")
        block = self._by_hash(block_hash)
        await self._answered()
        if block and self._faults.hit(self._parameters.lies):
            return BlockRef(block.ref.number + 1, block.ref.hash, block.ref.parent)
        return block.ref if block else None

    async def canonical(self, numbers: Sequence[int]) -> list[BlockRef | None]:
        await self._ask("canonical")
        branch = self._branch()
        return [branch[number].ref if number < len(branch) else None for number in numbers]

    async def blocks(self, hashes: Sequence[bytes]) -> list[Block | None]:
        await self._ask("blocks")
        found = [self._by_hash(block_hash) for block_hash in hashes]
        await self._answered()
        return found

    async def span(self, first: int, last: int) -> list[Block]:
        """As a node asked by number, one call after another: the branch may change on the way."""
        await self._ask("span")
        found: list[Block] = []
        for number in range(first, last + 1):
            if (number - first) % 10 == 9:
                await self._answered()
            branch = self._branch()
            if number >= len(branch):
                break
            if found and branch[number].ref.parent != found[-1].ref.hash:
                self._said(found[-1].ref, is_head=False)
            found.append(branch[number])
        if found:
            self._said(found[-1].ref, is_head=False)
        return found

    async def hints(self) -> AsyncIterator[None]:
        random = self._process.world.random
        while True:
            async with self._ring:
                await self._ring.wait()
            self._process.check()
            if random.random() < self._parameters.hints:
                await asyncio.sleep(random.random() * self._parameters.hint_delay)
                for _ in range(self._parameters.hint_copies):
                    yield None

    async def close(self) -> None:
        """Nothing to release."""

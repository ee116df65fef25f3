"""The chain of a run: the development chain in this process, or a real anvil, both told block by block what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any, Protocol

from connectors.chain.devchain import DevChain, DevNode, run_script
from connectors.chain.devchain.steps import Step, StepKind
from streams.core.block import BlockRef
from tests.e2e.actors import forget, learn, pay, store
from tests.integration.node_fixtures import Anvil, find_anvil, running_anvil

TRANSACTIONS = 6
FINALITY_DEPTH = 24


class ChainNode(Protocol):
    """``agents``: who acts on the chain. ``head``: of the chain as it is now, whatever clients were told."""

    @property
    def url(self) -> str: ...

    @property
    def agents(self) -> Sequence[bytes]: ...

    @property
    def head(self) -> BlockRef: ...

    async def play(self, steps: Iterable[Step], interval: float) -> None:
        """Steps ``interval`` seconds apart."""
        ...


MakeNode = Callable[[int], AbstractAsyncContextManager[ChainNode]]
"""A fresh chain for a seed, served for as long as the block lasts."""


class DevelopmentNode(DevNode):
    """It keeps every branch, so that a branch can win again."""

    @property
    def agents(self) -> Sequence[bytes]:
        return self.chain.agents

    @property
    def head(self) -> BlockRef:
        ref: BlockRef = self.chain.head.ref
        return ref

    async def play(self, steps: Iterable[Step], interval: float) -> None:
        await run_script(self, 0, interval, steps)


@asynccontextmanager
async def development(seed: int) -> AsyncIterator[ChainNode]:
    """The development chain."""
    node = DevelopmentNode(DevChain(seed, transactions=TRANSACTIONS, finality_depth=FINALITY_DEPTH))
    async with node:
        yield node


class AnvilNode:
    """It forgets a branch that lost, so a step that brings one back is a reorg like any other."""

    def __init__(self, anvil: Anvil, seed: int) -> None:
        self._anvil = anvil
        self._random = Random(f"anvil {seed}")
        self._stored: list[tuple[str, bytes]] = []
        self.url = anvil.http
        self.agents: Sequence[bytes] = ()
        self.head = BlockRef(0, bytes(32), bytes(32))

    async def begin(self) -> None:
        """Reads who is there and where the chain begins."""
        accounts = await self._anvil.rpc.call("eth_accounts")
        self.agents = tuple(bytes.fromhex(account[2:]) for account in accounts)
        await self._look()

    async def play(self, steps: Iterable[Step], interval: float) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        for step in steps:
            await self._step(step)
            due = max(due + interval, clock())
            await asyncio.sleep(max(0.0, due - clock()))

    async def _step(self, step: Step) -> None:
        depth = min(step.depth, self.head.number - 1)
        if step.kind is StepKind.ADVANCE or depth < 1:
            await self._mine()
        elif step.kind in {StepKind.LOWER, StepKind.SILENT}:
            await self._anvil.rpc.call("anvil_rollback", depth)
        else:
            branch = [[self._request(), self._random.randrange(depth)] for _ in range(TRANSACTIONS)]
            await self._anvil.rpc.call("anvil_reorg", depth, branch)
            for _ in range(step.extra):
                await self._mine()
        await self._look()

    async def _mine(self) -> None:
        for _ in range(TRANSACTIONS):
            await self._anvil.rpc.call("eth_sendTransaction", self._request())
        await self._anvil.rpc.call("evm_mine")

    def _request(self) -> dict[str, str]:
        random = self._random
        sender, other = ("0x" + agent.hex() for agent in random.sample(self.agents, 2))
        number = random.randrange(1_000_000)
        kinds: list[dict[str, str]] = [
            store(sender, f"note {number}", random.randrange(3)),
            learn(sender, f"lesson {number}"),
            forget(sender, random.randbytes(32)),
            pay(sender, other, number),
        ]
        return random.choice(kinds)

    async def _look(self) -> None:
        block: dict[str, Any] = await self._anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        number, hash_, parent = int(block["number"], 16), block["hash"], block["parentHash"]
        self.head = BlockRef(number, bytes.fromhex(hash_[2:]), bytes.fromhex(parent[2:]))


@asynccontextmanager
async def anvil(seed: int) -> AsyncIterator[ChainNode]:
    """A real node, from npm."""
    with running_anvil(await asyncio.to_thread(find_anvil)) as port:
        client = Anvil(port)
        try:
            node = AnvilNode(client, seed)
            await node.begin()
            yield node
        finally:
            await client.rpc.close()


NODES: dict[str, MakeNode] = {"dev": development, "anvil": anvil}

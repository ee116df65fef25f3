"""Roots and proofs of an agent's memories.

The tree is recomputed from the memory store and believed only if its root is the published one, which the lattice agent
computed from the log on its own: a store that lost, gained or altered a memory yields a refusal, never a proof.
Assumes the keys are those the lattice agent uses. A tree once found equal to a published root proves against that
root for ever, so the last few are kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

from schemas.records import Memory
from streams.core.leaf import path_and_opening, tree_of
from streams.core.merkle.document import MemberDocument
from streams.core.merkle.sparse import SparseTree
from streams.ports.stores import MemoryStore
from streams.serving.addresses import to_hex
from streams.serving.faults import ConflictError, NotFoundError
from streams.serving.reads import MemoryReads
from streams.serving.roots import Root, RootTable
from streams.serving.wire import ProofView
from streams.vault.keys import LeafSecrets

PAGE = 1_000
TREES = 8
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.8


class Prover:
    """Answers with roots that stand on the chain and with proofs against them."""

    def __init__(self, reads: MemoryReads, store: MemoryStore, roots: RootTable, keys: LeafSecrets, patience: float) -> None:
        """``patience``: seconds to wait for the stores and the lattice agent to meet."""
        self._reads = reads
        self._store = store
        self._roots = roots
        self._keys = keys
        self._patience = patience
        self._trees: OrderedDict[tuple[bytes, bytes], SparseTree] = OrderedDict()

    async def root(self, agent: bytes) -> Root:
        """The newest root whose block stands. Raises NotFoundError, ConflictError at the end of patience."""
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while (root := await self._standing(agent)) is None:
            if time.monotonic() + pause > deadline:
                raise ConflictError(
                    f"the published root of {to_hex(agent)} belongs to a block that is not on the chain",
                    "The lattice agent has not rewound yet; is it running? Ask again.",
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return root

    async def proof(self, agent: bytes, memory_id: bytes) -> ProofView:
        """Inclusion or absence. Raises as ``root`` does, and ConflictError if the store and the root do not meet."""
        _, (proof,) = await self.proofs(agent, [memory_id])
        return proof

    async def proofs(self, agent: bytes, memory_ids: Sequence[bytes]) -> tuple[Root, list[ProofView]]:
        """One root, and inclusion or absence of each memory under it, in order. Raises as ``proof`` does."""
        root, tree = await self._met(agent)
        return root, [self.proof_in(root, tree, memory_id) for memory_id in memory_ids]

    async def _met(self, agent: bytes) -> tuple[Root, SparseTree]:
        """The published root and its tree, once the store makes it."""
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            root = await self.root(agent)
            tree = self._trees.get((agent, root.merkle_root))
            if tree is None:
                tree = await self._tree(agent)
                if tree.root == root.merkle_root:
                    self._keep(agent, tree)
            if tree.root == root.merkle_root:
                return root, tree
            if time.monotonic() + pause > deadline:
                raise _apart(tree, root)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def settled(self, agent: bytes) -> tuple[Root, list[Memory]]:
        """The published root, and the live memories that make it. Raises as ``proof`` does."""
        root, memories, _ = await self.whole(agent)
        return root, memories

    async def whole(self, agent: bytes) -> tuple[Root, list[Memory], SparseTree]:
        """The published root, the live memories that make it, and their tree. Raises as ``proof`` does."""
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            root = await self.root(agent)
            memories = await self._live(agent)
            tree = await asyncio.to_thread(tree_of, self._keys.leaf_secret(agent), memories)
            if tree.root == root.merkle_root:
                return root, memories, tree
            if time.monotonic() + pause > deadline:
                raise _apart(tree, root)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _standing(self, agent: bytes) -> Root | None:
        root = await self._roots.fresh(agent)
        await self._reads.chain.barrier()
        if root is None:
            raise NotFoundError(f"no root of {to_hex(agent)} has been published", "It has no memories yet.")
        if root.block is not None and not self._reads.chain.view.holds(root.block.number, root.block.hash):
            return None
        return root

    async def _tree(self, agent: bytes) -> SparseTree:
        return await asyncio.to_thread(tree_of, self._keys.leaf_secret(agent), await self._live(agent))

    async def _live(self, agent: bytes) -> list[Memory]:
        ids = await self._store.live_ids(agent, self._reads.chain.view.canonical)
        memories: list[Memory] = []
        for start in range(0, len(ids), PAGE):
            rows = await self._store.get(agent, ids[start : start + PAGE])
            memories += [memory for row in rows if (memory := self._reads.live(row)) is not None]
        return memories

    def _keep(self, agent: bytes, tree: SparseTree) -> None:
        self._trees[agent, tree.root] = tree
        if len(self._trees) > TREES:
            self._trees.popitem(last=False)

    def proof_in(self, root: Root, tree: SparseTree, memory_id: bytes) -> ProofView:
        """Inclusion or absence under ``root``, whose tree ``tree`` is."""
        path, opening = path_and_opening(self._keys.leaf_secret(root.agent), memory_id)
        value = tree.get(path)
        document = MemberDocument(tree.root, path, value, tree.prove(path))
        return ProofView(
            agent=to_hex(root.agent),
            memory_id=to_hex(memory_id),
            present=value is not None,
            root=root.view(),
            opening=to_hex(opening) if value is not None else None,
            proof=document.record(),
        )


def _apart(tree: SparseTree, root: Root) -> ConflictError:
    return ConflictError(
        f"the memory store yields root {to_hex(tree.root)}, but published is {to_hex(root.merkle_root)}",
        "The stream agents may be behind: ask again. If it stays so, the store has lost or altered memories.",
    )

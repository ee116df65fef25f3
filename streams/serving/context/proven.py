"""Contexts whose every item is proven against one published root.

The items are found first and proven afterwards, all in one tree. Where an item has left meanwhile, forgotten or undone, the
context is found anew, so no item is left unproven and none is dropped from the answer.
Invariant: all proofs of an answer are for the root it names, which stood on the chain, and which the memory store made.
"""

from __future__ import annotations

from typing import Protocol

from streams.serving.context.request import ContextRequest
from streams.serving.faults import ConflictError
from streams.serving.proofs import Prover
from streams.serving.reads import MemoryReads
from streams.serving.wire import Context, ContextItem, ItemProof, MemoryView

ATTEMPTS = 5


class Finder(Protocol):
    """Answers requests for context."""

    async def find(self, request: ContextRequest) -> Context: ...


class ProvenContexts:
    """Adds proofs to what a finder answers."""

    def __init__(self, finder: Finder, prover: Prover, reads: MemoryReads) -> None:
        self._finder = finder
        self._prover = prover
        self._reads = reads

    async def find(self, request: ContextRequest) -> Context:
        """The context with its root and a proof for each item. Raises as the finder and the prover do, ConflictError too if
        memories come and go faster than they are proven.
        """
        for _ in range(ATTEMPTS):
            context = await self._finder.find(request)
            ids = [bytes.fromhex(item.memory_id.removeprefix("0x")) for item in context.items]
            root, proofs = await self._prover.proofs(request.agent, ids)
            rows = await self._reads.rows(request.agent, ids)
            items: list[ContextItem] = []
            for item, proof, row in zip(context.items, proofs, rows, strict=True):
                if proof.opening is None or row is None or row.memory is None:
                    break
                shown = ItemProof(memory=MemoryView.of(row.memory), opening=proof.opening, proof=proof.proof)
                items.append(item.model_copy(update={"proof": shown}))
            else:
                return context.model_copy(update={"items": items, "root": root.view()})
        raise ConflictError(
            "memories of this context left it while they were being proven, each time", "Ask again; the lattice may be behind."
        )

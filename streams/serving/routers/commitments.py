"""Lattice roots and proofs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from streams.serving.services import AgentParam, AnyAgentParam, MemoryIdParam, Served, Waited
from streams.serving.wire import ProofView, RootView

router = APIRouter(prefix="/v1/agents/{agent}", tags=["commitments"])


@router.get("/root", operation_id="root")
async def root(agent: AnyAgentParam, served: Served) -> RootView:
    """The agent's newest published root."""
    return (await served.proofs.root(agent)).view()


@router.get("/memories/{memory_id}/proof", operation_id="proof", dependencies=[Waited])
async def proof(agent: AgentParam, memory_id: MemoryIdParam, served: Served) -> ProofView:
    """Proof that the memory is, or is not, among the agent's live memories under its published root."""
    return await served.proofs.proof(agent, memory_id)


@router.get("/memories/{memory_id}/proof/document", operation_id="proof_document")
async def proof_document(agent: AgentParam, memory_id: MemoryIdParam, served: Served) -> dict[str, Any]:
    """The proof alone, as `monmouth proof verify` reads it."""
    return (await served.proofs.proof(agent, memory_id)).proof

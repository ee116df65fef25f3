"""What a client can check on its own of a context with proofs.

Assumes trust in a root, as ``verify`` does. Raises ProofRefusedError, never anything else, unless every item says what a memory
under that root says, nothing more and nothing else, and the text made of all items is made of these. That no memory was held
back cannot be seen from proofs of inclusion.
"""

from __future__ import annotations

from streams.serving.context.render import rendered, source_of
from streams.serving.verify import ProofRefusedError, verify_proof
from streams.serving.wire import Context, ContextItem, ItemProof, ProofView, RootView
from streams.serving.wire.states import StateView

HINT = "Do not rely on this answer; compare the gateway's root with memory.roots."


def verify_context(answer: Context, agent: str, trusted_root: str | None = None) -> None:
    """Checks every item of ``answer``, which was asked of ``agent`` (0x-hex, lower case), against one root."""
    root = answer.root
    if root is None:
        raise ProofRefusedError("the answer has no proofs", HINT)
    if answer.agent.lower() != agent or root.agent.lower() != agent:
        raise ProofRefusedError("the answer is about another agent", HINT)
    for item in answer.items:
        _verify_item(item, agent, root, trusted_root)
    if trusted_root is not None and root.merkle_root.removeprefix("0x") != trusted_root.lower().removeprefix("0x"):
        raise ProofRefusedError(f"the answer is for root {root.merkle_root}, not the one trusted", HINT)
    if len({item.memory_id for item in answer.items}) != len(answer.items):
        raise ProofRefusedError("the answer holds a memory twice", HINT)
    if answer.prompt is not None and answer.prompt not in _prompts(answer):
        raise ProofRefusedError("the prompt is not made of the items", HINT)


def verify_state_view(answer: StateView, agent: str) -> None:
    """Checks the proofs of ``answer``, if it has any: one for each memory, all for its root."""
    if answer.proofs is None:
        return
    if answer.agent.lower() != agent or answer.root.agent.lower() != agent:
        raise ProofRefusedError("the answer is about another agent", HINT)
    if [proof.memory for proof in answer.proofs] != answer.items:
        raise ProofRefusedError("the proofs are not those of the memories", HINT)
    for proof in answer.proofs:
        _verify_member(proof, agent, answer.root, None)


def _verify_item(item: ContextItem, agent: str, root: RootView, trusted_root: str | None) -> None:
    if item.proof is None:
        raise ProofRefusedError(f"memory {item.memory_id} has no proof", HINT)
    memory = item.proof.memory
    whole = memory.text or ""
    if not (whole.startswith(item.text) if item.truncated else whole == item.text) or memory.text is None:
        raise ProofRefusedError(f"memory {memory.id} says something else", HINT)
    said = (item.citation, item.type, item.importance, item.tags, item.timestamp)
    if said != (memory.citation, memory.type, memory.importance, memory.tags, memory.timestamp):
        raise ProofRefusedError(f"what is said of memory {memory.id} is not what it says", HINT)
    if memory.id != item.memory_id:
        raise ProofRefusedError(f"the proof is not about memory {item.memory_id}", HINT)
    _verify_member(item.proof, agent, root, trusted_root)


def _verify_member(proven: ItemProof, agent: str, root: RootView, trusted_root: str | None) -> None:
    memory = proven.memory
    if memory.agent.lower() != agent:
        raise ProofRefusedError(f"memory {memory.id} is another agent's", HINT)
    shown = ProofView(
        agent=memory.agent,
        memory_id=memory.id,
        present=True,
        root=root,
        opening=proven.opening,
        proof=proven.proof,
    )
    trusted = None if trusted_root is None else "0x" + trusted_root.lower().removeprefix("0x")
    verify_proof(shown, memory, trusted)


def _prompts(answer: Context) -> tuple[str, str]:
    """The items in both styles."""
    texts = [item.text for item in answer.items]
    sources = [
        source_of(number, item.block.number if item.block else None, item.citation.transaction, item.memory_id)
        for number, item in enumerate(answer.items, 1)
    ]
    return rendered(texts, []), rendered(texts, sources)

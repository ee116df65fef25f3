"""Sample questions of the demo, asked through the gateway like any client would, and their proofs checked offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.serving.client import Client
from streams.serving.verify import ProofRefusedError


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what came back. ``expected``: id of the memory that answers it, or None if not known."""

    agent: bytes
    question: str
    answer: str
    score: float
    citation: str
    found: bool | None
    proven: bool


def ask(gateway: str, agent: bytes, question: str, expected: bytes | None, trusted_root: bytes) -> Asked:
    """Asks, takes the best memory, and has its inclusion proof verified against ``trusted_root``, read from the log itself."""
    name = "0x" + agent.hex()
    with Client(gateway) as client:
        items = client.query_context(name, question, max_results=3).items
        if not items:
            return Asked(agent, question, "(no memory)", 0.0, "", None if expected is None else False, proven=False)
        best = items[0]
        try:
            memory = client.get(name, best.citation.memory_id)
            proven = client.proof(name, memory.id, memory, "0x" + trusted_root.hex()).present
        except ProofRefusedError:
            proven = False
    found = None if expected is None else "0x" + expected.hex() in [item.citation.memory_id for item in items]
    block = best.citation.block
    where = f"block {block.number}/{block.hash[2:10]}" if block else "a command"
    return Asked(agent, question, best.text, best.score, where, found, proven)


def line(asked: Asked) -> str:
    """One line for the terminal."""
    proof = "proof ok" if asked.proven else "NO PROOF"
    hit = {True: "as expected", False: "NOT the expected memory", None: ""}[asked.found]
    notes = ", ".join(note for note in (asked.citation, proof, hit) if note)
    return f"0x{asked.agent.hex()[:8]}… {asked.question}\n    → {asked.answer} [{notes}]"


def hit_rate(answers: Sequence[Asked]) -> str:
    """How many questions with a known answer found it among the first three."""
    known = [a for a in answers if a.found is not None]
    return f"{sum(bool(a.found) for a in known)} of {len(known)}"

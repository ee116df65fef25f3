"""Sample questions of the demo, asked through the gateway like any client would, and their proofs checked offline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streams.serving.client import Client
from streams.serving.client_errors import GatewayError
from streams.serving.verify import ProofRefusedError

ATTEMPTS = 6
PAUSE = 0.5

TrustedRoot = Callable[[bytes], bytes]
"""The Merkle root of an agent as memory.roots has it now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what came back. ``found``: whether the memory expected was among the answers; None if none was.

    ``proven``: whether the best answer's inclusion proof verified; None if there was no answer.
    """

    agent: bytes
    question: str
    answer: str
    citation: str
    found: bool | None
    proven: bool | None


def ask(client: Client, agent: bytes, question: str, expected: bytes | None, trusted: TrustedRoot) -> Asked:
    """Asks, takes the best memory, and has its inclusion proof verified against a root read from the log itself."""
    name = "0x" + agent.hex()
    items = client.query_context(name, question, max_results=3).items
    if not items:
        return Asked(agent, question, "(no memory)", "", None if expected is None else False, None)
    best = items[0]
    proven = _proven(client, agent, best.citation.memory_id, trusted)
    found = None if expected is None else "0x" + expected.hex() in [item.citation.memory_id for item in items]
    block = best.citation.block
    where = f"block {block.number}/{block.hash[2:10]}" if block else "a command"
    return Asked(agent, question, best.text, where, found, proven)


def _proven(client: Client, agent: bytes, memory_id: str, trusted: TrustedRoot) -> bool:
    """Tries again while the chain moves: the proof, and the root it must lead to, come from different places."""
    name = "0x" + agent.hex()
    for _ in range(ATTEMPTS):
        try:
            memory = client.get(name, memory_id)
            return client.proof(name, memory_id, memory, "0x" + trusted(agent).hex()).present
        except (ProofRefusedError, GatewayError):
            time.sleep(PAUSE)
    return False


def line(asked: Asked) -> str:
    """One line for the question, one for the answer."""
    proof = {True: "proof ok", False: "NO PROOF", None: ""}[asked.proven]
    hit = {True: "as expected", False: "NOT the expected memory", None: ""}[asked.found]
    notes = ", ".join(note for note in (asked.citation, proof, hit) if note)
    return f"0x{asked.agent.hex()[:8]}… {asked.question}\n    → {asked.answer} [{notes}]"


def hit_rate(answers: Sequence[Asked]) -> str:
    """How many questions with a known answer found it among the first three."""
    known = [a for a in answers if a.found is not None]
    return f"{sum(bool(a.found) for a in known)} of {len(known)}"

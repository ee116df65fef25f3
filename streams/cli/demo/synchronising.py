"""``monmouth demo sync``: states are asked for, gone back to, reorganised, and compared with those of another deployment."""

from __future__ import annotations

from collections.abc import Sequence

from streams.cli.demo.course import Part
from streams.cli.demo.play import Show
from streams.cli.demo.scenes import chain, deployments, faults, memories, messages, workflow
from streams.cli.demo.system import System

AGENTS = 8
TRANSACTIONS = 6
DEPTH = 3


def synchronising(*, fast: bool) -> Show:
    """``fast``: smaller numbers."""
    blocks, checkpoints, asked = (12, 2, 2) if fast else (48, 5, AGENTS)

    def parts(system: System) -> Sequence[tuple[str, Part]]:
        agents = system.chain.agents
        return [
            ("the chain: blocks of every agent", lambda: chain.blocks(system, blocks)),
            ("six questions about a state, over messages", lambda: messages.six_questions(system, agents[:asked])),
            ("a replica of every agent", lambda: memories.replicate(system, agents)),
            ("checkpoints, and back to each", lambda: chain.checkpoints(system, "memory", checkpoints)),
            ("recovery of a lost row", lambda: faults.lost_row(system, agents[0])),
            ("a reorganisation", lambda: chain.reorg(system, agents, DEPTH)),
            ("another deployment: compared, damaged, mended", lambda: deployments.beside(system)),
            ("the full cycle", lambda: workflow.workflow(system, agents[:asked])),
        ]

    return Show("State synchronisation", AGENTS, TRANSACTIONS, 1, parts)

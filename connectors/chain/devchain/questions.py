"""Questions whose right answer is known: one live note on the canonical chain.

Invariant: no other live note of the same agent answers the same question.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.oracle import live_notes
from connectors.chain.devchain.world import Stored


class Question(NamedTuple):
    """``memory_id`` (32 bytes) and ``transaction`` (hash) name the right answer, ``answer`` is its text."""

    agent: bytes
    text: str
    answer: str
    memory_id: bytes
    transaction: bytes


def sample_questions(chain: DevChain, per_agent: int = 2, *, final_only: bool = False) -> list[Question]:
    """Up to ``per_agent`` questions for each agent, agents in order, those whose subject stands apart most first.

    With ``final_only`` the answers lie in final blocks, so no later reorg takes them back (a later forget still may).
    """
    end = chain.final.number if final_only and chain.final else (0 if final_only else chain.head.number)
    young = {item.memory_id for built in chain.line(end + 1) for item in built.stored}
    by_agent: dict[bytes, list[Stored]] = defaultdict(list)
    for memory_id, item in live_notes(chain).items():
        if memory_id not in young:
            by_agent[item.agent].append(item)
    return [_question(item) for agent in chain.agents for item in _distinct(by_agent[agent])[:per_agent]]


def _distinct(notes: list[Stored]) -> list[Stored]:
    """Notes whose question no other note shares; rare topics first, then the newest."""
    asked = Counter(item.note.question for item in notes)
    topics = Counter(item.note.topic for item in notes)
    alone = [item for item in reversed(notes) if asked[item.note.question] == 1]
    return sorted(alone, key=lambda item: topics[item.note.topic])


def _question(item: Stored) -> Question:
    return Question(item.agent, item.note.question, item.note.content, item.memory_id, item.transaction)

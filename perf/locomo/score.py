"""The figures, by the formulae of the data's own scorer (a test compares both).

Recall@k: share of the evidence among the first k; 1 where a question has none. nDCG@10: over evidence that exists. Evidence
within a budget: share of the evidence among the first items whose texts together cost at most so many tokens. Session recall:
share of the evidence's sessions among the first k sessions, a session standing where its best turn stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

KS = (5, 10, 25, 50)
SESSIONS = (1, 3, 5, 10)
BUDGETS = (1_000, 2_000, 4_000, 7_000, 8_000)
CATEGORY = {4: "single-hop", 1: "multi-hop", 2: "temporal", 3: "open-domain", 5: "adversarial"}


def share(evidence: Sequence[str], found: Sequence[str]) -> float:
    """Share of the evidence that was found; 1 if there is none."""
    return sum(e in found for e in evidence) / len(evidence) if evidence else 1.0


def ndcg(evidence: Sequence[str], ranking: Sequence[str], turns: set[str]) -> float | None:
    """nDCG@10; None if no evidence exists."""
    good = {e for e in evidence if e in turns}
    if not good:
        return None
    gain = sum(1 / math.log2(2 + place) for place, turn in enumerate(ranking[:10]) if turn in good)
    return gain / sum(1 / math.log2(2 + place) for place in range(min(10, len(good))))


def session_of(turn: str) -> str:
    return turn.partition(":")[0]


def first_sessions(ranking: Sequence[str], count: int) -> list[str]:
    return list(dict.fromkeys(map(session_of, ranking)))[:count]


def within(ranking: Sequence[str], tokens: Sequence[int], budget: int) -> Sequence[str]:
    """The first items that fit; the first that does not ends the list."""
    spent = 0
    for place, cost in enumerate(tokens):
        spent += cost
        if spent > budget:
            return ranking[:place]
    return ranking


@dataclass(slots=True)
class Table:
    """Figures of many questions, by category."""

    rows: dict[str, list[tuple[list[float], float | None, list[float], list[float]]]] = field(default_factory=dict)

    def add(
        self, category: int, evidence: Sequence[str], ranking: Sequence[str], tokens: Sequence[int], turns: set[str]
    ) -> None:
        recall = [share(evidence, ranking[:k]) for k in KS]
        told = list(dict.fromkeys(map(session_of, evidence)))
        sessions = [share(told, first_sessions(ranking, k)) for k in SESSIONS]
        budget = [share(evidence, within(ranking, tokens, limit)) for limit in BUDGETS]
        row = (recall, ndcg(evidence, ranking, turns), sessions, budget)
        for key in ("all", CATEGORY[category]):
            self.rows.setdefault(key, []).append(row)

    def recall(self, category: str = "all") -> list[float]:
        """Percent at each of KS."""
        return [100 * mean([row[0][i] for row in self.rows[category]]) for i in range(len(KS))]

    def ndcg(self, category: str = "all") -> float:
        return 100 * mean([row[1] for row in self.rows[category] if row[1] is not None])

    def sessions(self) -> list[float]:
        return [100 * mean([row[2][i] for row in self.rows["all"]]) for i in range(len(SESSIONS))]

    def budgets(self) -> list[float]:
        return [100 * mean([row[3][i] for row in self.rows["all"]]) for i in range(len(BUDGETS))]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan

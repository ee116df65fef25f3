"""Fits the weights of the signals, and shows on conversations left out how well they carry over.

Maximises the likelihood of the evidence under a softmax over all turns of the conversation (listwise), with a small L2
penalty, by Adam with full batches: no random, so the same data give the same weights. No weight falls below its floor: only a
question may speak against a memory, and what talk among friends hardly has, names and structure, keeps some weight. Signals
whose weights are set take no part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perf.locomo.data import Conversation, Vectors
from perf.locomo.rankings import index_of
from streams.retrieval.question import Asked
from streams.retrieval.rank import signals_of
from streams.retrieval.signals import SIGNALS, scaled
from streams.retrieval.weights import SET

STEPS = 300
PENALTY = 1e-3
RATE = 0.1
FLOOR = {"question": -1.0, "entities": 0.02, "structure": 0.1}
"""Least share of a signal in the sum of all; 0 for those not named."""
Cases = list[tuple[np.ndarray, np.ndarray]]
"""Scaled signals of every turn, shape (turns, signals), and the share of each in the evidence; per question."""


def cases_of(talk: Conversation, vectors: Vectors) -> Cases:
    """Questions whose evidence exists."""
    index = index_of(talk, vectors)
    cases: Cases = []
    for question in talk.questions:
        asked = Asked.of(question.text, vectors.of([question.text])[0])
        (signals,) = signals_of([index], asked)
        turn_of = talk.turn_of
        target = np.array([turn_of[memory_id] in question.evidence for memory_id in signals.ids], np.float64)
        if target.any():
            cases.append((scaled(signals.values).astype(np.float64), target / target.sum()))
    return cases


def fitted(conversations: Sequence[Cases]) -> dict[str, float]:
    """Weights, the sum of their sizes 1."""
    cases = [case for part in conversations for case in part]
    free = np.array([name not in SET for name in SIGNALS])
    weights = np.where(free, 2.0, 0.0)
    floor = np.array([FLOOR.get(name, 0.0) for name in SIGNALS])
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        slope = PENALTY * weights
        for values, target in cases:
            score = values @ weights
            chance = np.exp(score - score.max())
            slope += values.T @ (chance / chance.sum() - target) / len(cases)
        first = 0.9 * first + 0.1 * slope
        second = 0.99 * second + 0.01 * slope**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-9)
        weights = free * np.maximum(weights, floor * np.abs(weights).sum())
    weights /= np.abs(weights).sum()
    return {name: round(float(weight), 4) for name, weight in zip(SIGNALS, weights, strict=True) if name not in SET}

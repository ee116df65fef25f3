"""The trained classifier: a linear softmax with a temperature, its thresholds, and what was measured about its rules.

Invariant: read from ``weights.npz`` without pickle; probabilities over LABELS sum to 1, and "none" is one of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streams.decoding.nl.examples import NONE
from streams.decoding.nl.features import cells
from streams.decoding.nl.roles import VALUE_MOVING
from streams.decoding.nl.slots import mask, scan
from streams.decoding.nl.templates import TEMPLATES
from streams.ports.embedder import Embedder

HERE = Path(__file__).parent
LABELS: tuple[str, ...] = (*TEMPLATES, NONE)
NGRAM, VECTOR = "ngram", "vector"


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    shifted = scores.astype(np.float64) - scores.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    total: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return total


class Scorer(Protocol):
    """Text to probabilities over LABELS."""

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """Shape (len(LABELS),)."""


@dataclass(frozen=True)
class Linear:
    """``weights``: (features, labels); ``bias``: (labels,); scores are divided by ``temperature``, fitted on held-out lines."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float


@dataclass(frozen=True)
class NgramScorer:
    """Over hashed n-grams of the masked text."""

    linear: Linear

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """See Scorer."""
        index, weight = cells(mask(text, scan(text)))
        return softmax((weight @ self.linear.weights[index] + self.linear.bias) / np.float32(self.linear.temperature))


_SPOKEN = {
    "ADDRESS": "some address", "DATE": "friday", "PERCENT": "5 percent", "BLOCK": "block 10", "AGENT": "agent 7",
    "PROPOSAL": "proposal 10", "AMOUNT": "10", "VENUE": "exchange", "CHAIN": "another chain", "TOKEN": "token",
}  # fmt: skip


def spoken_mask(text: str) -> str:
    """The masked text in words a language model knows, for embedding."""
    return " ".join(_SPOKEN.get(word, word) for word in mask(text, scan(text)).split())


@dataclass(frozen=True)
class VectorScorer:
    """Mean of the n-gram scorer and a linear softmax over sentence vectors."""

    linear: Linear
    ngrams: NgramScorer
    embedder: Embedder

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """See Scorer."""
        vector = self.embedder.embed([spoken_mask(text)])[0]
        scores = (vector @ self.linear.weights + self.linear.bias) / np.float32(self.linear.temperature)
        return (softmax(scores) + self.ngrams.probabilities(text)) / 2


@dataclass(frozen=True)
class Thresholds:
    """Least confidence at which an intent is told; higher where it moves value."""

    informational: float
    value_moving: float

    def of(self, intent: str) -> float:
        """For one intent."""
        return self.value_moving if intent in VALUE_MOVING else self.informational


def load_linear(kind: str, root: Path = HERE) -> Linear:
    """Weights of NGRAM or VECTOR."""
    with np.load(root / "weights.npz", allow_pickle=False) as arrays:
        return Linear(
            arrays[f"{kind}_weights"].astype(np.float32),
            arrays[f"{kind}_bias"].astype(np.float32),
            float(arrays[f"{kind}_temperature"]),
        )


def load_metrics(root: Path = HERE) -> dict[str, Any]:
    """What ``train`` measured when it wrote the weights."""
    metrics: dict[str, Any] = json.loads((root / "metrics.json").read_text())
    return metrics


def thresholds_of(metrics: Mapping[str, Any], kind: str) -> Thresholds:
    """Thresholds chosen on the calibration lines."""
    return Thresholds(**metrics[kind]["thresholds"])

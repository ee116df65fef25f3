"""Trains the language classifier and measures it: ``python -m streams.decoding.nl.train [--embedder module:factory]``.

Writes ``weights.npz`` and ``metrics.json`` beside this module. Learns from the training lines, fits temperature and
thresholds on the calibration lines, and reports on the test lines and on the paraphrases, as far as they read unlike what
it learnt from. Paraphrases were written apart from the templates but were known when those were written.
Without an embedder the vector weights that are there stay as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.decoding.nl.examples import SEED, Example, examples
from streams.decoding.nl.features import DIMENSION, cells
from streams.decoding.nl.measure import Labelled, measure, measure_rules, unseen
from streams.decoding.nl.model import (
    HERE,
    LABELS,
    NGRAM,
    VECTOR,
    Linear,
    NgramScorer,
    Scorer,
    Thresholds,
    VectorScorer,
    load_metrics,
    softmax,
    spoken_mask,
)
from streams.decoding.nl.paraphrases import PARAPHRASES
from streams.decoding.nl.parser import IntentParser
from streams.decoding.nl.roles import VALUE_MOVING
from streams.decoding.nl.slots import mask, scan
from streams.ports.embedder import Embedder

STEPS, RATE, DECAY = 250, 0.05, 5e-5
PER_TEMPLATE_FOR_RULES = 100
WANTED_PRECISION, WANTED_VALUE_PRECISION = 0.97, 0.99
LEAST, LEAST_VALUE = 0.5, 0.6
Matrix = NDArray[np.float32]


def ngram_matrix(texts: Sequence[str]) -> Matrix:
    """Rows of n-gram features."""
    matrix = np.zeros((len(texts), DIMENSION), np.float32)
    for row, text in zip(matrix, texts, strict=True):
        index, weight = cells(mask(text, scan(text)))
        row[index] = weight
    return matrix


def fit(rows: Matrix, labels: NDArray[np.int64], decay: float = DECAY) -> tuple[Matrix, Matrix]:
    """(weights, bias) of a softmax regression: full-batch Adam, classes weighted by the root of their rarity."""
    count = len(LABELS)
    wanted = np.eye(count, dtype=np.float32)[labels]
    rarity = 1 / np.sqrt(np.bincount(labels, minlength=count)[labels])
    share = (rarity / rarity.sum()).astype(np.float32)[:, None]
    rows = np.hstack([rows, np.ones((len(rows), 1), np.float32)])
    weights = np.zeros((rows.shape[1], count), np.float32)
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        error = (softmax(rows @ weights).astype(np.float32) - wanted) * share
        slope = rows.T @ error + decay * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope * slope
        weights -= RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights[:-1], weights[-1]


def fit_temperature(scores: Matrix, labels: NDArray[np.int64]) -> float:
    """The temperature of least log loss, to two places."""

    def loss(temperature: float) -> float:
        chances = softmax(scores / np.float32(temperature))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    return min((round(0.2 + 0.02 * i, 2) for i in range(200)), key=loss)


def train_linear(rows: Matrix, held: Matrix, learnt: Sequence[Example], calibration: Sequence[Example], decay: float) -> Linear:
    """Weights from ``learnt``, rounded to half precision as they are stored, temperature from ``calibration``."""
    weights, bias = (part.astype(np.float16).astype(np.float32) for part in fit(rows, _labels(learnt), decay))
    return Linear(weights, bias, fit_temperature(held @ weights + bias, _labels(calibration)))


def choose_thresholds(scorer: Scorer, rules: dict[str, float], texts: Sequence[Labelled]) -> Thresholds:
    """The lowest thresholds at which given intents reach the wanted precision on ``texts``."""
    parser = IntentParser(scorer, Thresholds(0.0, 0.0), rules)
    given = [(guess.intent, guess.confidence, intent) for text, intent in texts for guess in [parser.parse(text)]]

    def lowest(moving: bool, wanted: float, least: float) -> float:
        cases = [(c, got == label) for got, c, label in given if got in LABELS and (got in VALUE_MOVING) is moving]
        for step in range(round(least * 100), 100):
            kept = [right for confidence, right in cases if confidence >= step / 100]
            if kept and sum(kept) >= wanted * len(kept):
                return step / 100
        return 0.99

    informational = lowest(False, WANTED_PRECISION, LEAST)
    return Thresholds(informational, max(informational, lowest(True, WANTED_VALUE_PRECISION, LEAST_VALUE)))


def report(scorer: Scorer, thresholds: Thresholds, rules: dict[str, float], found: Sequence[Example]) -> dict[str, Any]:
    """Metrics of one scorer."""
    learnt = [e.text for e in found if e.part != "test"]
    test = unseen([(e.text, e.intent) for e in found if e.part == "test"], learnt)
    parser = IntentParser(scorer, thresholds, rules)
    return {
        "thresholds": {"informational": thresholds.informational, "value_moving": thresholds.value_moving},
        "test": measure(parser, scorer, test),
        "paraphrases": measure(parser, scorer, unseen(PARAPHRASES, learnt)),
    }


def dataset_digest(found: Sequence[Example]) -> str:
    """SHA-256 over all examples, so that metrics name the data they belong to."""
    lines = "\n".join(f"{e.part}\t{e.intent}\t{e.line}\t{e.text}" for e in found)
    return hashlib.sha256(lines.encode()).hexdigest()


def train(root: Path, embedder: Embedder | None) -> dict[str, Any]:
    """Trains, writes both files under ``root``, returns the metrics."""
    found = examples()
    parts = {part: [e for e in found if e.part == part] for part in ("train", "calibration", "test")}
    learnt, calibration = parts["train"], parts["calibration"]
    texts = {part: [e.text for e in rows] for part, rows in parts.items()}
    labelled = {part: [(e.text, e.intent) for e in rows] for part, rows in parts.items()}
    measured = measure_rules([(e.text, e.intent) for e in examples(PER_TEMPLATE_FOR_RULES) if e.part != "test"])
    rules = {name: rule["precision"] for name, rule in measured.items()}

    ngrams = train_linear(ngram_matrix(texts["train"]), ngram_matrix(texts["calibration"]), learnt, calibration, DECAY)
    scorer = NgramScorer(ngrams)
    metrics: dict[str, Any] = {
        "seed": SEED,
        "examples": {part: len(rows) for part, rows in parts.items()},
        "dataset": dataset_digest(found),
        "rules": measured,
        NGRAM: report(scorer, choose_thresholds(scorer, rules, labelled["calibration"]), rules, found),
    }
    arrays = _arrays(NGRAM, ngrams)
    if embedder is not None:
        rows, held = (embedder.embed([spoken_mask(text) for text in texts[part]]) for part in ("train", "calibration"))
        vectors = train_linear(rows, held, learnt, calibration, DECAY / 10)
        both = VectorScorer(vectors, scorer, embedder)
        metrics[VECTOR] = report(both, choose_thresholds(both, rules, labelled["calibration"]), rules, found)
        metrics[VECTOR]["model_hash"] = embedder.model_hash.hex()
        arrays |= _arrays(VECTOR, vectors)
    elif (root / "weights.npz").exists():
        arrays |= _kept(root)
        metrics |= {key: value for key, value in load_metrics(root).items() if key == VECTOR}
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / "weights.npz", allow_pickle=False, **arrays)
    (root / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    return metrics


def _labels(rows: Sequence[Example]) -> NDArray[np.int64]:
    return np.array([LABELS.index(row.intent) for row in rows], np.int64)


def _arrays(kind: str, linear: Linear) -> dict[str, NDArray[Any]]:
    return {
        f"{kind}_weights": linear.weights.astype(np.float16),
        f"{kind}_bias": linear.bias.astype(np.float16),
        f"{kind}_temperature": np.array(linear.temperature),
    }


def _kept(root: Path) -> dict[str, NDArray[Any]]:
    with np.load(root / "weights.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if name.startswith(VECTOR)}


def main() -> None:
    """Command line."""
    arguments = argparse.ArgumentParser(description="Train the language classifier.")
    arguments.add_argument("--embedder", help="module:factory of a zero-argument function that returns an Embedder")
    arguments.add_argument("--output", type=Path, default=HERE, help="folder for weights.npz and metrics.json")
    chosen = arguments.parse_args()
    embedder: Embedder | None = None
    if chosen.embedder:
        module, _, factory = chosen.embedder.partition(":")
        embedder = getattr(importlib.import_module(module), factory)()
    print(json.dumps(train(chosen.output, embedder), indent=1))  # noqa: T201  the report is the output


if __name__ == "__main__":
    main()

"""The language parser: scanner, rules, classifier, thresholds, slots.

Invariant: a pure function of the text and the weights. It says "unknown" when it is not sure, when a slot the intent needs is
missing, and when a request that would move value is negated or a question; its confidence is then that of "none of these".
The confidence of a rule is its measured precision, that of the classifier its calibrated probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streams.decoding.nl.examples import NONE
from streams.decoding.nl.model import (
    LABELS,
    NGRAM,
    VECTOR,
    NgramScorer,
    Scorer,
    Thresholds,
    VectorScorer,
    load_linear,
    load_metrics,
    thresholds_of,
)
from streams.decoding.nl.roles import NEGATED, VALUE_MOVING, missing, slots_for
from streams.decoding.nl.rules import match_rule
from streams.decoding.nl.slots import MAX_SCANNED, mask, scan
from streams.decoding.reading import UNKNOWN, Guess, Reader
from streams.errors import ConfigurationError
from streams.ports.embedder import Embedder

RUNNERS_UP = 3
PLACES = 4
"""Decimals of a confidence: processors differ in the last bits of a sum, and a replay on another one must write the same."""


class IntentParser:
    """``rule_precision``: by rule name, measured on examples."""

    def __init__(self, scorer: Scorer, thresholds: Thresholds, rule_precision: Mapping[str, float]) -> None:
        self._scorer = scorer
        self._thresholds = thresholds
        self._rule_precision = rule_precision

    def parse(self, text: str) -> Guess:
        """The intent of ``text``; only its first MAX_SCANNED characters are read."""
        text = text[:MAX_SCANNED]
        spans = scan(text)
        chances = self._scorer.probabilities(text)
        intent, confidence = self.choose(mask(text, spans), chances)
        slots = slots_for(intent, text, spans)
        if self._refused(intent, confidence, text, slots):
            return Guess(UNKNOWN, round(float(chances[LABELS.index(NONE)]), PLACES), {}, _best(chances, {NONE}))
        return Guess(intent, round(confidence, PLACES), slots, _best(chances, {NONE, intent}))

    def choose(self, masked: str, chances: NDArray[np.float64]) -> tuple[str, float]:
        """(label, confidence) before thresholds: a rule's, else the classifier's best."""
        rule = match_rule(masked)
        if rule is not None:
            return rule.intent, self._rule_precision[rule.name]
        best = int(chances.argmax())
        return LABELS[best], float(chances[best])

    def _refused(self, intent: str, confidence: float, text: str, slots: Mapping[str, str]) -> bool:
        if intent == NONE or confidence < self._thresholds.of(intent) or missing(intent, slots):
            return True
        return intent in VALUE_MOVING and NEGATED.search(text) is not None


def _best(chances: NDArray[np.float64], without: set[str]) -> tuple[tuple[str, float], ...]:
    rounded = (round(chance, PLACES) for chance in chances.tolist())
    ranked = sorted(zip(LABELS, rounded, strict=True), key=lambda pair: -pair[1])
    return tuple(pair for pair in ranked if pair[0] not in without)[:RUNNERS_UP]


def load_parser(embedder: Embedder | None = None) -> IntentParser:
    """The parser with the shipped weights; with an embedder, the one that also looks at sentence vectors.

    Raises ConfigurationError if the vector weights were trained on another model.
    """
    metrics, ngrams = load_metrics(), NgramScorer(load_linear(NGRAM))
    if embedder is not None and embedder.model_hash.hex() != metrics[VECTOR]["model_hash"]:
        raise ConfigurationError(
            f"the language classifier was not trained on the vectors of {embedder.model}",
            "Use the default embedding model, or train again: python -m streams.decoding.nl.train --embedder module:factory",
        )
    scorer = ngrams if embedder is None else VectorScorer(load_linear(VECTOR), ngrams, embedder)
    thresholds = thresholds_of(metrics, NGRAM if embedder is None else VECTOR)
    return IntentParser(scorer, thresholds, {name: rule["precision"] for name, rule in metrics["rules"].items()})


@lru_cache(maxsize=1)
def default_reader() -> Reader:
    """The process-wide reader, with the parser that needs no model files."""
    return Reader(load_parser())

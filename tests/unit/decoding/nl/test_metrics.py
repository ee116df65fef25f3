"""What is said about the classifier is what comes out when it is measured again, and it does not fall below these floors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from connectors.embedding.model import ModelFiles
from connectors.embedding.onnx_embedder import OnnxEmbedder
from streams.decoding.nl.examples import examples
from streams.decoding.nl.measure import measure, unseen
from streams.decoding.nl.model import HERE, LABELS, NGRAM, VECTOR, NgramScorer, VectorScorer, load_linear, load_metrics
from streams.decoding.nl.paraphrases import PARAPHRASES
from streams.decoding.nl.parser import load_parser
from streams.decoding.nl.train import dataset_digest, train

METRICS = load_metrics()
FOUND = examples()
LEARNT = [e.text for e in FOUND if e.part != "test"]
TEST = unseen([(e.text, e.intent) for e in FOUND if e.part == "test"], LEARNT)
UNSEEN = unseen(PARAPHRASES, LEARNT)


def test_whole_templates_are_held_out() -> None:
    lines = {part: {e.line for e in FOUND if e.part == part} for part in ("train", "calibration", "test")}
    assert not lines["train"] & (lines["calibration"] | lines["test"])
    assert not lines["calibration"] & lines["test"]
    assert len({e.text for e in FOUND}) == len(FOUND)
    assert not {e.text for e in FOUND if e.part != "test"} & {text for text, _ in UNSEEN}
    assert 60 <= len(UNSEEN) < len(PARAPHRASES)


def test_enough_examples_of_each_intent() -> None:
    learnt = Counter(e.intent for e in FOUND if e.part == "train")
    assert set(learnt) == set(LABELS)
    assert min(learnt.values()) >= 40


def test_metrics_belong_to_these_examples() -> None:
    assert METRICS["dataset"] == dataset_digest(FOUND)


@pytest.mark.parametrize(("name", "texts"), [("test", TEST), ("paraphrases", UNSEEN)])
def test_metrics_are_what_is_measured(name: str, texts: list[tuple[str, str]]) -> None:
    measured = measure(load_parser(), NgramScorer(load_linear(NGRAM)), texts)
    assert measured == pytest.approx(METRICS[NGRAM][name], abs=0.005)


@pytest.mark.parametrize(
    ("name", "accuracy", "coverage", "precision", "outside"),
    [("test", 0.70, 0.45, 0.92, 0.02), ("paraphrases", 0.80, 0.65, 0.97, 0.04)],
)
def test_floors(name: str, accuracy: float, coverage: float, precision: float, outside: float) -> None:
    measured = METRICS[NGRAM][name]
    assert measured["accuracy"] >= accuracy
    assert measured["coverage"] >= coverage
    assert measured["precision"] >= precision
    assert measured["value_precision"] >= precision
    assert measured["accepted_out_of_scope"] <= outside


@pytest.mark.parametrize("kind", [NGRAM, VECTOR])
def test_moving_value_needs_more(kind: str) -> None:
    thresholds = METRICS[kind]["thresholds"]
    assert 0.5 <= thresholds["informational"] < thresholds["value_moving"] < 1


def test_weights_are_small_and_plain_arrays() -> None:
    assert (HERE / "weights.npz").stat().st_size < 1_000_000
    with np.load(HERE / "weights.npz", allow_pickle=False) as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


@pytest.mark.slow
def test_training_again_gives_the_same_metrics(tmp_path: Path) -> None:
    again = train(tmp_path, None)
    assert again["rules"] == METRICS["rules"]
    assert again[NGRAM]["test"] == pytest.approx(METRICS[NGRAM]["test"], abs=0.02)


@pytest.mark.model
def test_sentence_vectors_raise_accuracy(model_files: ModelFiles) -> None:
    embedder = OnnxEmbedder(model_files)
    scorer = VectorScorer(load_linear(VECTOR), NgramScorer(load_linear(NGRAM)), embedder)
    measured = measure(load_parser(embedder), scorer, UNSEEN)
    assert measured == pytest.approx(METRICS[VECTOR]["paraphrases"], abs=0.02)
    assert measured["accuracy"] > METRICS[NGRAM]["paraphrases"]["accuracy"]
    assert METRICS[VECTOR]["test"]["accuracy"] > METRICS[NGRAM]["test"]["accuracy"]

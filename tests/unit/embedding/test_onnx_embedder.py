"""The ONNX backend: the right numbers, and the same bits whatever the batch."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from connectors.embedding.model import ModelFiles
from connectors.embedding.onnx_embedder import BUDGET, WIDTH, OnnxEmbedder, runs
from tests.unit.embedding.bert import Bert
from tests.unit.embedding.texts import ASCII, SHORT, VARIED

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def fp32(model_files: ModelFiles) -> OnnxEmbedder:
    return OnnxEmbedder(model_files)


@pytest.fixture(scope="module")
def int8(model_files: ModelFiles) -> OnnxEmbedder:
    return OnnxEmbedder(model_files, "int8")


def test_agrees_with_an_independent_forward_pass(fp32: OnnxEmbedder, model_files: ModelFiles) -> None:
    bert = Bert(model_files.folder)
    texts = [text for text in ASCII if len(text) < 1_000]
    for text, vector in zip(texts, fp32.embed(texts), strict=True):
        truth = bert.embed(text)
        assert float(truth @ vector) >= 0.999999, text[:40]
        np.testing.assert_allclose(vector, truth, atol=2e-6)


def test_agrees_with_sentence_transformers(fp32: OnnxEmbedder) -> None:
    """The golden file is what sentence-transformers 6.2.0 on torch 2.15.0 gives for VARIED, one by one, normalised."""
    golden = np.load(Path(__file__).parents[2] / "golden" / "all-MiniLM-L6-v2.npy")
    vectors = fp32.embed(VARIED)
    assert golden.shape == vectors.shape
    assert (golden * vectors).sum(axis=1).min() >= 0.999999
    np.testing.assert_allclose(vectors, golden, atol=1e-6)


def test_vectors_are_unit_float32(fp32: OnnxEmbedder) -> None:
    vectors = fp32.embed(VARIED)
    assert vectors.shape == (len(VARIED), 384) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert fp32.embed([]).shape == (0, 384)


def test_meaning_is_near(fp32: OnnxEmbedder) -> None:
    question, near, far = fp32.embed(
        ["which tokens did I exchange?", "Swapped 3 ETH for USDC on Uniswap", "The weather in Paris is mild in May"]
    )
    assert question @ near > question @ far + 0.1


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_batch_does_not_touch_a_vector(precision: str, fp32: OnnxEmbedder, int8: OnnxEmbedder) -> None:
    """Bit for bit: alone, in order, shuffled, cut anywhere, beside copies of itself."""
    embedder = {"fp32": fp32, "int8": int8}[precision]
    texts = VARIED + SHORT
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    rng = np.random.default_rng(3)
    for size in (len(texts), 7, 33):
        order = rng.permutation(len(texts))
        for start in range(0, len(texts), size):
            part = order[start : start + size]
            assert embedder.embed([texts[i] for i in part]).tobytes() == alone[part].tobytes()
    assert (embedder.embed([texts[0]] * 70) == alone[0]).all()


def test_int8_is_close_to_fp32(fp32: OnnxEmbedder, int8: OnnxEmbedder) -> None:
    texts = VARIED + SHORT
    cosines = (fp32.embed(texts) * int8.embed(texts)).sum(axis=1)
    assert cosines.min() >= 0.99
    assert cosines.mean() >= 0.998
    assert (fp32.embed(texts) != int8.embed(texts)).any()
    assert fp32.backend != int8.backend


def test_only_the_first_256_tokens_count(fp32: OnnxEmbedder) -> None:
    long = "word " * 254
    a, b, c = fp32.embed([long, long + "more and other things", "word " * 253 + "other"])
    assert (a == b).all()
    assert (a != c).any()


def test_tokens_are_counted_whole_and_without_the_special_ones(fp32: OnnxEmbedder) -> None:
    assert fp32.count_tokens("") == 0
    assert fp32.count_tokens("hello world") == 2
    assert fp32.count_tokens("word " * 1_000) == 1_000
    assert fp32.count_tokens("0x" + "ab" * 20) > 15


@given(st.lists(st.integers(0, 256), max_size=200), st.sampled_from([64, BUDGET]))
@settings(deadline=None)
def test_runs_hold_every_text_once_at_its_own_width(lengths: list[int], budget: int) -> None:
    seen = []
    for width, members in runs(lengths, budget):
        assert width % WIDTH == 0
        assert len(members) == 1 or width * len(members) <= budget
        for member in members:
            assert lengths[member] <= width < max(1, lengths[member]) + WIDTH
        seen += members
    assert sorted(seen) == list(range(len(lengths)))

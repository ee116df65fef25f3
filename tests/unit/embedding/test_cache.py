"""The cache in front of an embedder: hits, bound, and no answer for another text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from connectors.embedding import cache
from connectors.embedding.cache import CachedEmbedder
from connectors.embedding.model import ModelFiles
from connectors.embedding.onnx_embedder import OnnxEmbedder
from tests.unit.embedding.texts import SHORT, VARIED


class Watched(OnnxEmbedder):
    """The real embedder; notes what it was asked."""

    asked: list[str]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return super().embed(texts)


@pytest.fixture(scope="module")
def real(model_files: ModelFiles) -> Watched:
    return Watched(model_files)


@pytest.fixture
def watched(real: Watched) -> Watched:
    real.asked = []
    return real


pytestmark = pytest.mark.model


def test_a_hit_has_the_same_bits_and_asks_nobody(watched: Watched) -> None:
    embedder = CachedEmbedder(watched)
    first = embedder.embed(VARIED)
    assert sorted(watched.asked) == sorted(VARIED)
    watched.asked = []
    again = embedder.embed(list(reversed(VARIED)))
    assert watched.asked == []
    assert again[::-1].tobytes() == first.tobytes() == watched.embed(VARIED).tobytes()


def test_a_text_twice_in_a_batch_is_computed_once(watched: Watched) -> None:
    vectors = CachedEmbedder(watched).embed(["x", "y", "x"])
    assert watched.asked == ["x", "y"]
    assert (vectors[0] == vectors[2]).all() and (vectors[0] != vectors[1]).any()


def test_the_cache_is_bounded_and_the_oldest_leave(watched: Watched) -> None:
    embedder = CachedEmbedder(watched, capacity=5)
    embedder.embed(SHORT[:5])
    embedder.embed(SHORT[:1])  # used again, so the second is now the oldest
    embedder.embed(SHORT[5:6])
    assert len(embedder) == 5
    watched.asked = []
    embedder.embed(SHORT[:1])
    assert watched.asked == []
    embedder.embed(SHORT[1:2])
    assert watched.asked == SHORT[1:2]
    embedder.embed(SHORT)
    assert len(embedder) == 5


def test_a_huge_text_is_not_kept(watched: Watched) -> None:
    embedder = CachedEmbedder(watched)
    embedder.embed(["word " * 5_000])
    assert len(embedder) == 0


def test_texts_that_collide_do_not_share_a_vector(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_key", lambda _: b"the same")
    embedder = CachedEmbedder(watched)
    one, other = embedder.embed(["swap"])[0], embedder.embed(["stake"])[0]
    assert (one == watched.embed(["swap"])[0]).all()
    assert (other == watched.embed(["stake"])[0]).all()
    assert (one != other).any()


def test_callers_cannot_change_what_is_cached(watched: Watched) -> None:
    embedder = CachedEmbedder(watched)
    first = embedder.embed(["swap"])
    kept = first.copy()
    first[:] = 0
    assert (embedder.embed(["swap"]) == kept).all()


def test_it_says_what_computed_the_vectors(watched: Watched) -> None:
    embedder = CachedEmbedder(watched)
    assert (embedder.model, embedder.model_hash) == (watched.model, watched.model_hash)
    assert (embedder.backend, embedder.dimension) == ("onnxruntime-fp32", 384)
    assert embedder.count_tokens("hello world") == 2

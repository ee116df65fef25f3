"""The budget holds with the model's own tokenizer, whatever the texts are."""

from __future__ import annotations

import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from connectors.embedding.model import ModelFiles
from connectors.embedding.onnx_embedder import OnnxEmbedder
from streams.serving.context.budget import cut
from streams.serving.context.request import ContextRequest
from streams.serving.context.window import Temporal
from tests.unit.serving.world import ALICE, World, upsert

pytestmark = pytest.mark.model

texts = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
    | st.text(st.sampled_from("swap eth 0x1f[2]\n.é中"), min_size=1, max_size=120),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def embedder(model_files: ModelFiles) -> OnnxEmbedder:
    return OnnxEmbedder(model_files)


@given(texts, st.integers(1, 200), st.sampled_from([None, "plain", "cited"]), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_context_has_more_tokens_than_allowed(
    embedder: OnnxEmbedder, said: list[str], budget: int, render, truncate
) -> None:
    async def run() -> None:
        world = World()
        ref = world.grow()
        await world.remember(*(upsert(ALICE, ref, n, text, timestamp=n) for n, text in enumerate(said)))
        world.embedder.count_tokens = embedder.count_tokens  # type: ignore[method-assign]
        request = ContextRequest(
            ALICE, window=Temporal(100), max_tokens=budget, render=render, truncate=truncate, order="edges"
        )
        answer = await world.finder.find(request)
        handed = [item.text for item in answer.items] if answer.prompt is None else [answer.prompt]
        assert sum(map(embedder.count_tokens, handed)) == answer.tokens <= budget == answer.tokens_allowed
        world.close()

    asyncio.run(run())


@given(st.text(max_size=200), st.integers(0, 30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_text_fits(embedder: OnnxEmbedder, text: str, limit: int) -> None:
    short = cut(text, limit, embedder.count_tokens)
    assert text.startswith(short)
    assert embedder.count_tokens(short) <= limit

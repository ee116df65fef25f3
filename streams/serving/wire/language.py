"""Shapes of vectors and intents."""

from __future__ import annotations

from pydantic import Field

from streams.serving.wire.base import QUERY_LIMIT, Answer, Wire


class EmbeddingRequest(Wire):
    """A text."""

    text: str = Field(min_length=1, max_length=QUERY_LIMIT)


class EmbeddingView(Answer):
    """A vector, L2-normalised, and what made it."""

    model: str
    model_hash: str
    backend: str
    dimension: int
    vector: list[float]


class Guess(Answer):
    """One possible intent."""

    intent: str
    confidence: float


class FeaturesView(Answer):
    """Classes of a transaction, and what weighs it: see ``streams/decoding/features.py`` for the formulas."""

    value_class: str
    gas_class: str
    complexity: str
    token_transfer: bool
    gas_heavy: bool
    first_transaction: bool
    priority: float
    importance: float


class IntentView(Answer):
    """What a transaction asks for. ``method``: signature, if the call data was decoded; ``slots``: its arguments as text;
    ``tags``: labels that its memory would get.
    """

    intent: str
    confidence: float
    method: str | None
    slots: dict[str, str]
    text: str
    alternatives: list[Guess]
    tags: list[str]
    features: FeaturesView

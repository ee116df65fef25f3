"""The two functions behind memories, on their own: a text to its vector, a transaction to its intent. Nothing is kept."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body

from streams.serving.services import Served
from streams.serving.transactions import record_of_json
from streams.serving.wire import EmbeddingRequest, EmbeddingView, FeaturesView, Guess, IntentView

router = APIRouter(prefix="/v1", tags=["understanding"])


@router.post("/embeddings", operation_id="generate_embedding")
async def generate_embedding(wanted: EmbeddingRequest, served: Served) -> EmbeddingView:
    """The vector of a text, as the embedding agent would write it."""
    model = served.vectors.embedder
    vector = await served.vectors.vector(wanted.text)
    return EmbeddingView(
        model=model.model,
        model_hash=model.model_hash.hex(),
        backend=model.backend,
        dimension=model.dimension,
        vector=[float(value) for value in vector],
    )


@router.post("/intents", operation_id="parse_intent")
async def parse_intent(transaction: Annotated[dict[str, Any], Body()], served: Served) -> IntentView:
    """What a transaction asks for, as the intent agent would say: its JSON as a node prints it, with logs if there are any."""
    reading = await asyncio.to_thread(served.reader.read, record_of_json(transaction))
    return IntentView(
        intent=reading.intent,
        confidence=reading.confidence,
        method=reading.method,
        slots=reading.slots,
        text=reading.text,
        alternatives=[Guess(intent=name, confidence=confidence) for name, confidence in reading.alternatives],
        tags=reading.tags,
        features=FeaturesView.model_validate(asdict(reading.features)),
    )

"""Embedding backends and the model files they need. ``open_embedder`` chooses by the settings."""

from __future__ import annotations

from connectors.embedding.cache import CachedEmbedder
from connectors.embedding.model import NAME, locate
from connectors.embedding.yielding import YieldingEmbedder
from streams.errors import ConfigurationError
from streams.ports.embedder import Embedder
from streams.settings import Settings


def open_embedder(settings: Settings) -> Embedder:
    """The embedder the settings name, behind a cache. Raises ConfigurationError: no model files, wrong files, no backend."""
    if settings.rag.embedding_model not in (NAME, NAME.rpartition("/")[2]):
        raise ConfigurationError(f"rag.embedding_model is {settings.rag.embedding_model}", f"The model supported is {NAME}.")
    files = locate(settings.path(settings.rag.models_path))
    if settings.rag.embedding_backend == "torch":
        from connectors.embedding.torch_embedder import TorchEmbedder  # noqa: PLC0415  (an extra, slow to import)

        return CachedEmbedder(TorchEmbedder(files))
    from connectors.embedding.onnx_embedder import OnnxEmbedder  # noqa: PLC0415  (slow to import)

    return CachedEmbedder(OnnxEmbedder(files, "int8" if settings.rag.embedding_backend == "onnx-int8" else "fp32"))


__all__ = ["CachedEmbedder", "YieldingEmbedder", "open_embedder"]

"""The torch backend: its message where the extra is missing; parity and bits where it is there."""

from __future__ import annotations

import builtins
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.embedding import open_embedder
from connectors.embedding.model import ModelFiles
from connectors.embedding.onnx_embedder import OnnxEmbedder
from connectors.embedding.torch_embedder import TorchEmbedder
from streams.errors import ConfigurationError
from streams.settings import Settings
from tests.unit.embedding.texts import VARIED

pytestmark = pytest.mark.model
needs_torch = pytest.mark.skipif(find_spec("sentence_transformers") is None, reason="needs the extra torch")


def test_without_the_extra_it_says_what_to_install(
    model_files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith(("torch", "sentence_transformers")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    (tmp_path / "models").symlink_to(model_files.folder.parent)
    with pytest.raises(ConfigurationError, match=r"needs torch[\s\S]*monmouth\[torch\]"):
        open_embedder(Settings(state_dir=tmp_path, rag={"embedding_backend": "torch"}))


@needs_torch
def test_agrees_with_onnx_and_keeps_its_bits(model_files: ModelFiles) -> None:
    torch = TorchEmbedder(model_files, "cpu")
    together = torch.embed(VARIED)
    assert (together * OnnxEmbedder(model_files).embed(VARIED)).sum(axis=1).min() >= 0.999999
    alone = np.concatenate([torch.embed([text]) for text in VARIED])
    assert alone.tobytes() == together.tobytes()

"""Texts per second of the torch backend on the best device there is, beside sentence-transformers' own ``encode`` on it.

    python -m perf.embedding_gpu [--rows 20000] [--models .monmouth/models]

Runs in any environment with the extra ``torch``. Seconds of wall time, since the device does the work. Ends with an error if
vectors depend on the batch, or are not those of the ONNX backend (cosine under 0.99999).
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import numpy as np

from connectors.embedding.model import locate
from connectors.embedding.onnx_embedder import OnnxEmbedder
from connectors.embedding.torch_embedder import TorchEmbedder
from perf.measure import ROOT, Figure, timed
from perf.texts import mixed

LEAST_COSINE = 0.99999
COMPARED = 500
"""Rows compared with the ONNX backend, which runs on the CPU."""


def show_wall(figures: list[Figure]) -> None:
    """A table by wall time; the first figure is ours."""
    print(f"  {'':44}{'rows':>10}{'wall s':>10}{'texts/s':>12}{'ours / it':>12}")
    for figure in figures:
        rate = figure.rows / figure.wall
        ratio = figures[0].rows / figures[0].wall / rate
        print(f"  {figure.name:44}{figure.rows:>10,}{figure.wall:>10.2f}{rate:>12,.0f}{ratio:>12.2f}")


def shuffled_again(embedder: TorchEmbedder, texts: list[str], size: int) -> np.ndarray:
    """Vectors of ``texts``, computed in another order and in batches of ``size``."""
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    again = np.empty((len(texts), embedder.dimension), np.float32)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        again[part] = embedder.embed([texts[i] for i in part])
    return again


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--models", type=Path, default=ROOT / ".monmouth" / "models")
    said = parser.parse_args()
    texts, files = mixed(said.rows), locate(said.models)
    ours = TorchEmbedder(files)
    ours.embed(texts)  # every shape once: the device's libraries choose their kernels at first sight
    figures = []
    with timed(f"monmouth {ours.backend}", len(texts)) as figure:
        vectors = ours.embed(texts)
    figures.append(figure)
    model = ours._model
    for size in (32, 256):
        model.encode(texts, batch_size=size, show_progress_bar=False)
        with timed(f"sentence-transformers encode, batch {size}", len(texts)) as figure:
            model.encode(texts, batch_size=size, normalize_embeddings=True, show_progress_bar=False)
        figures.append(figure)
    print(f"embedding on {model.device}, mixed stream")
    show_wall(figures)
    part = texts[:COMPARED]
    same = bool(np.array_equal(shuffled_again(ours, part, 7), vectors[:COMPARED]))
    cosine = float((OnnxEmbedder(files).embed(part) * vectors[:COMPARED]).sum(1).min())
    print(f"  least cosine to the ONNX backend over {COMPARED:,} rows {cosine:.7f}; bitwise equal for any batch: {same}")
    if not same or cosine < LEAST_COSINE:
        sys.exit("vectors depend on the batch, or are not the model's")


if __name__ == "__main__":
    main()

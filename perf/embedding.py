"""Embedding texts per CPU second on a mixed stream, one thread, beside sentence-transformers on the same texts.

    .venv/bin/python -m perf.embedding [--rows 1000]

Prints the least cosine between both, and whether our vectors are bitwise the same for another order and batching.
The peer's environment (torch) takes 6 GB of disk and is built on first use.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from connectors.embedding import open_embedder
from connectors.embedding.model import fetch, locate
from perf.measure import ROOT, Figure, peer, show, timed
from perf.texts import mixed
from streams.errors import ConfigurationError
from streams.settings import Settings


def ours(settings: Settings, backend: str, texts: list[str]) -> tuple[Figure, np.ndarray, bool]:
    settings.rag.embedding_backend = backend  # type: ignore[assignment]
    embedder = open_embedder(settings)
    embedder.embed(["warm up"])
    with timed(f"monmouth {backend}", len(texts)) as figure:
        vectors = embedder.embed(texts)
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    again, fresh = np.empty_like(vectors), open_embedder(settings)  # another instance, so that no cache answers
    for start in range(0, len(order), 17):
        part = order[start : start + 17]
        again[part] = fresh.embed([texts[i] for i in part])
    return figure, vectors, bool(np.array_equal(vectors, again))


def theirs(models: Path, texts: list[str]) -> tuple[Figure, np.ndarray]:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "vectors.npy"
        argv = [str(peer("torch") / "python"), "perf/jobs/torch_embed.py", str(locate(models).folder), str(out)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            argv, input=json.dumps(texts), capture_output=True, text=True, cwd=ROOT, env=environment, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        return Figure.from_output(done.stdout), np.load(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000)
    texts = mixed(parser.parse_args().rows)
    settings = Settings(state_dir=ROOT / ".monmouth")
    models = settings.path(settings.rag.models_path)
    try:
        locate(models)
    except ConfigurationError:
        fetch(models)
    fp32, vectors, same = ours(settings, "onnx", texts)
    int8, small, small_same = ours(settings, "onnx-int8", texts)
    peer_figure, reference = theirs(models, texts)
    show("embedding, mixed stream, one thread", [fp32, peer_figure], "texts")
    show("embedding, optional int8", [int8, peer_figure], "texts")
    print(f"  fp32: least cosine to the peer {(vectors * reference).sum(1).min():.7f}; bitwise equal for any batch: {same}")
    print(f"  int8: least cosine to the peer {(small * reference).sum(1).min():.7f}; bitwise equal for any batch: {small_same}")
    if not (same and small_same):
        raise SystemExit("vectors depend on the batch")


if __name__ == "__main__":
    main()

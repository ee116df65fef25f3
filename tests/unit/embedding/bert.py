"""all-MiniLM-L6-v2 once more, plainly, in float64 numpy: what the graphs are compared with.

Shares no code with the product: its own reader, its own tokeniser (WordPiece from vocab.txt, for ASCII), its own forward pass.
"""

from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path

import numpy as np

erf = np.vectorize(math.erf)


def tensors(path: Path) -> dict[str, np.ndarray]:
    blob = path.read_bytes()
    (size,) = struct.unpack("<Q", blob[:8])
    out = {}
    for name, entry in json.loads(blob[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            a, b = entry["data_offsets"]
            out[name] = np.frombuffer(blob[8 + size + a : 8 + size + b], "<f4").reshape(entry["shape"]).astype(np.float64)
    return out


class Bert:
    def __init__(self, folder: Path) -> None:
        self.w = tensors(folder / "model.safetensors")
        self.vocab = {word: i for i, word in enumerate((folder / "vocab.txt").read_text().splitlines())}

    def pieces(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.vocab:
                    found.append(self.vocab[piece])
                    start = end
                    break
            else:
                return [self.vocab["[UNK]"]]
        return found

    def ids(self, text: str) -> list[int]:
        words = re.findall(r"[a-z0-9]+|[^a-z0-9\s]", text.lower())
        inner = [i for word in words for i in self.pieces(word)][:254]
        return [self.vocab["[CLS]"], *inner, self.vocab["[SEP]"]]

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.w[name + ".weight"] + self.w[name + ".bias"]

    def embed(self, text: str) -> np.ndarray:
        ids = self.ids(text)
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        for layer in range(6):
            p = f"encoder.layer.{layer}."
            q, k, v = (
                self.linear(x, p + "attention.self." + part).reshape(len(ids), 12, 32).transpose(1, 0, 2)
                for part in ("query", "key", "value")
            )
            scores = q @ k.transpose(0, 2, 1) / math.sqrt(32)
            shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
            shares /= shares.sum(axis=-1, keepdims=True)
            context = (shares @ v).transpose(1, 0, 2).reshape(len(ids), 384)
            x = self.norm(self.linear(context, p + "attention.output.dense") + x, p + "attention.output.LayerNorm")
            u = self.linear(x, p + "intermediate.dense")
            u = u * 0.5 * (1 + erf(u / math.sqrt(2)))
            x = self.norm(self.linear(u, p + "output.dense") + x, p + "output.LayerNorm")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

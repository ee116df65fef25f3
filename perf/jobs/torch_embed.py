"""sentence-transformers, one thread, in its own environment. argv: model folder, output .npy; texts as JSON on stdin."""

import json
import sys
import time

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

torch.set_num_threads(1)
texts = json.load(sys.stdin)
model = SentenceTransformer(sys.argv[1], device="cpu")
model.encode(texts[:8])
cpu, wall = time.process_time(), time.perf_counter()
vectors = model.encode(texts, batch_size=32, normalize_embeddings=True)
figure = {"name": "sentence-transformers fp32", "rows": len(texts), "cpu": time.process_time() - cpu}
print(json.dumps({**figure, "wall": time.perf_counter() - wall}), flush=True)
np.save(sys.argv[2], vectors.astype(np.float32))

"""A plain retrieval product with our embedder in its own process: mem0 (no language model, its own Qdrant) or Chroma.

argv: ``mem0`` or ``chroma``, folder of the model, scratch folder. A JSON document on stdin: ``agents`` (name -> texts) and
``questions`` (pairs of agent and question). Prints one JSON line: seconds of each addition and each question, and how many
answers named a memory of another agent.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"MEM0_TELEMETRY": "False", "ANONYMIZED_TELEMETRY": "False", "OPENAI_API_KEY": "unused"}
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "MEM0_DIR": str(Path(sys.argv[3]) / "mem0")}
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from connectors.embedding.model import DIMENSION, locate
from connectors.embedding.onnx_embedder import OnnxEmbedder

RESULTS = 10


class Mem0:
    def __init__(self, embedder: OnnxEmbedder, scratch: Path) -> None:
        from mem0 import Memory  # noqa: PLC0415
        from mem0.embeddings.base import EmbeddingBase  # noqa: PLC0415

        class Ours(EmbeddingBase):
            def embed(self, text, memory_action=None):
                return embedder.embed([text])[0].tolist()

            def embed_batch(self, texts, memory_action=None):
                return embedder.embed(list(texts)).tolist()

        store = {"path": str(scratch / "qdrant"), "embedding_model_dims": DIMENSION, "on_disk": True}
        config = {
            "vector_store": {"provider": "qdrant", "config": store},
            "history_db_path": str(scratch / "history.db"),
            "embedder": {"provider": "openai", "config": {"embedding_dims": DIMENSION}},
        }
        self._memory = Memory.from_config(config)
        self._memory.embedding_model = Ours()

    def add(self, agent: str, text: str) -> None:
        self._memory.add(text, user_id=agent, infer=False)

    def ask(self, agent: str, question: str) -> list[str]:
        found = self._memory.search(question, filters={"user_id": agent}, top_k=RESULTS, threshold=0.0)
        return [hit["memory"] for hit in found["results"]]


class Chroma:
    def __init__(self, embedder: OnnxEmbedder, scratch: Path) -> None:
        import chromadb  # noqa: PLC0415
        from chromadb.config import Settings  # noqa: PLC0415

        client = chromadb.PersistentClient(str(scratch / "chroma"), Settings(anonymized_telemetry=False))
        self._all = client.create_collection("memories", metadata={"hnsw:space": "cosine"}, embedding_function=None)
        self._embedder = embedder
        self._count = 0

    def add(self, agent: str, text: str) -> None:
        self._count += 1
        vector = self._embedder.embed([text]).tolist()
        self._all.add(ids=[str(self._count)], embeddings=vector, documents=[text], metadatas=[{"agent": agent}])

    def ask(self, agent: str, question: str) -> list[str]:
        vector = self._embedder.embed([question]).tolist()
        found = self._all.query(query_embeddings=vector, n_results=RESULTS, where={"agent": agent})
        return (found["documents"] or [[]])[0]


def main() -> None:
    kind, models, scratch = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    work = json.load(sys.stdin)
    embedder = OnnxEmbedder(locate(models))
    embedder.embed(["warm up"])
    peer = {"mem0": Mem0, "chroma": Chroma}[kind](embedder, scratch)
    additions, questions, foreign = [], [], 0
    for agent, texts in work["agents"].items():
        for text in texts:
            began = time.perf_counter()
            peer.add(agent, text)
            additions.append(time.perf_counter() - began)
    for agent, question in work["questions"]:
        began = time.perf_counter()
        answer = peer.ask(agent, question)
        questions.append(time.perf_counter() - began)
        foreign += any(text not in work["agents"][agent] for text in answer)
        assert answer, "a question found nothing"
    print(json.dumps({"name": kind, "additions": additions, "questions": questions, "foreign": foreign}))


if __name__ == "__main__":
    main()

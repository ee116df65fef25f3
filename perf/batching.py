"""Adaptive transactions against fixed sizes on a load that changes: how much is done within a deadline.

    .venv/bin/python -m perf.batching [--seconds 48] [--deadline 1.0] [--work 1.0 1.4] [--sizes 8 16 24 32 48 64 128 256 512]

Real work on a real broker: facts of memories go into memory.log, the embedding agent embeds their text and writes vectors, one
transaction after the other. One and the same trace for every row, written by a process of its own: bursts of
``--work`` seconds of embedding in turn, for a while of notes of a sentence, for a while of documents near the model's limit,
and single ones between. How many make a burst follows from what each kind costs on this machine, measured first.
A fact is in time if a reader that sees committed records alone has its vector within the deadline after it was due to be
written. Nothing is dropped: what is late is done too. Goodput is what was in time, a second, in words of text, which is what
embedding costs; the same in facts stands beside it, where nearly all are notes. ``--rounds`` repeats all, each row in turn.
The goal is 40 % more words in time than the best of the fixed sizes, which is known only after the run. How much there is to
gain depends on the load. Where a burst fits the deadline, any large size does as well, since a transaction takes what waits and
no more. Where bursts take about as long as the deadline, or longer, a size that suits notes makes documents late, and the other
way round.
Ends with an error if a vector is missing or doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from blake3 import blake3

from connectors.embedding.model import locate
from connectors.embedding.onnx_embedder import OnnxEmbedder
from connectors.stores import LmdbVectorStore
from infra.topics import apply
from perf.marked import local_broker
from perf.pipeline import MODELS
from perf.texts import WORDS
from schemas.codec import codec
from schemas.defaults import plain_memory
from streams import topics
from streams.agents.base import LocalState
from streams.agents.embedding import EmbeddingAgent
from streams.ports.embedder import Embedder
from streams.ranks import quantile
from streams.runtime import metrics
from streams.runtime.job import AgentFactory, Limits
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings
from streams.signing import Signer, Verifier

GOAL = 1.4
SIZES = (8, 16, 24, 32, 48, 64, 128, 256, 512)
PHASE = 6.0
"""Seconds of one kind of text."""
PERIOD = 2.0
"""Seconds between bursts."""
TRICKLE = 0.1
"""Seconds between single ones."""
NOTE, DOCUMENT = 8, 190
"""Words of a text."""
AGENT = bytes(20)
COLUMNS = (
    *(("size", 11), ("facts", 8), ("trans.", 8), ("words/s", 10), ("facts/s", 9)),
    *(("p50 s", 8), ("p99 s", 8), ("notes", 9), ("documents", 11)),
)
DRAIN = 60.0
SIGNER = Signer(blake3(b"perf/batching").digest())


@dataclass(frozen=True, slots=True)
class Due:
    """Texts that are due at a time: how many, of how many words."""

    at: float
    count: int
    words: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the facts: (words, seconds until the vector was seen) of each; transactions it took."""

    facts: list[tuple[int, float]]
    transactions: int
    seconds: float

    def with_(self, other: Seen) -> Seen:
        """Both runs as one."""
        return Seen(self.facts + other.facts, self.transactions + other.transactions, self.seconds + other.seconds)

    def goodput(self, deadline: float) -> tuple[float, float]:
        """Words, and facts, in time a second."""
        good = [words for words, late in self.facts if late <= deadline]
        return sum(good) / self.seconds, len(good) / self.seconds


ADAPTIVE = "adaptive"


def trace(seconds: float, note: float, document: float, work: Sequence[float]) -> list[Due]:
    """``note``, ``document``: seconds that embedding one takes."""
    found = []
    for burst in range(int(seconds / PERIOD)):
        at = burst * PERIOD
        words, each = (NOTE, note) if int(at / PHASE) % 2 == 0 else (DOCUMENT, document)
        found.append(Due(at, max(1, round(work[burst % len(work)] / each)), words))
        found += [Due(at + TRICKLE * n, 1, words) for n in range(1, int(PERIOD / TRICKLE))]
    return sorted(found, key=lambda due: due.at)


def text(draw: random.Random, words: int) -> str:
    return f"{draw.getrandbits(40):x} " + " ".join(draw.choice(WORDS) for _ in range(words - 1))


def measured(embedder: Embedder, words: int, count: int) -> float:
    """Seconds for one text of so many words."""
    draw = random.Random(words)
    texts = [text(draw, words) for _ in range(count)]
    embedder.embed(texts[:4])
    started = time.perf_counter()
    embedder.embed(texts)
    return (time.perf_counter() - started) / count


def load(bootstrap: str, prefix: str, dues: list[Due], ready: Any, out: Any) -> None:
    """The process that writes and reads."""
    out.put(asyncio.run(_load(bootstrap, prefix, dues, ready)))


async def _load(bootstrap: str, prefix: str, dues: list[Due], ready: Any) -> list[tuple[int, float]]:
    draw, facts, ids = random.Random(3), [], {}
    for due in dues:
        for _ in range(due.count):
            memory_id = draw.randbytes(32)
            memory: Any = plain_memory(memory_id, AGENT, "EPISODIC", "COMMAND", 1_700_000_000)
            memory |= {"content": text(draw, due.words).encode(), "media_type": "text/plain"}
            fact = {"op": "UPSERT", "cause": memory_id, "memory_id": memory_id, "owner": AGENT, "memory": memory, "block": None}
            facts.append((due, codec().encode("MemoryFact", fact)))
            ids[AGENT + memory_id] = due
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", fetch_max_wait_ms=20)
    await producer.start()
    await consumer.start()
    source = TopicPartition(prefix + topics.EMBEDDINGS, 0)
    consumer.assign([source])
    await consumer.seek_to_beginning(source)
    ready.set()
    began = time.monotonic() + 0.5

    async def write() -> None:
        for due, value in facts:
            wait = began + due.at - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            await producer.send(prefix + topics.MEMORY_LOG, value, AGENT, partition=0)

    writing = asyncio.create_task(write())
    seen: list[tuple[int, float]] = []
    met: set[bytes] = set()
    limit = began + dues[-1].at + DRAIN
    while len(met) < len(ids) and time.monotonic() < limit:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            now = time.monotonic()
            for record in records:
                if record.key in met:
                    raise SystemExit("a vector came twice")
                met.add(record.key)
                due = ids[record.key]
                seen.append((due.words, now - began - due.at))
    await writing
    await producer.stop()
    await consumer.stop()
    if len(met) < len(ids):
        raise SystemExit(f"{len(ids) - len(met)} of {len(ids)} vectors are missing {DRAIN:.0f} s after the end")
    return seen


async def run(bootstrap: str, name: str, dues: list[Due], limits: Limits, embedder: Embedder, folder: Path) -> Seen:
    """One row: a worker in this process, the load in another."""
    kafka = KafkaSettings(bootstrap=bootstrap, prefix=f"{name}.", partitions=1)
    await apply(kafka)
    store = LmdbVectorStore(folder / name / "vectors", map_size=1 << 30)
    owned = await store.claim(b"perf/batching")

    async def claim(_: int) -> bytes:
        return store.identity

    def make(partition: int, state: LocalState) -> EmbeddingAgent:
        return EmbeddingAgent(partition, state, embedder, owned)

    stop, context = asyncio.Event(), multiprocessing.get_context("spawn")
    ready, out = context.Event(), context.Queue()
    before = metrics.COMMITS.labels(EmbeddingAgent.name)._value.get()
    settings = Settings(state_dir=folder / name, kafka=kafka)
    factory = AgentFactory(EmbeddingAgent, make, claim=claim)
    worker = asyncio.create_task(run_worker(settings, [factory], Verifier([SIGNER.public]), SIGNER, stop, limits=limits))
    process = context.Process(target=load, args=(bootstrap, kafka.prefix, dues, ready, out))
    process.start()
    try:
        facts = await asyncio.to_thread(out.get, timeout=dues[-1].at + DRAIN + 60)
    finally:
        process.join(10)
        process.kill()
        stop.set()
        await worker
        await store.close()
    count = metrics.COMMITS.labels(EmbeddingAgent.name)._value.get() - before
    return Seen(facts, int(count), dues[-1].at + PERIOD)


def show(name: str, seen: Seen, deadline: float) -> None:
    late = sorted(late for _, late in seen.facts)
    words, facts = seen.goodput(deadline)
    shares = []
    for kind in (NOTE, DOCUMENT):
        of = [late for words_, late in seen.facts if words_ == kind]
        shares.append(f"{sum(one <= deadline for one in of) / len(of):>7.0%}" if of else f"{'-':>7}")
    print(
        f"  {name:>9}{len(late):>8,}{seen.transactions:>8,}{words:>10,.0f}{facts:>9,.0f}"
        f"{quantile(late, 0.5):>8.2f}{quantile(late, 0.99):>8.2f}{shares[0]:>9}{shares[1]:>11}",
        flush=True,
    )


async def compare(options: argparse.Namespace, bootstrap: str, folder: Path) -> bool:
    embedder = OnnxEmbedder(locate(MODELS))
    note, document = measured(embedder, NOTE, 64), measured(embedder, DOCUMENT, 12)
    dues = trace(options.seconds, note, document, options.work)
    works = ", ".join(f"{one:g}" for one in options.work)
    print(f"\na note takes {1e3 * note:.2f} ms to embed, a document {1e3 * document:.1f} ms")
    print(f"bursts of {works} s of work every {PERIOD:g} s")
    print(f"words/s, facts/s and shares are of what was seen within {options.deadline:g} s\n")
    print("".join(f"{name:>{width}}" for name, width in COLUMNS))
    await run(bootstrap, "warm", trace(PERIOD, note, document, [0.2]), Limits(), embedder, folder)  # the broker's own start
    rows = {str(size): Limits(poll_records=size, poll_least=size) for size in options.sizes}
    rows[ADAPTIVE] = Limits(poll_seconds=options.deadline / 3)
    done: dict[str, Seen] = {}
    for turn in range(options.rounds):
        for name, limits in rows.items():
            seen = await run(bootstrap, f"{name}-{turn}", dues, limits, embedder, folder)
            done[name] = seen.with_(done[name]) if name in done else seen
    for name, seen in done.items():
        show(name, seen, options.deadline)
    ours, fixed = done.pop(ADAPTIVE), done
    best = max(fixed, key=lambda name: fixed[name].goodput(options.deadline)[0])
    words = ours.goodput(options.deadline)[0] / max(1e-9, fixed[best].goodput(options.deadline)[0])
    facts = ours.goodput(options.deadline)[1] / max(1e-9, *(seen.goodput(options.deadline)[1] for seen in fixed.values()))
    said = "met" if words >= GOAL else "missed"
    print(f"\nwords in time: {words:.2f} times those of the best fixed size ({best}); goal {GOAL}: {said}")
    print(f"facts in time: {facts:.2f} times those of the fixed size that is best at these")
    return words >= GOAL


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=48.0, help="of the trace, for each row")
    parser.add_argument("--deadline", type=float, default=1.0)
    parser.add_argument("--work", type=float, nargs="+", default=[1.0, 1.4], help="seconds of embedding of the bursts, in turn")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, local_broker(Path(folder) / "broker") as broker:
        asyncio.run(compare(options, broker.bootstrap, Path(folder)))


if __name__ == "__main__":
    main()

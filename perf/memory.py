"""An agent developer's own view: seconds of one memory stored and one question answered, beside mem0 and Chroma.

    .venv/bin/python -m perf.memory [--memories 1000] [--questions 200]

Ours is the whole product in processes of its own: a gateway over HTTP with a token, one exactly-once worker, a broker, a node;
a memory counts as stored when the log has acknowledged it. The peers run in the process that asks, with our embedder (fp32, one
thread): mem0 with its own Qdrant on disk and no language model (``infer=False``), Chroma with a persistent collection.
The same texts and questions for all: turns and questions of the LoCoMo development conversations where the data are there,
else a synthetic stream. Nothing is asked twice but in the column that says so, which asks all questions ``--again`` times. One
caller, one request at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from connectors.embedding.model import fetch
from perf.measure import ROOT, peer
from perf.pipeline import MODELS, Pipeline, mine, pipeline, until, watching
from perf.texts import mixed
from streams.identity.operator import load_or_create_operator_token
from streams.ranks import quantile
from streams.serving.client import AsyncClient
from streams.serving.client_errors import GatewayError

DATA = Path(os.environ.get("MONMOUTH_DATA", ROOT.parent / "shared" / "data")) / "locomo" / "locomo-dev5.json"
COLD_GOAL, CACHED_GOAL, OPERATION_GOAL = 50.0, 2.0, 10.0  # ms
READS = 200
"""Of one memory, of each agent."""
START_SECONDS, SETTLE_SECONDS = 60.0, 600.0


def work(memories: int, questions: int) -> dict[str, Any]:
    """Texts by agent, and questions with the agent each is for."""
    if not DATA.exists():
        print(f"{DATA} is not there: synthetic texts", flush=True)
        texts, asked = mixed(memories), mixed(questions, seed=8)
        agents = {_address(n): texts[n::5] for n in range(5)}
        return {"agents": agents, "questions": [(_address(n % 5), text) for n, text in enumerate(asked)]}
    samples = json.loads(DATA.read_text())
    agents, pairs = {}, []
    for n, sample in enumerate(samples):
        talk = sample["conversation"]
        sessions = [talk[key] for key in talk if key.startswith("session_") and isinstance(talk[key], list)]
        turns = [f"{turn['speaker']}: {turn['text']}" for session in sessions for turn in session]
        agents[_address(n)] = turns[: memories // len(samples)]
        pairs.append([(_address(n), qa["question"]) for qa in sample["qa"]])
    return {"agents": agents, "questions": [pair for row in zip(*pairs, strict=False) for pair in row][:questions]}


def _address(number: int) -> str:
    return f"0x{number + 1:040x}"


async def ours(line: Pipeline, load: dict[str, Any], again: int) -> dict[str, list[float]]:
    """Seconds of each operation."""
    line.producer()
    line.worker()
    url = line.gateway()
    settings = line.settings
    async with watching(settings) as watch:
        mine(line.node, 3, 1)
        await until(lambda: all(watch.passed(key, 3) is not None for key in line.shares()), "first blocks through")
    token = load_or_create_operator_token(settings.path(settings.security.operator_token_file))
    async with AsyncClient(url, token=token) as client:
        await _answers(client)
        figures: dict[str, list[float]] = {"additions": [], "reads": []}
        last: dict[str, str] = {}
        for agent, texts in load["agents"].items():
            for text in texts:
                began = time.perf_counter()
                receipt = await client.store(agent, text)
                figures["additions"].append(time.perf_counter() - began)
                last[agent] = receipt.memory_id
        await _settled(client, load, last)
        for agent, memory_id in last.items():
            for _ in range(READS):
                began = time.perf_counter()
                await client.get(agent, memory_id)
                figures["reads"].append(time.perf_counter() - began)
        figures["questions"] = [await _asked(client, *pair) for pair in load["questions"]]
        figures["again"] = [await _asked(client, *pair) for _ in range(again) for pair in load["questions"]]
    return figures


async def _answers(client: AsyncClient) -> None:
    """Waits until the gateway does."""
    deadline = time.perf_counter() + START_SECONDS
    while True:
        try:
            await client.chain()
            return
        except GatewayError:
            if time.perf_counter() > deadline:
                raise
            await asyncio.sleep(0.2)


async def _settled(client: AsyncClient, load: dict[str, Any], last: dict[str, str]) -> None:
    """Waits until the last memory of each agent is found by its own text."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    for agent, memory_id in last.items():
        text = load["agents"][agent][-1]
        while memory_id not in {i.citation.memory_id for i in (await client.query_context(agent, text, 20)).items}:
            if time.perf_counter() > deadline:
                raise SystemExit(f"memories not searchable within {SETTLE_SECONDS:.0f} s")
            await asyncio.sleep(0.5)


async def _asked(client: AsyncClient, agent: str, question: str) -> float:
    began = time.perf_counter()
    answer = await client.query_context(agent, question, 10)
    seconds = time.perf_counter() - began
    if not answer.items:
        raise SystemExit(f"nothing found for {question!r}")
    return seconds


def theirs(kind: str, load: dict[str, Any]) -> dict[str, Any]:
    """What a peer took, in a process of its own."""
    python = str(peer("rag") / "python")
    with tempfile.TemporaryDirectory() as scratch:
        argv = [python, "perf/jobs/rag_peers.py", kind, str(MODELS), scratch]
        done = subprocess.run(argv, input=json.dumps(load), capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{kind} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(name: str, what: str, seconds: list[float], mine_p95: float | None = None) -> float:
    """Prints a row; its p95 in ms."""
    p50, p95, p99 = (1000 * quantile(seconds, share) for share in (0.5, 0.95, 0.99))
    ratio = "" if mine_p95 is None else f"{p95 / mine_p95:>12.2f}"
    print(f"  {name:12}{what:34}{len(seconds):>8,}{p50:>10.2f}{p95:>10.2f}{p99:>10.2f}{ratio}", flush=True)
    return p95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=1_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--again", type=int, default=10, help="times that each question is asked once more")
    args = parser.parse_args()
    fetch(MODELS)
    load = work(args.memories, args.questions)
    agents = ("intent", "memory", "embedding", "lattice")
    with tempfile.TemporaryDirectory() as scratch, pipeline(Path(scratch), *agents) as line:
        figures = asyncio.run(ours(line, load, args.again))
    peers = {kind: theirs(kind, load) for kind in ("mem0", "chroma")}
    print(f"\n{sum(map(len, load['agents'].values()))} memories of {len(load['agents'])} agents; ms; ratio: its p95 to ours")
    print(f"  {'':46}{'rows':>8}{'p50':>10}{'p95':>10}{'p99':>10}{'ratio':>12}")
    stored = show("monmouth", "store, acknowledged", figures["additions"])
    for kind, found in peers.items():
        show(kind, "add", found["additions"], stored)
    show("monmouth", "read one", figures["reads"])
    cold = show("monmouth", "question, with its embedding", figures["questions"])
    for kind, found in peers.items():
        show(kind, "question, with its embedding", found["questions"], cold)
    show("monmouth", "question asked before", figures["again"])
    operation = [1000 * quantile(figures[name], 0.99) for name in ("additions", "reads")]
    cached = 1000 * quantile(figures["again"], 0.99)
    print(
        f"  goals: question p95 {cold:.1f} of {COLD_GOAL:.0f} ms; asked before p99 {cached:.2f} of {CACHED_GOAL:.0f} ms; ",
        end="",
    )
    print(f"store and read p99 {operation[0]:.1f} and {operation[1]:.1f} of {OPERATION_GOAL:.0f} ms")
    foreign = {kind: found["foreign"] for kind, found in peers.items()}
    print(f"  answers that held a memory of another agent: {foreign}")


if __name__ == "__main__":
    main()

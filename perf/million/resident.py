"""A process that holds what a worker or a gateway holds, says how many bytes that is, and answers until its input ends.

Prints JSON lines: ``{"ready": seconds since start, "anonymous": bytes, "mapped": bytes, ...}``. Anonymous memory is what the
process alone needs; mapped pages of LMDB are the system's cache of files, given back whenever others need them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import random
import sys
import time
from pathlib import Path
from typing import Any

from connectors.stores import open_memory_store, open_vector_store
from perf.million.chain import agent_of
from streams.agents.lattice import LatticeAgent
from streams.agents.memory import MemoryAgent
from streams.allocator import give_back
from streams.runtime.state import StateStore, state_path
from streams.serving.server import Gateway, Stores
from streams.settings import Settings, load_settings
from streams.signing import load_or_create_signer, load_verifier
from streams.vault.keys import KeyStore
from streams.vault.sealing import sealed_records
from tests.e2e.fake_embedder import HashEmbedder

STARTED = time.monotonic()


def resident() -> dict[str, int]:
    """Bytes of this process, by what backs them."""
    gc.collect()
    give_back()  # as the gateway does once a minute
    found = {}
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if rest.strip().endswith("kB"):
            found[name] = 1024 * int(rest.split()[0])
    return {"anonymous": found["Anonymous"], "mapped": found["Rss"] - found["Anonymous"]}


def say(**what: Any) -> None:
    print(json.dumps({**what, **resident(), "seconds": time.monotonic() - STARTED}), flush=True)


def worker(settings: Settings, keys: KeyStore, agents: int) -> None:
    """Lattice and memory agents of all partitions on their local state: at rest, and after a tenth of the agents were read."""
    store = open_memory_store(settings)
    states = [StateStore(state_path(settings.state_dir, name, p)) for name in ("lattice", "memory") for p in _all(settings)]
    lattices = [LatticeAgent(p, states[p], keys.leaf_secret) for p in _all(settings)]
    memories = [MemoryAgent(p, states[settings.kafka.partitions + p], store) for p in _all(settings)]
    say(what="at rest")
    rng = random.Random(7)
    for _ in range(min(agents, 20_000)):
        agent = agent_of(rng.randrange(agents))
        for lattice in lattices:
            lattice._accounts[agent]
    for lattice in lattices:
        lattice._accounts.trim()
    say(what="caches full", held=sum(len(lattice._accounts._cache) for lattice in lattices), idle=len(memories))
    sys.stdin.read()


def _all(settings: Settings) -> range:
    return range(settings.kafka.partitions)


async def gateway(settings: Settings) -> None:
    """A whole gateway, from start to the end of every topic."""
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    stores = Stores(open_memory_store(settings), open_vector_store(settings))
    running = Gateway(settings, stores, HashEmbedder(), verifier)
    await running.start()
    views = running.tails
    for view in (views.chain, views.roots, views.sessions, views.edges, views.progress):
        await view.tail.barrier(3_600)
    say(what="ready", url=running.url, roots=len(views.roots._roots))
    await asyncio.to_thread(sys.stdin.readline)
    say(what="after questions")
    await asyncio.to_thread(sys.stdin.read)
    await running.stop()
    await stores.vectors.close()
    await stores.memories.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["worker", "gateway"])
    parser.add_argument("--agents", type=int, default=1)
    wanted = parser.parse_args()
    logging.disable(logging.INFO)
    settings = load_settings()
    with sealed_records(settings) as keys:
        if wanted.part == "gateway":
            asyncio.run(gateway(settings))
        else:
            worker(settings, keys, wanted.agents)


if __name__ == "__main__":
    main()

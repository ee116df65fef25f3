"""One whole deployment as a process: producer, worker and gateway, with the settings of the environment.

Vectors come from hashes, so that no model is needed. Says where the gateway answers, and stops at SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal

from connectors.chain.rpc import RpcSource
from connectors.stores import open_memory_store, open_vector_store
from streams.serving.run import run_gateway
from streams.serving.server import Gateway, Stores
from streams.settings import Settings, load_settings
from streams.signing import load_or_create_signer, load_verifier
from streams.vault.sealing import sealed_records
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import producing, working

WORK = ("memory", "embedding", "lattice")


async def serve(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    source = RpcSource(settings.chain.rpc_url, level="roots")
    async with working(settings, WORK, HashEmbedder()), producing(settings, source):
        stores = Stores(open_memory_store(settings), open_vector_store(settings))
        started: asyncio.Future[Gateway] = asyncio.get_running_loop().create_future()
        started.add_done_callback(lambda done: None if done.cancelled() else print(f"gateway: {done.result().url}", flush=True))
        await run_gateway(settings, stores, HashEmbedder(), verifier, stop, started=started)
        await stores.vectors.close()
        await stores.memories.close()
    await source.close()


if __name__ == "__main__":
    with sealed_records(own := load_settings()):
        asyncio.run(serve(own))

"""A short run of the pipeline with reorganisations, and a gateway that serves the schema registry.

Both are in a thread of their own, so that clients that block can be used in tests.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.chain.devchain import Step
from connectors.chain.devchain.steps import StepKind
from connectors.stores import open_memory_store, open_vector_store
from infra.topics import apply
from streams.cli.subjects import register_subjects
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from tests.e2e.expected import Expected
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import small
from tests.identity import operator_token

AGENTS = ("intent", "memory")
START_SECONDS = 120
REORGS = (Step(StepKind.REORG, 2, 1), Step(StepKind.NESTED, 1, 1), Step(StepKind.FLIP, 1, 1))


@dataclass
class Stage:
    """What a tap needs to know. ``expected``: of the canonical chain."""

    settings: Settings
    registry: str
    token: str
    expected: Expected

    @property
    def bootstrap(self) -> str:
        return self.settings.kafka.bootstrap

    def topic(self, name: str) -> str:
        """The broker's name of it."""
        return self.settings.kafka.prefix + name


@contextmanager
def staged(settings: Settings) -> Iterator[Stage]:
    """The topics filled, the gateway up until the end."""
    ready: Future[Stage] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        try:
            loop.run_until_complete(_run(settings, ready, stop))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=run, name="stage")
    thread.start()
    try:
        yield ready.result(START_SECONDS)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


async def _run(settings: Settings, ready: Future[Stage], stop: asyncio.Event) -> None:
    await apply(settings.kafka)
    await register_subjects(settings)
    async with small(settings, AGENTS, blocks=6) as pipeline:
        for step in REORGS:
            for _ in pipeline.node.apply(step):
                await asyncio.sleep(0.3)  # so that the producer sees each branch
            pipeline.advance(2)
        expected = await pipeline.agree()
    settings.gateway.port = settings.gateway.metrics_port = 0
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    stores = Stores(open_memory_store(settings), open_vector_store(settings))
    gateway = Gateway(settings, stores, HashEmbedder(), verifier)
    await gateway.start()
    try:
        ready.set_result(Stage(settings, f"{gateway.url}/registry", operator_token(settings), expected))
        await stop.wait()
    finally:
        await gateway.stop()
        await stores.memories.close()
        await stores.vectors.close()

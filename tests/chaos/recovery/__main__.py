"""``python -m tests.chaos.recovery --faults NAME,...``: each fault on a scene of its own; exit code 1 if one went wrong."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from infra.broker import LocalBroker
from infra.milvus import LocalMilvus
from infra.topics import apply
from streams.settings import KafkaSettings, RagSettings, Settings
from tests.broker_fixtures import PROPERTIES
from tests.chaos.__main__ import JARS
from tests.chaos.recovery import outside
from tests.chaos.recovery.faults import FAULTS as INSIDE
from tests.chaos.recovery.scene import LIMITS, USUAL_CAST, Cast, scene
from tests.chaos.stage import MODELS
from tests.milvus_fixtures import programs

FAULTS = INSIDE | outside.FAULTS
PARTITIONS = 2
SESSION_MS = 1_500


async def play(name: str, bootstrap: str, folder: Path) -> bool:
    """Strikes once, and prints a row."""
    prefix = f"heal-{uuid.uuid4().hex[:8]}."
    kafka = KafkaSettings(bootstrap=bootstrap, prefix=prefix, partitions=PARTITIONS, session_timeout_ms=SESSION_MS)
    await apply(kafka)
    began, wrong = time.monotonic(), ""
    rag = RagSettings(models_path=MODELS.resolve())
    async with AsyncExitStack() as stack:
        cast, limits = USUAL_CAST, LIMITS
        if name in outside.FAULTS:
            cast, limits = await stack.enter_async_context(with_milvus(folder / f"{name}-milvus")), outside.LIMITS
        at = await stack.enter_async_context(
            scene(Settings(state_dir=folder / name, kafka=kafka, rag=rag), limits=limits, cast=cast)
        )
        began = time.monotonic()
        try:
            await FAULTS[name](at)
        except (AssertionError, TimeoutError) as error:
            wrong = str(error) or type(error).__name__
        seconds = time.monotonic() - began
        done = ", ".join(f"{strategy} of {target} {outcome}" for strategy, target, outcome in at.outcomes)
    print(f"{name:<18} {'NOT GOOD: ' + wrong if wrong else 'good'}  {seconds:.1f} s  {done}", flush=True)
    return not wrong


@asynccontextmanager
async def with_milvus(folder: Path) -> AsyncIterator[Cast]:
    """One worker and a gateway, with vectors in a server of their own."""
    server = LocalMilvus(folder, programs=programs(), exposed=True)
    await asyncio.to_thread(server.start)
    try:
        yield Cast(("memory", "embedding"), 1, server, outside.PATIENCE)
    finally:
        await asyncio.to_thread(server.stop)


async def play_all(names: Sequence[str], folder: Path) -> bool:
    broker = LocalBroker(folder / "kafka", jars=JARS, properties=PROPERTIES, record_startup=False)
    await asyncio.to_thread(broker.start)
    try:
        return all([await play(name, broker.bootstrap, folder) for name in names])
    finally:
        await asyncio.to_thread(broker.stop)


def main(argv: Sequence[str]) -> int:
    faults = "\n".join(f"  {name:<18} {strike.__doc__}" for name, strike in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.recovery", epilog=faults, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", default="all", metavar="NAME,...", help="which, or all")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep logs and state here")
    said = parser.parse_args(argv)
    names = list(FAULTS) if said.faults == "all" else said.faults.split(",")
    if unknown := [name for name in names if name not in FAULTS]:
        parser.error(f"no fault is called {', '.join(unknown)}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = said.keep or Path(tempfile.mkdtemp(prefix="recovery-"))
    return 0 if asyncio.run(play_all(names, folder)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A worker process of a scale run: the product's runtime with the ledger. argv: settings as JSON, file for its count.

The file gets the number of records folded, twice a second, so that repeats show; what a killed worker did since is not known.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from streams.collector import relax_collector
from streams.runtime import metrics
from streams.runtime.job import AgentFactory
from streams.runtime.worker import run_worker
from streams.settings import Settings
from tests.chainlog import SIGNER, VERIFIER
from tests.scale.ledger import Ledger

EVERY = 0.5


async def count(file: Path) -> None:
    folded = metrics.FOLDED.labels(Ledger.name)
    while True:
        file.write_text(f"{folded._value.get():.0f}")
        await asyncio.sleep(EVERY)


async def work(settings: Settings, file: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    counting = asyncio.create_task(count(file))
    await run_worker(settings, [AgentFactory(Ledger, Ledger)], VERIFIER, SIGNER, stop)
    counting.cancel()
    file.write_text(f"{metrics.FOLDED.labels(Ledger.name)._value.get():.0f}")


if __name__ == "__main__":
    relax_collector()
    asyncio.run(work(Settings.model_validate_json(sys.argv[1]), Path(sys.argv[2])))

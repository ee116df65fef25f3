"""Replay of a log into lost local state, per CPU second, beside the live run that committed it.

    .venv/bin/python -m perf.replay [--rows 1000000] [--agent count|lattice]

A worker folds the whole log, exactly once; then its local state is deleted and another one starts, which must do all of that
work again, outputs dropped, before it goes on. The state it comes to must be the one that was committed.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from infra.topics import apply
from perf.eos import kafka, worker_job
from perf.fold import facts
from perf.jobs.worker import SEED
from perf.marked import chain, local_broker, steps_of, write
from perf.measure import Figure, run_child, show
from streams.runtime.state import StateStore, state_path
from streams.settings import Settings
from streams.signing import Signer
from streams.topics import MEMORY_LOG


def state_of(settings: Settings, what: str) -> list[list[tuple[bytes, bytes]]]:
    """All local state of an agent, by partition."""
    found = []
    for partition in range(settings.kafka.partitions):
        store = StateStore(state_path(settings.state_dir, what, partition))
        found.append(list(store.scan(b"")))
        store.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--per-block", type=int, default=250, help="records of a block in one partition")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--agent", default="count", choices=["count", "lattice"])
    said = parser.parse_args()
    blocks = said.rows // (said.per_block * said.partitions)
    rows = blocks * said.per_block * said.partitions
    with tempfile.TemporaryDirectory() as scratch, local_broker(Path(scratch)) as broker:
        settings = Settings(state_dir=Path(scratch) / "state", kafka=kafka(broker.bootstrap, "replay.", said.partitions))
        asyncio.run(apply(settings.kafka))
        steps = chain(MEMORY_LOG, Signer(SEED), said.partitions, blocks, facts(said.per_block, said.partitions))
        asyncio.run(write(broker.bootstrap, "replay." + MEMORY_LOG, steps))
        live = worker_job(said.agent, settings, blocks * said.partitions, rows, "exactly-once")
        committed = state_of(settings, said.agent)
        shutil.rmtree(settings.state_dir / "local")
        _, output = run_child("replay", [sys.executable, "-m", "perf.jobs.replay", said.agent, settings.model_dump_json()])
        again = Figure.from_output(output)
        markers = steps_of(blocks) * said.partitions
        if again.rows != rows + markers or state_of(settings, said.agent) != committed:
            raise SystemExit(f"replayed {again.rows:,} records, due {rows + markers:,}; or the state differs")
        again.rows = rows
    show("replay into lost local state", [again, live], "facts")
    print(f"  wall time: {100 * live.wall / again.wall:.0f} % of the live rate (goal: 80 %)")


if __name__ == "__main__":
    main()

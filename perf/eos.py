"""Exactly-once events per CPU second, one output each, beside faust-streaming and Quix Streams on the same broker.

    .venv/bin/python -m perf.eos [--rows 200000] [--quix-rows 100000] [--faust-rows 10000] [--partitions 4]

Ours: the product's worker with a stream agent that copies a ~480-byte Avro record, over a marked log: every block is verified
(signature, count, digest), its marker counted, signed and forwarded, checkpoints and offsets in the same transaction. Peers:
JSON of the same size, one JSON out. What came out is counted by a read_committed reader.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from infra.topics import apply
from perf.jobs.worker import COPIES, EVENTS, SEED
from perf.marked import Row, agent_address, chain, committed, create, local_broker, steps_of, write
from perf.measure import ROOT, Figure, peer, run_child, show, told
from schemas.codec import codec
from streams.core.block import BlockRef
from streams.core.ids import content_id
from streams.settings import KafkaSettings, Settings
from streams.signing import Signer

GOAL = 60_000
TEXT = "transfer of 1.5 ETH from 0x3fa1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3 to the exchange, as agreed with the other one, " * 2
AGENTS = [agent_address(n) for n in range(64)]


def events(per_block: int) -> object:
    """Fills a block's partition with ``per_block`` Intent records of about 480 bytes."""

    def fill(block: BlockRef, partition: int) -> Iterable[Row]:
        for index in range(per_block):
            agent = AGENTS[(index + partition) % len(AGENTS)]
            record = {
                "chain_id": 1337, "block": block.record(), "timestamp": 1_700_000_000, "agent": agent,
                "transaction": content_id("perf/tx", block.hash, partition, index), "transaction_index": index,
                "intent": "transfer", "confidence": 0.5, "method": "transfer(address,uint256)",
                "slots": {"token": "ETH", "amount": str(index)}, "text": TEXT, "alternatives": [],
            }  # fmt: skip
            yield agent, codec().encode("Intent", record)

    return fill


def kafka(bootstrap: str, prefix: str, partitions: int) -> KafkaSettings:
    return KafkaSettings(bootstrap=bootstrap, prefix=prefix, partitions=partitions)


def worker_job(what: str, settings: Settings, blocks: int, rows: int, guarantee: str, *profile: str) -> Figure:
    """The figure of a worker process."""
    argv = [sys.executable, "-m", "perf.jobs.worker", what, settings.model_dump_json(), str(blocks), str(rows), guarantee]
    _, output = run_child(what, [*argv, *profile])
    print(f"  {what}, {guarantee}: {next(line for line in output.splitlines() if line.endswith(' transactions'))}")
    return Figure.from_output(output)


def ours(bootstrap: str, rows: int, per_block: int, partitions: int, profile: list[str]) -> Figure:
    prefix = f"eos{rows}."
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(state_dir=Path(scratch), kafka=kafka(bootstrap, prefix, partitions))
        blocks = rows // (per_block * partitions)
        rows = blocks * per_block * partitions
        asyncio.run(apply(settings.kafka))
        asyncio.run(create(bootstrap, partitions, prefix + EVENTS, prefix + COPIES))
        steps = chain(EVENTS, Signer(SEED), partitions, blocks, events(per_block))  # type: ignore[arg-type]
        asyncio.run(write(bootstrap, prefix + EVENTS, steps))
        figure = worker_job("copy", settings, blocks * partitions, rows, "exactly-once", *profile)
    found = list(asyncio.run(committed(bootstrap, prefix + COPIES)))
    markers = sum(key is None for key, _ in found)
    transactions = {codec().decode(value)[1]["transaction"] for key, value in found if key is not None}
    demand("monmouth", (len(found) - markers, len(transactions), markers), (rows, rows, steps_of(blocks) * partitions))
    return figure


def theirs(bootstrap: str, name: str, rows: int, partitions: int) -> Figure:
    source, sink = f"{name}-in", f"{name}-out"
    row = {"agent": "0x" + AGENTS[0].hex(), "amount": 1, "text": (TEXT * 2)[:380]}

    async def fill() -> None:
        await create(bootstrap, partitions, source, sink)
        values = (json.dumps({"id": i, **row}).encode() for i in range(rows))
        chunks = iter(lambda: list(islice(values, 1000)), [])
        await write(
            bootstrap, source, ([[(b"k", v) for v in chunk[p::partitions]] for p in range(partitions)] for chunk in chunks)
        )

    asyncio.run(fill())
    job = ROOT / "perf" / "jobs" / f"{name}_eos.py"
    with tempfile.TemporaryDirectory() as scratch:
        argv = [str(peer(name) / "python"), str(job), bootstrap, source, sink, str(rows)]
        if name == "faust":
            argv += ["worker", "-l", "error"]
        _, output = run_child(name, argv, QUIXSTREAMS_STATE_DIR=scratch)
    found = [json.loads(value)["id"] for _, value in asyncio.run(committed(bootstrap, sink)) if value is not None]
    demand(name, (len(found), len(set(found))), (rows, rows))
    return Figure.from_output(output)


def demand(name: str, found: tuple[int, ...], due: tuple[int, ...]) -> None:
    """Ends the run if the counts are wrong."""
    if found != due:
        raise SystemExit(f"{name}: committed (rows, distinct rows[, markers]) {found}, due {due}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--quix-rows", type=int, default=100_000)
    parser.add_argument("--faust-rows", type=int, default=10_000)
    parser.add_argument("--per-block", type=int, default=50, help="records of a block in one partition")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--profile", nargs=1, default=[], help="write a cProfile file of our worker here (slows it down)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, local_broker(Path(scratch)) as broker:
        figures = [ours(broker.bootstrap, args.rows, args.per_block, args.partitions, args.profile)]
        for name, rows in (("quix", args.quix_rows), ("faust", args.faust_rows)):
            if rows:
                figures.append(theirs(broker.bootstrap, name, rows, args.partitions))
    show("exactly-once, one output each", figures, "events")
    print(told(figures[0], GOAL, "events"))


if __name__ == "__main__":
    main()

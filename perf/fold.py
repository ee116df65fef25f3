"""Exactly-once folds with few outputs, per CPU second; and what exactly-once costs over at-least-once.

    .venv/bin/python -m perf.fold [--rows 200000] [--per-block 250] [--runs 3]

``count``: facts per agent, so that what it costs is the runtime: every block read, verified and decoded, local state and
checkpoints written. ``lattice``: the product's agent, which hashes every fact into the lattice and the Merkle tree of its agent
and keeps it in local state. Both write one row per agent and transaction. Each also runs with a log client without transactions
(``perf/plain.py``); pairs of runs take turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from aiokafka.partitioner import murmur2
from blake3 import blake3

from infra.topics import apply
from perf.eos import demand, kafka, worker_job
from perf.jobs.worker import SEED
from perf.marked import Fill, KeyValue, Row, agent_address, chain, committed, local_broker, write
from perf.measure import Figure, show, told
from schemas.codec import codec
from streams.core.block import BlockRef
from streams.core.ids import content_id
from streams.core.leaf import leaf_of
from streams.core.lthash import LtHash, merge, sum_elements
from streams.settings import Settings
from streams.signing import Signer
from streams.topics import MEMORY_LOG, ROOTS

GOAL = 120_000
AGENTS = 400
TEXT = b"sold 1.5 ETH for 4,200 USDC on the exchange, as the plan of last week asked for; gas was low at that hour of the day"


Steps = list[list[list[KeyValue]]]


def rows_of(steps: Steps) -> int:
    """Facts in all steps."""
    return sum(len(part) - 1 for step in steps for part in step)


def agents_of(partition: int, partitions: int) -> list[bytes]:
    """The agents whose records lie in a partition."""
    agents = map(agent_address, range(AGENTS))
    return [agent for agent in agents if (murmur2(agent) & 0x7FFFFFFF) % partitions == partition]


def memory(block: BlockRef, agent: bytes, index: int) -> dict[str, object]:
    """A memory of the chain of about 480 bytes with its fact."""
    return {
        "id": content_id("perf/memory", block.hash, agent, index), "agent": agent, "type": "EPISODIC", "source": "CHAIN",
        "block": block.record(), "transaction": content_id("perf/tx", block.hash, index), "transaction_index": index,
        "content": TEXT, "media_type": "text/plain", "importance": 0.5, "tags": ["swap", "eth"], "timestamp": 1_700_000_000,
    }  # fmt: skip


def facts(per_block: int, partitions: int) -> Fill:
    """Fills a block's partition with ``per_block`` UPSERTs."""
    owners = [agents_of(partition, partitions) for partition in range(partitions)]

    def fill(block: BlockRef, partition: int) -> Iterable[Row]:
        for index in range(per_block):
            agent = owners[partition][index % len(owners[partition])]
            said = memory(block, agent, index)
            fact = {
                "op": "UPSERT", "cause": said["transaction"], "memory_id": said["id"], "owner": agent, "memory": said,
                "block": said["block"],
            }  # fmt: skip
            yield agent, codec().encode("MemoryFact", fact)

    return fill


def expected(steps: Steps) -> LtHash:
    """The lattice over everything, computed apart from the agent."""
    leaves = []
    for step in steps:
        for rows in step:
            for key, value in rows:
                if key is not None:
                    leaves.append(leaf_of(blake3(key).digest(), codec().decode(value)[1]["memory"]).value)
    return sum_elements(leaves)


def found(bootstrap: str, prefix: str) -> tuple[int, LtHash]:
    """Facts counted, and the sum of the lattices, in the newest rows of all agents, as committed."""
    rows = {key: value for key, value in asyncio.run(committed(bootstrap, prefix + ROOTS)) if key is not None}
    decoded = [codec().decode(value)[1] for key, value in rows.items() if value is not None and len(key) == 20]
    return sum(root["count"] for root in decoded), merge(LtHash.of(root["lattice"]) for root in decoded if root["lattice"])


def fold(bootstrap: str, prefix: str, what: str, steps: Steps, guarantee: str, profile: list[str]) -> Figure:
    """One run."""
    partitions, blocks = len(steps[0]), sum(len(step[0]) > 1 for step in steps)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(state_dir=Path(scratch), kafka=kafka(bootstrap, prefix, partitions))
        asyncio.run(apply(settings.kafka))
        asyncio.run(write(bootstrap, prefix + MEMORY_LOG, steps))
        return worker_job(what, settings, blocks * partitions, rows_of(steps), guarantee, *profile)


def runs(bootstrap: str, what: str, steps: Steps, count: int, profile: list[str]) -> Iterator[Figure]:
    """Pairs of runs, each result held against ``expected``."""
    due = (rows_of(steps), *(expected(steps).checksum() if what == "lattice" else ()))
    for run in range(count):
        for guarantee in ("exactly-once", "at-least-once")[:: 1 if run % 2 else -1]:
            prefix = f"{what}-{guarantee}{run}."
            yield fold(bootstrap, prefix, what, steps, guarantee, profile)
            rows, lattice = found(bootstrap, prefix)
            demand(f"{what}, {guarantee}", (rows, *(lattice.checksum() if what == "lattice" else ())), due)


def report(figures: list[Figure], what: str) -> None:
    """Best runs first; the cost over all pairs."""
    once = sorted((figure for figure in figures if "exactly" in figure.name), key=lambda f: -f.rate)
    least = sorted((figure for figure in figures if "least" in figure.name), key=lambda f: -f.rate)
    show(f"fold with few outputs: {what}", once + least, "facts")
    print(told(once[0], GOAL, "facts"))
    cost = statistics.median(f.cpu for f in once) / statistics.median(f.cpu for f in least) - 1
    print(f"  exactly-once costs {100 * cost:+.1f} % CPU over at-least-once (medians of {len(once)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--per-block", type=int, default=250, help="records of a block in one partition")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--profile", nargs=1, default=[], help="write a cProfile file of the last worker here (slows it down)")
    args = parser.parse_args()
    blocks = args.rows // (args.per_block * args.partitions)
    steps = list(chain(MEMORY_LOG, Signer(SEED), args.partitions, blocks, facts(args.per_block, args.partitions)))
    with tempfile.TemporaryDirectory() as scratch, local_broker(Path(scratch)) as broker:
        for what in ("count", "lattice"):
            report(list(runs(broker.bootstrap, what, steps, args.runs, args.profile)), what)


if __name__ == "__main__":
    main()

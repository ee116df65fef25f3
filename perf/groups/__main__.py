"""Ten groups of benchmarks on one whole pipeline: communication, retrieval, memory, sync, caching, throughput, errors,
monitoring, end to end, reorganisation.

    .venv/bin/python -m perf.groups [--group NAME]... [--size small|medium|large]

All processes on this machine: a broker, a development chain, one worker, the gateway. small: 10 agents, 100 messages, 1 KiB a
memory; medium: 100, 1,000, 10 KiB; large: 1,000, 10,000, 100 KiB, of which a memory takes 64 KiB, its limit. Each row stands
beside what it cannot be quicker than, or what it is an alternative to, measured in the same run; targets are those of the
changelog.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from connectors.chain.devchain import DevChain
from perf.groups.groups import GROUPS
from perf.groups.rows import HEADER, SIZES, Row, Size
from perf.pipeline import MODELS
from streams.cli.demo.system import deployed
from streams.settings import Settings, load_settings

BLOCKS = 12


async def run(base: Settings, size: Size, names: Sequence[str], *, external_kafka: bool = False) -> dict[str, list[Row]]:
    """Rows of each group. Raises CheckError where an answer is wrong."""
    wanted = [(name, group) for name, group in GROUPS if not names or name in names]
    per_block = max(5, 2 * size.agents // BLOCKS)  # every agent acts before anything is measured
    chain = DevChain(5, agents=size.agents, transactions=per_block)
    found = {}
    async with deployed(base, chain, workers=1, external_kafka=external_kafka, say=Console().print) as system:
        system.advance(BLOCKS)
        while len(system.seen.roots) < size.agents:
            await system.settle()
            system.advance()
        await system.settle()
        for name, group in wanted:
            found[name] = await group(system, size)
            print(f"\n{name}\n{HEADER}")
            for row in found[name]:
                print(row, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", action="append", choices=[name for name, _ in GROUPS], default=[], help="default: all")
    parser.add_argument("--size", choices=list(SIZES), default="small")
    said = parser.parse_args()
    size = SIZES[said.size]
    print(f"{said.size}: {size.agents:,} agents, {size.messages:,} messages, {size.size:,} bytes a memory", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        settings = load_settings(state_dir=Path(scratch))
        settings.rag.models_path = MODELS
        asyncio.run(run(settings, size, said.group))


if __name__ == "__main__":
    main()

"""``monmouth recover``: what an agent remembers, restored where a store lost or altered it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit
from rich.console import Console

from streams.errors import ConfigurationError
from streams.partitions import partition_of
from streams.ports.log import TopicPartition
from streams.serving.addresses import parse_agent
from streams.settings import Settings
from streams.upkeep.candidates import RecoveryError
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.recover import (
    AI_GUIDED,
    CONCURRENT,
    SECONDS,
    THRESHOLD,
    Part,
    Recovered,
    Recovery,
    Replica,
    Strategy,
    recover_all,
)

SHOW_SECONDS = 1.0
console = Console(soft_wrap=True, highlight=False)


class Shown:
    """Says on standard error, once a second, how far each read of the log is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[int, float] = {}
        self._began = clock()

    def __call__(self, source: TopicPartition, position: int, stop: int) -> None:
        now = self._clock()
        if now - self._last.setdefault(source.partition, self._began) >= SHOW_SECONDS:
            self._last[source.partition] = now
            click.echo(f"partition {source.partition}: offset {position} of {stop} in {source.topic}", err=True)


class ShareType(click.ParamType):
    """A share of replicas from a half to all, as ``2/3`` or ``0.75``, to an exact fraction."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        try:
            share = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            return self.fail(f"{value!r} is no share; give 2/3, or 0.75", param, ctx)
        if not Fraction(1, 2) <= share <= 1:
            return self.fail(f"{value} is not between 1/2 and 1", param, ctx)
        return share


@click.command("recover")
@click.argument("agents", nargs=-1, required=True, metavar="AGENT...")
@click.option(
    "--strategy",
    type=click.Choice([*(each.value for each in Strategy), AI_GUIDED], case_sensitive=False),
    default="full",
    show_default=True,
    help="See below.",
)
@click.option("--part", "parts", multiple=True, type=click.Choice([each.value for each in Part]), help="partial: this part.")
@click.option("--base", type=click.Path(path_type=Path, dir_okay=False), help="incremental: what `checkpoint save` wrote.")
@click.option("--replica", "replicas", multiple=True, type=click.Path(path_type=Path), help="Another state folder.")
@click.option(
    "--threshold", type=ShareType(), default=str(THRESHOLD), show_default=True, help="consensus: the share that must agree."
)
@click.option("--concurrent", type=click.IntRange(1, 64), default=CONCURRENT, show_default=True, help="Agents at a time.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=SECONDS, show_default=True, help="Seconds without progress.")
@click.pass_obj
def recover_command(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agents: tuple[str, ...],
    strategy: str,
    parts: tuple[str, ...],
    base: Path | None,
    replicas: tuple[Path, ...],
    threshold: Fraction,
    concurrent: int,
    timeout: float,
) -> None:
    """Restore what AGENT remembers to the stores. What is restored has the root that is published, or nothing is.

    Workers may run: the owner of the agent's partition is asked aside for a moment. Exit code 1 if an agent was not restored.
    The log of a partition is read once for all its agents that are named, and how far that is is said once a second; --timeout
    gives an agent up when nothing was read on for so long, but not while a store is at work.

    \b
    full         rows and vectors, from the log
    partial      a part: --part memory (rows), context (vectors), state (the published root)
    incremental  rows from --base FILE and the log since
    consensus    rows that enough of the --replica folders agree on: two of three by default; a share is a fraction (2/3) or
                 a decimal number, taken exactly, so that 0.67 asks for more than two of three
    scored       rows of the replica of the best quality, full if they are wrong; quality is 0.5 for the published root,
                 up to 0.3 for youth (none after a day), up to 0.2 for smallness (none from a MiB on)
    AIGuided     another name of scored; that sum chooses, no language model

    \b
    Examples:
      monmouth recover 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
      monmouth recover 0x7099... --strategy partial --part context
      monmouth recover 0x7099... --strategy consensus --replica /standby/a --replica /standby/b --replica /standby/c
    """
    chosen = Strategy(strategy)
    whose = [(name, partition_of(name, settings.kafka.partitions)) for name in map(parse_agent, agents)]

    async def restore() -> list[Recovered | RecoveryError]:
        async with opened_recovery(settings, replicas) as recovery:
            asked = replace(recovery, base=base, threshold=threshold, parts=frozenset(map(Part, parts)) or frozenset(Part))
            return await recover_all(asked, chosen, whose, concurrent=concurrent, seconds=timeout, advanced=Shown())

    found = asyncio.run(restore())
    for each in found:
        if isinstance(each, RecoveryError):
            console.print(f"not restored: {each}")
        else:
            console.print(_said(each))
    if any(isinstance(each, RecoveryError) for each in found):
        raise Exit(1)


def _said(each: Recovered) -> str:
    done = f"{each.put_in} facts put in, {each.taken_out} taken out, {each.vectors} vectors put in"
    line = f"agent 0x{each.agent.hex()}: {each.memories} memories, from {each.source}: {done}"
    return f"{line}; the lattice agent does the root again (monmouth replay shows how far)" if each.replay else line


@asynccontextmanager
async def opened_recovery(settings: Settings, folders: Sequence[Path]) -> AsyncIterator[Recovery]:
    """What a recovery works with. ``folders``: state folders of replicas. Raises ConfigurationError."""
    from connectors.stores import LmdbMemoryStore, open_memory_store, open_vector_store  # noqa: PLC0415
    from streams.cli.wiring import lane_of  # noqa: PLC0415
    from streams.vault.sealing import sealed_records  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        keys = stack.enter_context(sealed_records(settings))
        memories, vectors = open_memory_store(settings), open_vector_store(settings)
        stack.push_async_callback(memories.close)
        stack.push_async_callback(vectors.close)
        replicas = []
        for folder in folders:
            data = folder / settings.memory.db_path / "data.mdb"
            if not data.exists():
                raise ConfigurationError(f"{folder} holds no memory store", "Name the state folder of another worker.")
            store = LmdbMemoryStore(data.parent, settings.memory.store_gib << 30)
            stack.push_async_callback(store.close)
            replicas.append(Replica(str(folder), store, max(0.0, time.time() - data.stat().st_mtime)))
        pipeline = open_pipeline(settings)
        yield Recovery(pipeline, memories, vectors, keys.leaf_secret, lane_of(settings), replicas)

"""``monmouth recover``: what an agent remembers, restored where a store lost or altered it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click
from click.exceptions import Exit
from rich.console import Console

from streams.errors import ConfigurationError
from streams.partitions import partition_of
from streams.settings import Settings
from streams.upkeep.candidates import RecoveryError, save
from streams.upkeep.pipeline import Pipeline, open_pipeline
from streams.upkeep.recover import (
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
from streams.upkeep.standing import StandingLog

console = Console(soft_wrap=True, highlight=False)


def address(text: str) -> bytes:
    """20 bytes. Raises ConfigurationError."""
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != 20:
        raise ConfigurationError(f"{text} is no address", "40 hex digits, with or without 0x.")
    return found


@click.command("recover")
@click.argument("agents", nargs=-1, required=True, metavar="AGENT...")
@click.option("--strategy", type=click.Choice([each.value for each in Strategy]), default="full", show_default=True)
@click.option("--part", "parts", multiple=True, type=click.Choice([each.value for each in Part]), help="partial: this part.")
@click.option("--base", type=click.Path(path_type=Path, dir_okay=False), help="incremental: what `checkpoint save` wrote.")
@click.option("--replica", "replicas", multiple=True, type=click.Path(path_type=Path), help="Another state folder.")
@click.option("--threshold", type=click.FloatRange(0.5, 1), default=THRESHOLD, show_default=True, help="consensus: share.")
@click.option("--concurrent", type=click.IntRange(1, 64), default=CONCURRENT, show_default=True, help="Agents at a time.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=SECONDS, show_default=True, help="Seconds for each agent.")
@click.pass_obj
def recover_command(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    agents: tuple[str, ...],
    strategy: str,
    parts: tuple[str, ...],
    base: Path | None,
    replicas: tuple[Path, ...],
    threshold: float,
    concurrent: int,
    timeout: float,
) -> None:
    """Restore what AGENT remembers to the stores. What is restored has the root that is published, or nothing is.

    Workers may run: the owner of the agent's partition is asked aside for a moment. Exit code 1 if an agent was not restored.

    \b
    full         rows and vectors, from the log
    partial      a part: --part memory (rows), context (vectors), state (the published root)
    incremental  rows from --base FILE and the log since
    consensus    rows that enough of the --replica folders agree on
    scored       rows of the replica of the best quality, full if they are wrong; quality is 0.5 for the published root,
                 up to 0.3 for youth (none after a day), up to 0.2 for smallness (none from a MiB on)

    \b
    Examples:
      monmouth recover 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
      monmouth recover 0x7099... --strategy partial --part context
      monmouth recover 0x7099... --strategy consensus --replica /standby/a --replica /standby/b --replica /standby/c
    """
    found = asyncio.run(
        _recover(
            settings,
            [address(each) for each in agents],
            Strategy(strategy),
            replicas,
            lambda recovery: recover_all_with(recovery, Strategy(strategy), agents, settings, concurrent, timeout),
            base=base,
            threshold=threshold,
            parts=frozenset(map(Part, parts)) or frozenset(Part),
        )
    )

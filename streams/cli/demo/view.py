"""The live terminal view of the demo: a pure picture of an Observation."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.cli.demo.observe import Observation
from streams.core.forkview import severity


def _chain(seen: Observation, now: float) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("head", str(seen.head or "-"), "final", str(seen.final or "-"))
    table.add_row("blocks", f"{seen.blocks:,}", "transactions", f"{seen.transactions:,}")
    deepest = max(seen.reorgs, default=0)
    worst = f"deepest {deepest}, {severity(deepest)}" if seen.reorgs else "none yet"
    table.add_row("reorgs", f"{len(seen.reorgs)} ({worst})", "rate", f"{seen.rate(now):,.0f} transactions/s")
    table.add_row("agents", f"{len(seen.roots)}", "dead letters", f"{seen.dead_letters}")
    return table


def _lag(seen: Observation, agents: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2))
    table.add_column("stream agent")
    table.add_column("behind", justify="right")
    for agent in agents:
        lag = seen.lag(agent)
        table.add_row(agent, Text(f"{lag} steps", style="green" if lag <= 1 else "yellow" if lag < 10 else "red"))
    return table


def picture(seen: Observation, agents: Sequence[str], agreements: Sequence[str], now: float) -> RenderableType:
    """The whole view. ``agreements``: one line per digest comparison so far."""
    digests = Text("\n".join(agreements) or "first comparison follows when the stream agents have caught up")
    log = Text("\n".join(seen.recent), style="dim")
    return Group(
        Panel(_chain(seen, now), title="chain", title_align="left"),
        Panel(_lag(seen, agents), title="stream agents", title_align="left"),
        Panel(digests, title="digest agreement with a single-thread fold", title_align="left"),
        Panel(log, title="latest steps", title_align="left"),
    )

"""``monmouth slo``: objectives, what is left of their budgets, and the report of a month."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from streams.ops.slo.budget import WINDOWS, Burn, Ledger
from streams.ops.slo.formats import FORMATS, UNKNOWN
from streams.ops.slo.history import SloHistory
from streams.ops.slo.objectives import objectives_in_use
from streams.ops.slo.report import Month, MonthReport, month_report
from streams.runtime.kafka import KafkaClient
from streams.settings import Settings

_objectives_file = click.option(
    "--objectives",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Objectives file (default: `ops.slo_file`, or those that come with it).",
)


@click.group()
def slo() -> None:
    """Service levels: objectives, budgets, the report of a month. `monmouth ops` counts the events.

    \b
    Examples:
      monmouth slo objectives
      monmouth slo status
      monmouth slo report --month 2026-11 --format html > november.html
    """


@slo.command()
@_objectives_file
@click.pass_obj
def objectives(settings: Settings, file: Path | None) -> None:
    """Check the objectives and show them.

    \b
    Examples:
      monmouth slo objectives
      monmouth slo objectives --objectives objectives.toml
    """
    for objective in objectives_in_use(settings, file):
        click.echo(f"{objective.name:<16} {100 * objective.target:g} %  {objective.description}")


@slo.command()
@_objectives_file
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Show what is left of this month's budgets, and how fast they burn.

    \b
    Examples:
      monmouth slo status
      monmouth slo status --json
    """
    found, ledger, now_ms = objectives_in_use(settings, file), asyncio.run(_read(settings)), round(1000 * time.time())
    report = month_report(ledger, found, Month.at(now_ms), now_ms)
    burns = {objective.name: Burn.at(ledger, objective, now_ms) for objective in found}
    if as_json:
        click.echo(json.dumps(_record(report, burns), indent=2))
        return
    table = Table("objective", "target", "budget left", *(f"burn {window}" for window in WINDOWS), "alerts")
    for one in report.objectives:
        name, burn = one.objective.name, burns[one.objective.name]
        alerts = [speed for speed, times in burn.speeds.items() if times > 1]
        cells = [_number(burn.rates[window], "{:.2f}") for window in WINDOWS]
        left = _number(one.budget_left, "{:.1%}")
        table.add_row(name, f"{100 * one.objective.target:g} %", left, *cells, ", ".join(alerts) or "none")
    Console(width=None).print(table)


@slo.command()
@_objectives_file
@click.option("--month", help="Like 2026-11 (default: this month so far).")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="markdown", show_default=True, help="Of the report."
)
@click.pass_obj
def report(settings: Settings, file: Path | None, month: str | None, form: str) -> None:
    """Print the report of a month: budgets, the worst incidents, days, and what is not known.

    \b
    Example:
      monmouth slo report --month 2026-11 --format html > november.html
    """
    now_ms = round(1000 * time.time())
    wanted = Month.at(now_ms) if month is None else Month.of(month)
    found = objectives_in_use(settings, file)
    click.echo(FORMATS[form](month_report(asyncio.run(_read(settings)), found, wanted, now_ms)), nl=form != "csv")


def _record(report: MonthReport, burns: dict[str, Burn]) -> dict[str, object]:
    return {
        one.objective.name: {
            "target": one.objective.target,
            "budget_left": one.budget_left,
            "burn_rates": burns[one.objective.name].rates,
            "alerts": {speed: times > 1 for speed, times in burns[one.objective.name].speeds.items()},
        }
        for one in report.objectives
    }


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)


async def _read(settings: Settings) -> Ledger:
    history = SloHistory(KafkaClient(settings.kafka))
    try:
        await history.read()
        return history.ledger
    finally:
        await history.close()

"""``monmouth health``: how the deployment is, as a gateway sees it, and how good its predictions are."""

from __future__ import annotations

import json
import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.asking import gateway_client, gateway_option, json_option
from streams.errors import ConfigurationError
from streams.ops.health.backtest import NOISE, TRENDS, falsely_said, tried
from streams.ops.health.predict import CONFIDENCE
from streams.serving.client_errors import GatewayError
from streams.serving.wire import ComponentHealth, Health
from streams.settings import Settings

COLORS = {"healthy": "green", "degraded": "yellow", "failed": "red"}
RANK = list(reversed(COLORS))


@click.group(invoke_without_command=True)
@gateway_option
@json_option
@click.option("--watch", is_flag=True, help="Look again and again, until interrupted.")
@click.option("--interval", default=2.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds between two looks.")
@click.pass_context
def health(ctx: click.Context, url: str | None, as_json: bool, watch: bool, interval: float) -> None:
    """Show how every component is, why, and what is about to break. Exit code 1 if one has failed, or nobody answers.

    \b
    Examples:
      monmouth health
      monmouth health --json | jq .roots
      monmouth health --watch
      monmouth health backtest            how often predictions are right
    """
    if ctx.invoked_subcommand is None:
        settings: Settings = ctx.obj
        ctx.exit(int(_looked(settings, url, as_json, interval if watch else None)))


def _looked(settings: Settings, url: str | None, as_json: bool, interval: float | None) -> bool:
    """Whether anything has failed at the last look."""
    console = Console()
    with gateway_client(settings, url) as client:
        while True:
            try:
                found = client.health()
            except GatewayError as error:
                if interval is None:
                    raise
                console.print(Text(f"failed: {error.message}", COLORS["failed"]))
            else:
                _show(found, as_json, console)
                if interval is None:
                    return found.status == "failed"
            time.sleep(interval)


def _show(found: Health, as_json: bool, console: Console) -> None:
    if as_json:
        click.echo(json.dumps(found.model_dump(exclude_none=True), ensure_ascii=False))
        return
    console.print(Text.assemble((found.status, COLORS[found.status]), f"  score {found.score:.2f}"))
    if not found.components:
        console.print("The gateway tells more to its operator: set MONMOUTH_GATEWAY_TOKEN_FILE.")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    worst = sorted(found.components.items(), key=lambda item: (RANK.index(item[1].status), item[1].affected, item[0]))
    for name, component in worst:
        status = Text(component.status, COLORS[component.status])
        table.add_row(Text(name), status, Text(_why(component)))
    console.print(table)
    for prediction in found.predictions:
        console.print(Text(f"{prediction.component}: {prediction.text}", COLORS["degraded"]))


def _why(component: ComponentHealth) -> str:
    return "; ".join(said for said in (component.because, component.message) if said)


@health.command()
@click.option("--tries", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Series of each shape.")
@click.option("--seed", default=1, show_default=True, help="Where the series come from.")
@json_option
def backtest(tries: int, seed: int, as_json: bool) -> None:
    """Count how often predictions were right on generated series of many shapes, and how often noise was taken for a trend.

    \b
    Example:
      monmouth health backtest --tries 50 --seed 7
    """
    trends = [tried(shape, tries, seed) for shape in TRENDS]
    noise = [falsely_said(shape, tries, seed) for shape in NOISE]
    said, right = sum(one.said for one in trends), sum(one.right for one in trends)
    if not said:
        raise ConfigurationError("nothing was predicted in so few tries", "Give more with --tries.")
    if as_json:
        rows = [{"shape": one.shape, "tries": one.tries, "said": one.said, "right": one.right} for one in (*trends, *noise)]
        click.echo(json.dumps({"stated": CONFIDENCE, "right": right / said, "shapes": rows}))
        return
    for one in trends:
        share = f"{one.right / one.said:.2f}" if one.said else "-"
        click.echo(
            f"{one.shape:<26} said {one.said:>5} of {one.tries}: right {share}, truth earlier {one.early}, later {one.late}; "
            f"width {one.width:.2f} of what was expected"
        )
    for one in noise:
        click.echo(f"{one.shape:<26} said {one.said:>5} of {one.tries}, where there is no trend")
    click.echo(f"right {right} of {said}: {right / said:.3f}; stated {CONFIDENCE:.2f}")

"""``monmouth dashboard``: where it is, and what it shows as a file."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli.asking import gateway_client, gateway_option, gateway_url
from streams.errors import ConfigurationError
from streams.settings import Settings

FORMATS = ("json", "csv", "html", "prometheus", "influx")


@click.group(invoke_without_command=True)
@gateway_option
@click.pass_context
def dashboard(ctx: click.Context, url: str | None) -> None:
    """Print the address of the dashboard, or write what it shows to a file.

    The page asks for the operator's token, which lies in keys/operator.token of the state folder.

    \b
    Examples:
      monmouth dashboard
      monmouth dashboard export --format html --out state.html
      monmouth dashboard export --format csv > state.csv
    """
    if ctx.invoked_subcommand is None:
        settings: Settings = ctx.obj
        click.echo(f"{gateway_url(settings, url).rstrip('/')}/dashboard")


@dashboard.command()
@click.option("--format", "format_", type=click.Choice(FORMATS), default="json", show_default=True, help="Of the file.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write (default: standard output).")
@gateway_option
@click.pass_context
def export(ctx: click.Context, format_: str, out: Path | None, url: str | None) -> None:
    """Write what the dashboard shows now, as the gateway gives it: JSON, CSV, a page that opens without a
    network, or its numbers as Prometheus text or InfluxDB lines.

    \b
    Examples:
      monmouth dashboard export --format html --out state.html
      monmouth dashboard export --format csv > state.csv
    """
    named = ctx.parent.params["url"] if ctx.parent is not None else None
    with gateway_client(ctx.obj, url or named) as client:
        content = client.export_dashboard(format_)
    if out is None:
        click.get_binary_stream("stdout").write(content)
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"cannot write {out}: {error.strerror or error}") from None
    click.echo(f"wrote {len(content):,} bytes to {out}")

"""``monmouth circuits``: how a gateway's process asks each place outside, and opening and closing that by hand."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.asking import gateway_client, gateway_option, json_option, print_json
from streams.serving.wire.circuits import CircuitView
from streams.settings import Settings

COLORS = {"closed": "green", "half_open": "yellow", "open": "red"}
name_argument = click.argument("name")


@click.group()
def circuits() -> None:
    """Circuit breakers of a gateway: list them, open, close and reset one by hand. The operator's.

    It reaches the process of the gateway that answers. Workers and producers have circuits of their own, which open and close
    by what their calls come to; monmouth_circuit_breaker_state shows them.

    \b
    Examples:
      monmouth circuits list
      monmouth circuits open "milvus 10.0.0.7:19530" --seconds 600
      monmouth circuits close "milvus 10.0.0.7:19530" --url http://gateway:8080
    """


@circuits.command("list")
@gateway_option
@json_option
@click.pass_obj
def list_(settings: Settings, url: str | None, as_json: bool) -> None:
    """Show every circuit of the gateway.

    \b
    Example:
      monmouth circuits list --json | jq .circuits
    """
    with gateway_client(settings, url) as client:
        found = client.circuits()
    if as_json:
        print_json(found)
        return
    table = Table("circuit", "state", "failures", "", box=None, pad_edge=False)
    for one in found.circuits:
        table.add_row(Text(one.name), Text(one.state, COLORS[one.state]), str(one.failures), Text(_note(one)))
    Console().print(table if found.circuits else "the gateway asks nothing outside")


@circuits.command("open")
@name_argument
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="How long (default: until it is closed).")
@gateway_option
@json_option
@click.pass_obj
def open_(settings: Settings, name: str, seconds: float | None, url: str | None, as_json: bool) -> None:
    """Have calls to a place refused at once, as before its maintenance.

    \b
    Example:
      monmouth circuits open "cassandra 10.0.0.7:9042" --seconds 600
    """
    with gateway_client(settings, url) as client:
        _show(client.open_circuit(name, seconds), as_json)


@circuits.command()
@name_argument
@gateway_option
@json_option
@click.pass_obj
def close(settings: Settings, name: str, url: str | None, as_json: bool) -> None:
    """Let calls to a place through again.

    \b
    Example:
      monmouth circuits close "cassandra 10.0.0.7:9042"
    """
    with gateway_client(settings, url) as client:
        _show(client.close_circuit(name), as_json)


@circuits.command()
@name_argument
@gateway_option
@json_option
@click.pass_obj
def reset(settings: Settings, name: str, url: str | None, as_json: bool) -> None:
    """Close a circuit and forget what it has counted and measured.

    \b
    Example:
      monmouth circuits reset "cassandra 10.0.0.7:9042"
    """
    with gateway_client(settings, url) as client:
        _show(client.reset_circuit(name), as_json)


def _show(found: CircuitView, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.name}: {found.state}{f', {note}' if (note := _note(found)) else ''}")


def _note(found: CircuitView) -> str:
    left = f"tried again in {found.retry_after:.0f} s" if found.retry_after is not None else ""
    return "; ".join(said for said in (left, found.why if found.state != "closed" else "") if said)

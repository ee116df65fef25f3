"""``monmouth alerts``: rules over metrics, checked, watched, and written for Prometheus and Alertmanager."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from streams.cli.alert_files import a_file, channels_in_use, rules_file, rules_in_use, rules_option
from streams.cli.alerts_hand import disable, enable, resolve, silence, silences_
from streams.cli.measured import measured, metrics_port_option
from streams.errors import ConfigurationError
from streams.health import Health, Look
from streams.health import watch as health_watch
from streams.loops import run as run_loop
from streams.ops.alerts.alertmanager import configuration
from streams.ops.alerts.channels import Channel, LogChannel, SilentChannel, make_channel
from streams.ops.alerts.logwatch import LogWatch, read_alerts
from streams.ops.alerts.post import Poster
from streams.ops.alerts.promql import rule_group
from streams.ops.alerts.reloading import Reloading, Watching
from streams.ops.alerts.rules import LOG, AlertRule
from streams.ops.alerts.silences import FILE as SILENCES
from streams.ops.alerts.silences import Silences
from streams.ops.alerts.told import body_of
from streams.ops.alerts.watch import Watch
from streams.ops.reporter import reporting
from streams.ops.slo.objectives import objectives_in_use
from streams.ops.slo.promql import recording_group
from streams.runtime.kafka import KafkaClient
from streams.settings import OPS, Settings

SLO_SECONDS = 30.0
"""Between two times that Prometheus looks at burn rates, which look back for days."""
_channels_file = click.option(
    "--channels",
    "channels_file",
    type=a_file,
    help="Channels file (default: `ops.channels_file`; without one there is only the channel `log`).",
)


@click.group()
def alerts() -> None:
    """Alert rules: check them, watch metrics with them, or write them for Prometheus and Alertmanager.

    \b
    Examples:
      monmouth alerts check --rules rules.toml
      monmouth alerts watch --target http://127.0.0.1:9090/metrics
      monmouth alerts watch --from-log --rules rules.toml --channels channels.toml
      monmouth alerts list
      monmouth alerts resolve HighMemory
      monmouth alerts prometheus > alerts.json
      monmouth alerts alertmanager --channels channels.toml > alertmanager.json
    """


for by_hand in (enable, disable, resolve, silence, silences_):
    alerts.add_command(by_hand)


@alerts.command()
@rules_option
@click.pass_obj
def check(settings: Settings, file: Path | None) -> None:
    """Check a rules file and show what is in it.

    \b
    Example:
      monmouth alerts check --rules rules.toml
    """
    for rule in rules_in_use(settings, file):
        state = "" if rule.enabled else "  (disabled)"
        click.echo(f"{rule.severity:<9} {rule.name:<24} {rule.condition}{state}")


@alerts.command()
@rules_option
@_channels_file
@click.option("--objectives", "objectives_file", type=a_file, help="Objectives file (default: as for `monmouth slo`).")
@click.option(
    "--interval",
    default=5.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Seconds between two looks of Prometheus at the rules.",
)
@click.pass_obj
def prometheus(
    settings: Settings, file: Path | None, channels_file: Path | None, objectives_file: Path | None, interval: float
) -> None:
    """Print the rules as a rule file of Prometheus (JSON, which is YAML), and what records the burn rates of objectives.

    \b
    Examples:
      monmouth alerts prometheus > rules.json
      monmouth alerts prometheus --rules rules.toml --interval 15
      monmouth alerts prometheus --channels channels.toml > rules.json
    """
    recording = recording_group(objectives_in_use(settings, objectives_file), max(interval, SLO_SECONDS))
    said = channels_in_use(settings, channels_file)
    written = rule_group(rules_in_use(settings, file, said), interval)
    click.echo(json.dumps({"groups": [recording, *written["groups"]]}, indent=2))


@alerts.command()
@rules_option
@_channels_file
@click.pass_obj
def alertmanager(settings: Settings, file: Path | None, channels_file: Path | None) -> None:
    """Print the channels as a configuration of Alertmanager (JSON, which is YAML).

    \b
    Example:
      monmouth alerts alertmanager --channels channels.toml > alertmanager.json
    """
    said = channels_in_use(settings, channels_file)
    rules = rules_in_use(settings, file, said)
    _demand_channels(rules, {LOG, *said})
    click.echo(json.dumps(configuration(rules, said), indent=2))


@alerts.command()
@rules_option
@_channels_file
@click.option("--target", "targets", multiple=True, help="Address of /metrics; repeat for several (default: the gateway's).")
@click.option("--interval", default=0.5, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds between two looks.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@metrics_port_option
@click.option("--from-log", is_flag=True, help="Read ops.metrics in place of addresses, and keep what fires in ops.alerts.")
@click.pass_obj
def watch(  # noqa: PLR0917  (click passes options by name)
    settings: Settings,
    file: Path | None,
    channels_file: Path | None,
    targets: tuple[str, ...],
    interval: float,
    as_json: bool,
    metrics_port: int | None,
    from_log: bool,
) -> None:
    """Watch metrics until interrupted, and tell what the rules say: on their channels, and here.

    With --from-log every process is watched without being named, and a watch that begins anew goes on where the last one ended.
    Two at a time make no sense: the newer one ends the older. Where what is printed and the log come to the same place, such as
    a terminal, the channel `log` is silent, since the event is there already.

    \b
    Examples:
      monmouth alerts watch --target http://127.0.0.1:9090/metrics
      monmouth alerts watch --from-log --channels channels.toml
    """
    if from_log and targets:
        raise click.UsageError("--from-log watches all processes: leave out --target")
    poster = Poster()

    def parts() -> tuple[list[AlertRule], dict[str, Channel]]:
        """Of what the files hold now."""
        said = channels_in_use(settings, channels_file)
        rules = rules_in_use(settings, file, said)
        channels = _channels(said, rules, poster)
        return rules, channels | ({LOG: SilentChannel()} if _one_place() else {})

    watching: Watching
    if from_log:
        watching = Reloading(lambda before: LogWatch(*parts(), settings, before), rules_file(settings, file))
    else:
        gateway = settings.gateway
        found = targets or (f"http://{gateway.metrics_host}:{gateway.metrics_port}/metrics",)
        rules, channels = parts()
        silences = Silences(settings.path(SILENCES))
        watching = Watch(rules, found, channels, interval=interval, silences=silences)
    health = Health(settings.probes.live_seconds)
    with measured(settings, metrics_port, health):
        run_loop(_watch(settings, watching, health, poster, as_json))


async def _watch(settings: Settings, watching: Watching, health: Health, poster: Poster, as_json: bool) -> None:
    watching.told = lambda event: click.echo(json.dumps(body_of(event)) if as_json else _line(event.at, event.summary))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def look() -> Look:
        return Look(not watching.complaint, [watching.complaint] if watching.complaint else [])

    async with AsyncExitStack() as stack:
        stack.push_async_callback(poster.close)
        stack.callback(asyncio.create_task(health_watch(health, look)).cancel)
        if isinstance(watching, Reloading):  # the other one needs no brokers
            reports_as = settings.kafka.as_role(OPS)
            await stack.enter_async_context(reporting(settings, reports_as, "alerts", health, settings.kafka.instance_id))
        await watching.run(stop)


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over, as far back as the topic holds them.")
@click.option("--json", "as_json", is_flag=True, help="Print each as one line of JSON.")
@click.pass_obj
def list_(settings: Settings, everything: bool, as_json: bool) -> None:
    """Show what fires, as ops.alerts says; `alerts watch --from-log` writes it there.

    \b
    Examples:
      monmouth alerts list
      monmouth alerts list --all --json
    """
    former = asyncio.run(read_alerts(KafkaClient(settings.kafka)))
    records = [record for record in former.newest.values() if everything or record.state == "firing"]
    for record in sorted(records, key=lambda record: record.at_ms):
        click.echo(json.dumps(asdict(record)) if as_json else _line(record.at_ms / 1000, record.summary))


def _line(at: float, summary: str) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC  {summary}"


def _one_place() -> bool:
    """Whether what is printed and what is logged come together, as on a terminal: each event would be there twice."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except OSError:  # closed, or no file
        return False


def _channels(said: Mapping[str, dict[str, Any]], rules: list[AlertRule], poster: Poster) -> dict[str, Channel]:
    channels: dict[str, Channel] = {LOG: LogChannel()}
    channels |= {name: make_channel(name, fields, poster) for name, fields in said.items()}
    _demand_channels(rules, channels)
    return channels


def _demand_channels(rules: list[AlertRule], channels: Collection[str]) -> None:
    if unknown := sorted({name for rule in rules if rule.enabled for name in rule.channels if name not in channels}):
        raise ConfigurationError(f"no channel is called {unknown[0]}", "Name it in the file given with --channels.")
    if silent := sorted(set(channels) - {LOG} - {name for rule in rules if rule.enabled for name in rule.channels}):
        raise ConfigurationError(f"no rule tells the channel {silent[0]}", "Name it in `channels` of a rule, or take it out.")

"""``monmouth infra`` and ``monmouth topics``: the broker under the pipeline, and the topics on it.

Invariant: a cluster named by ``--bootstrap``, or by settings that point away from this machine, is only asked, never started,
stopped or changed by ``infra``.
"""

from __future__ import annotations

import asyncio

import click
from click.exceptions import Exit
from rich.console import Console
from rich.table import Column, Table

from infra.broker import BrokerError, LocalBroker
from infra.broker.probe import ask, listens
from infra.carry import carry_commands
from infra.topics import Applied, compare, states
from infra.topics import apply as apply_topics
from infra.topics import drift as topic_drift
from schemas.codec import codec
from streams.cli.infra_cassandra import cassandra
from streams.cli.infra_milvus import milvus
from streams.cli.jar_progress import jar_progress
from streams.cli.subjects import Registered, register_subjects
from streams.cluster.arguments import client_arguments
from streams.cluster.refusals import demand_access
from streams.near import is_near
from streams.settings import KafkaSettings, Settings
from streams.topics import TOPICS, physical

console = Console(soft_wrap=True)
port_option = click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; default: that of the settings.")
bootstrap_option = click.option("--bootstrap", metavar="HOST:PORT", help="Use this existing cluster; start and stop nothing.")


@click.group()
def infra() -> None:
    """Start, stop and look at the local Kafka broker, and at a local Cassandra or Milvus.

    \b
    Examples:
      monmouth infra up
      monmouth infra up --port 29092
      monmouth infra status --bootstrap kafka.example:9092
      monmouth infra cassandra up
    """


infra.add_command(cassandra)
infra.add_command(milvus)


@infra.command()
@port_option
@bootstrap_option
@click.pass_obj
def up(settings: Settings, port: int | None, bootstrap: str | None) -> None:
    """Start the broker and wait until it answers. The first time this fetches its jars (43 MB).

    \b
    Examples:
      monmouth infra up
      monmouth infra up --port 29092
    """
    outside = bootstrap or _outside(settings)
    if outside:
        _check_outside(settings.kafka.model_copy(update={"bootstrap": outside}))
        return
    if port is None and LocalBroker(settings.state_dir).pid is None:
        port = _settings_port(settings)
    with jar_progress(console, "the broker's") as on_jar:
        broker = LocalBroker(settings.state_dir, port=port or 0, say=console.print, on_jar=on_jar)
        started = broker.start()
    console.print(f"Kafka {'is up' if started else 'was up already'} at {broker.bootstrap} (pid {broker.pid})")
    if broker.bootstrap != settings.kafka.bootstrap:
        console.print(f"Other commands find it with MONMOUTH_KAFKA__BOOTSTRAP={broker.bootstrap}")


@infra.command()
@bootstrap_option
@click.pass_obj
def down(settings: Settings, bootstrap: str | None) -> None:
    """Stop the broker. Its data stay.

    \b
    Example:
      monmouth infra down
    """
    outside = bootstrap or _outside(settings)
    if outside:
        console.print(f"{outside} is not ours to stop")
        return
    broker = LocalBroker(settings.state_dir, say=console.print)
    if broker.stop():
        console.print("Kafka is down")
        return
    console.print(f"Kafka was not running in {broker.folder}", highlight=False)
    _say_whose(settings)


@infra.command()
@bootstrap_option
@click.pass_obj
def status(settings: Settings, bootstrap: str | None) -> None:
    """Say whether the broker runs and answers. Exit code 1 if not.

    \b
    Examples:
      monmouth infra status
      monmouth infra status --bootstrap kafka.example:9092
    """
    outside = bootstrap or _outside(settings)
    if outside:
        _check_outside(settings.kafka.model_copy(update={"bootstrap": outside}))
        return
    broker = LocalBroker(settings.state_dir)
    found = broker.status()
    if not found.running:
        if death := broker.death():
            raise death
        console.print(f"Kafka is not running in {broker.folder}; start it with 'monmouth infra up'", highlight=False)
        _say_whose(settings)
        raise Exit(1)
    console.print(f"Kafka {'answers' if found.answers else 'does not answer'} at {found.bootstrap} (pid {found.pid})")
    console.print(f"cluster {found.cluster_id}, {found.data_bytes / 2**20:.1f} MiB of data, log {found.log}")
    if not found.answers:
        raise Exit(1)


@click.group()
def topics() -> None:
    """Create, list and check the topics.

    \b
    Examples:
      monmouth topics apply --dry-run
      monmouth topics drift || monmouth topics apply --fix
    """


@topics.command("apply")
@click.option("--fix", is_flag=True, help="Also alter settings that differ. Partition counts are never changed.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def apply_command(settings: Settings, fix: bool, dry_run: bool) -> None:
    """Create missing topics and register their schemas. Exit code 1 if differences remain.

    A partition count is never changed: keys would move to other partitions, and the order of one agent's records would be lost.

    \b
    Examples:
      monmouth topics apply --dry-run
      monmouth topics apply --fix
    """
    done = asyncio.run(apply_topics(settings.kafka, fix=fix, dry_run=dry_run))
    _print_applied(done, "would be " if dry_run else "")
    if not (dry_run and done.created):  # without their topic there is nothing to compare with
        _print_registered(asyncio.run(register_subjects(settings, dry_run=dry_run)), "would be " if dry_run else "")
    if done.remaining:
        raise Exit(1)


@topics.command("carry")
@click.option("--from-prefix", required=True, metavar="PREFIX", help="Of the pipeline whose commands are copied.")
@click.pass_obj
def carry_command(settings: Settings, from_prefix: str) -> None:
    """Copy the commands of a pipeline to a new one under another prefix.

    Commands are nowhere but in their topic; all else follows from them and the chain. Refused if anything was commanded there.

    \b
    Example:
      monmouth topics carry --from-prefix monmouth.
    """
    copied = asyncio.run(carry_commands(settings.kafka, from_prefix))
    console.print(f"{copied} commands copied from {from_prefix}* to {settings.kafka.prefix}*", highlight=False)


@topics.command("list")
@click.pass_obj
def list_command(settings: Settings) -> None:
    """Show every topic of the pipeline and how the cluster has it.

    \b
    Example:
      monmouth topics list
    """
    found = asyncio.run(states(settings.kafka))
    table = Table(Column("topic", no_wrap=True), "partitions", "cleanup", "records", "written by")
    for spec in TOPICS.values():
        name = physical(settings.kafka.prefix, spec.name)
        state = found.get(name)
        partitions = str(state.partitions) if state else "missing"
        table.add_row(name, partitions, spec.cleanup, ", ".join(spec.records), spec.writer)
    console.print(table)
    console.print(f"newest schema known here: {codec().newest}; written up to: {settings.kafka.newest_schema or 'the newest'}")
    if compare(settings.kafka, found):
        console.print("Some differ from the map: see 'monmouth topics drift'")


@topics.command("drift")
@click.pass_obj
def drift_command(settings: Settings) -> None:
    """Say where the cluster differs from the topic map. Exit code 1 if it does.

    \b
    Example:
      monmouth topics drift
    """
    differences = asyncio.run(topic_drift(settings.kafka))
    for entry in differences:
        console.print(f"{entry}{'' if entry.fixable else ' (not fixable in place)'}", highlight=False)
    if differences:
        raise Exit(1)
    console.print(f"all {len(TOPICS)} topics are as they should be")


def _print_applied(done: Applied, verb: str) -> None:
    for name in done.created:
        console.print(f"{name}: {verb}created", highlight=False)
    for name in done.altered:
        console.print(f"{name}: {verb}altered", highlight=False)
    for entry in done.remaining:
        console.print(f"{entry} ({'--fix alters it' if entry.fixable else 'left alone'})", highlight=False)
    if not (done.created or done.altered or done.remaining):
        console.print(f"all {len(TOPICS)} topics are as they should be")


def _print_registered(found: Registered, verb: str) -> None:
    for count, where in ((found.own, "schemas"), (found.external, "schemas at the external registry")):
        if count is not None:
            console.print(f"{count} {where} {verb}registered" if count else f"all {where} are registered", highlight=False)


def _settings_port(settings: Settings) -> int:
    return int(settings.kafka.bootstrap.rpartition(":")[2])


def _outside(settings: Settings) -> str | None:
    """The bootstrap text of the settings where it names other machines or several nodes, or what asks who comes."""
    host, _, port = settings.kafka.bootstrap.rpartition(":")
    ours = is_near(host) and port.isdigit() and settings.kafka.access.protocol == "PLAINTEXT"
    return None if ours else settings.kafka.bootstrap


def _say_whose(settings: Settings) -> None:
    """That a broker answers at the address of the settings all the same, if one does."""
    host, _, port = settings.kafka.bootstrap.rpartition(":")
    if listens(host.strip("[]"), int(port)) and ask(settings.kafka.bootstrap) is not None:
        console.print(
            f"A broker not started from there answers at {settings.kafka.bootstrap}: name its folder with --state-dir",
            highlight=False,
        )


def _check_outside(kafka: KafkaSettings) -> None:
    asyncio.run(demand_access(kafka))
    cluster = ask(kafka.bootstrap, 15, client_arguments(kafka))
    if cluster is None:
        raise BrokerError(f"no Kafka answers at {kafka.bootstrap}", "Is the address right, and reachable from here?")
    console.print(f"Kafka answers at {kafka.bootstrap}: cluster {cluster.cluster_id}, brokers: {cluster.brokers}")

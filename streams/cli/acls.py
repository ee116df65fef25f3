"""``monmouth acls``: the grants that the programs of this pipeline need on the cluster, printed, applied and checked.

Invariant: ``apply`` adds what is missing; only with ``--prune`` it takes away, and only from principals of this pipeline.
"""

from __future__ import annotations

import asyncio
import shlex

import click
from click.exceptions import Exit

from infra.acls import brokers
from infra.acls.grants import Difference, Grant, compare, grants, principals
from streams.settings import KafkaSettings, Settings
from streams.upkeep.pipeline import stream_agents

FLAGS = {"TOPIC": "--topic", "GROUP": "--group", "TRANSACTIONAL_ID": "--transactional-id"}


@click.group()
@click.option(
    "--principal", metavar="TEXT", help="Who programs are on the cluster, 'User:monmouth.{role}' (default: the settings')."
)
@click.pass_obj
def acls(settings: Settings, principal: str | None) -> None:
    """Grant each program of the pipeline what it needs on the cluster, and no more.

    Programs are told apart by {role} in kafka.access.user, or in kafka.access.principal: a stream agent by its name, producer,
    gateway, operator. To apply, come as the administrator of the cluster.

    \b
    Examples:
      monmouth acls print
      MONMOUTH_KAFKA__ACCESS__USER=admin monmouth acls --principal 'User:monmouth.{role}' apply
      monmouth acls check                      exit code 1 if the brokers' list differs
    """
    if principal:
        settings.kafka.access.principal = principal


@acls.command("print")
@click.option(
    "--commands", is_flag=True, help="As commands for Kafka's own kafka-acls, with its further arguments in $KAFKA_ACLS."
)
@click.pass_obj
def print_command(settings: Settings, commands: bool) -> None:
    """Show every grant. Asks no broker.

    \b
    Examples:
      monmouth acls print
      monmouth acls print --commands > grants.sh
    """
    for grant in _wanted(settings.kafka):
        click.echo(_command(grant) if commands else str(grant))
    _say_if_one_for_all(settings.kafka)


@acls.command()
@click.option("--prune", is_flag=True, help="Also take away what these programs were granted beyond their needs.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def apply(settings: Settings, prune: bool, dry_run: bool) -> None:
    """Add missing grants. Exit code 1 if differences remain.

    \b
    Examples:
      monmouth acls apply --dry-run
      monmouth acls apply --prune
    """
    differences = asyncio.run(_differences(settings.kafka))
    missing = [entry.grant for entry in differences if entry.kind == "missing"]
    extra = [entry.grant for entry in differences if entry.kind == "extra"] if prune else []
    if not dry_run:
        asyncio.run(brokers.add(settings.kafka, missing))
        asyncio.run(brokers.remove(settings.kafka, extra))
    verb = "would be " if dry_run else ""
    for what, some in (("added", missing), ("removed", extra)):
        for grant in some:
            click.echo(f"{verb}{what}: {grant}")
    left = [entry for entry in differences if entry.grant not in {*missing, *extra}]
    for entry in left:
        click.echo(f"{entry}{' (--prune removes it)' if entry.kind == 'extra' else ' (left alone)'}")
    if not differences:
        click.echo("the brokers' list is as it should be")
    _say_if_one_for_all(settings.kafka)
    if left:
        raise Exit(1)


@acls.command()
@click.pass_obj
def check(settings: Settings) -> None:
    """Say where the brokers' list differs. Exit code 1 if it does.

    \b
    Example:
      monmouth acls check
    """
    differences = asyncio.run(_differences(settings.kafka))
    for entry in differences:
        click.echo(str(entry))
    if differences:
        raise Exit(1)
    click.echo("the brokers' list is as it should be")


async def _differences(kafka: KafkaSettings) -> list[Difference]:
    return compare(_wanted(kafka), await brokers.held(kafka))


def _wanted(kafka: KafkaSettings) -> list[Grant]:
    return grants(kafka, stream_agents())


def _say_if_one_for_all(kafka: KafkaSettings) -> None:
    if len(names := set(principals(kafka, stream_agents()).values())) == 1:
        click.echo(f"All programs are {names.pop()}: {{role}} in kafka.access.user tells them apart.", err=True)


def _command(grant: Grant) -> str:
    resource = ["--cluster"] if grant.resource == "CLUSTER" else [FLAGS[grant.resource], grant.name]
    operation = "".join(word.capitalize() for word in grant.operation.split("_"))
    arguments = ["--allow-principal", grant.principal, "--operation", operation, *resource]
    return f"kafka-acls $KAFKA_ACLS --add {shlex.join([*arguments, '--resource-pattern-type', grant.pattern.lower()])}"

"""``monmouth keys``: rotation of agents' keys and of the master key."""

from __future__ import annotations

import os
from pathlib import Path

import click

from streams.errors import ConfigurationError
from streams.serving.addresses import parse_agent
from streams.settings import Settings
from streams.vault.errors import VaultError
from streams.vault.keys import FileKeyStore
from streams.vault.master import NEW_VARIABLE, MasterKey, master_key_of, new_master_key
from streams.vault.sealing import open_keys


@click.group()
def keys() -> None:
    """Rotate the keys that encrypt memories.

    \b
    Examples:
      monmouth keys rotate 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
      monmouth keys rewrap              with workers and gateways stopped
    """


@keys.command()
@click.argument("agent")
@click.pass_obj
def rotate(settings: Settings, agent: str) -> None:
    """Seal what is written of AGENT with a new key from now on; what was sealed before stays readable.

    \b
    Example:
      monmouth keys rotate 0x70997970c51812dc3a010c7d01b50e0d17dc79c8
    """
    made = open_keys(settings).rotate(parse_agent(agent))
    click.echo(f"version {made.newest.version}, key {made.newest.key_id.hex()}")


@keys.command()
@click.pass_obj
def rewrap(settings: Settings) -> None:
    """Draw a new master key and wrap all agents' keys with it. Stop workers and gateways first.

    The new key takes the place of the old one where that is kept: its file, also if a program wraps it. One that comes from the
    environment is exchanged for that in MONMOUTH_NEW_MASTER_KEY, which must then take its place.

    \b
    Example:
      monmouth keys rewrap
    """
    given = os.environ.get(NEW_VARIABLE)
    if given:
        count = _rewrapped(settings, master_key_of(given, NEW_VARIABLE))
        click.echo(f"{count} keys wrapped anew; give the new master key to every process from now on")
        return
    path = settings.path(settings.security.master_key_file)
    beside = path.with_suffix(".new")
    count = _rewrapped(settings, new_master_key(settings, beside))
    try:
        beside.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{beside} cannot be moved to {path}: {error.strerror}", "Move it yourself.") from None
    click.echo(f"{count} keys wrapped anew; the new master key is in {path}")


def _rewrapped(settings: Settings, new: MasterKey) -> int:
    file: Path = settings.path(settings.security.agent_keys_file)
    try:
        store = open_keys(settings)
    except VaultError:
        store = FileKeyStore(file, lambda: new)  # it was done before, and cut short then
        return store.count
    return store.rewrap(new)

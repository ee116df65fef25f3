"""Which rules and channels commands work with: those of the command line, else those of the settings, else what ships.

Invariant: a file of the settings that is not there yet begins with the rules that come with the product, as it does for who
changes rules by hand (``book``); a file that the command line names must be there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from streams.ops.alerts.channels import channel_tables, kinds_of
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.rules import AlertRule, load_rules
from streams.settings import Settings

_log = logging.getLogger(__name__)
a_file = click.Path(path_type=Path, dir_okay=False)
rules_option = click.option(
    "--rules", "file", type=a_file, help="Rules file (default: `ops.rules_file`, or the rules that come with it)."
)


def rules_file(settings: Settings, asked: Path | None) -> Path | None:
    """Whether or not it is there."""
    return _in_use(settings, settings.ops.rules_file, asked)


def channels_in_use(settings: Settings, asked: Path | None) -> dict[str, dict[str, Any]]:
    """The tables of the channels' file. Raises ConfigurationError."""
    return channel_tables(_in_use(settings, settings.ops.channels_file, asked))


def rules_in_use(
    settings: Settings, asked: Path | None, channels: Mapping[str, Mapping[str, Any]] | None = None
) -> list[AlertRule]:
    """Of a file, whose rules say whom to tell; those that come with the product tell ``channels`` by their kind.

    Raises ConfigurationError.
    """
    file = rules_file(settings, asked)
    if file is not None and (asked is not None or _is_there(file)):
        return load_rules(file)
    if file is not None:
        _log.warning("%s is not there: until it is, the rules that come with the product are in use", file)
    return default_rules(kinds_of(channels or {}))


def _in_use(settings: Settings, said: Path | None, asked: Path | None) -> Path | None:
    """The file that the command line names, else the one that the settings say."""
    return asked if asked is not None or said is None else settings.path(said)


def _is_there(file: Path) -> bool:
    """Also if it cannot be read, which whoever reads it says."""
    try:
        file.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True

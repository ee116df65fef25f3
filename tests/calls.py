"""Calls of ``monmouth`` that texts show, and what would be wrong with one. Nothing is run.

Assumes that words in capitals stand for values, and that a shell's own words end a call.
"""

from __future__ import annotations

import re
import shlex

import click

from streams.cli import cli

CALL = re.compile(r"(?:^ *|`|\$\(|[A-Z_]=\S+ |\|\| )monmouth ([^`\n]*)", re.MULTILINE)
END = re.compile(r" {2,}| >> | > | < | \|\|? |\)(?:\s|$)|$")


def calls(text: str) -> list[str]:
    """The arguments of each call in ``text``: in backquotes, at the start of a line, behind variables, in ``$(...)``."""
    return [END.split(found, maxsplit=1)[0].strip() for found in CALL.findall(text.replace("\\\n", " "))]


def misused(arguments: str) -> str | None:
    """What is wrong with a call: a command or option that is not there, a value too few, a word too many."""
    command, context, words = _named(shlex.split(re.sub(r"[\[\]]", "", arguments), comments=True))
    if isinstance(command, str):
        return command
    try:
        _, rest, _ = command.make_parser(context).parse_args([*words])
    except click.UsageError as error:
        return error.message
    return f"more than it takes: {' '.join(rest)}" if rest and not isinstance(command, click.Group) else None


def _named(words: list[str]) -> tuple[click.Command | str, click.Context, list[str]]:
    """The command that ``words`` name, or why they name none; its context; and what is left for it."""
    command: click.Command = cli
    context = click.Context(cli, info_name="monmouth")
    while isinstance(command, click.Group) and words:
        option = next((one for one in command.params if words[0] in one.opts), None)
        if option is not None:
            words = words[1:] if isinstance(option, click.Option) and option.is_flag else words[2:]
            continue
        if words[0].startswith("-"):
            break
        try:
            _, below, words = command.resolve_command(context, words)
        except click.UsageError as error:
            return error.message, context, words
        assert below is not None
        command = below
        context = click.Context(command, parent=context, info_name=command.name)
    return command, context, words

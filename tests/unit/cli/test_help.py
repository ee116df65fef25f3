"""Every command says what it is for, shows how it is called, and explains each option; the calls that it shows are right."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from streams.cli import cli
from tests.calls import calls, misused

BARE = (click.types.IntParamType, click.types.FloatParamType)
"""Types that take any number, so one below zero too."""


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command with the words that name it."""
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            yield from commands(below, (*path, name))


ALL = dict(commands(cli, ("monmouth",)))
each = pytest.mark.parametrize("path", ALL, ids=" ".join)


def unexplained(command: click.Command) -> list[str]:
    """Options without a word on what they do."""
    return [one.opts[0] for one in command.params if isinstance(one, click.Option) and not one.help]


def boundless(command: click.Command) -> list[str]:
    """Options that take any number: none of them means anything below zero, but a seed."""
    taken = [one for one in command.params if type(one.type) in BARE]
    return [one.opts[0] for one in taken if "--seed" not in one.opts]


def examples(command: click.Command) -> list[str]:
    """Calls below the word Example."""
    return calls((command.help or "").partition("Example")[2])


@each
def test_a_command_says_what_it_is_for_and_shows_how(path: tuple[str, ...]) -> None:
    assert ALL[path].help
    assert examples(ALL[path])


@each
def test_each_option_is_explained_and_numbers_have_bounds(path: tuple[str, ...]) -> None:
    assert unexplained(ALL[path]) == []
    assert boundless(ALL[path]) == []


@each
def test_examples_are_calls_that_exist(path: tuple[str, ...]) -> None:
    assert {call: said for call in examples(ALL[path]) if (said := misused(call)) is not None} == {}


def test_the_checks_say_no() -> None:
    @click.command()
    @click.option("--often", type=int)
    def bare(often: int) -> None:
        """Do it."""

    assert unexplained(bare) == boundless(bare) == ["--often"]
    assert examples(bare) == []
    assert "No such command" in (misused("memroy list 0x7099") or "")
    assert "No such command" in (misused("memory lits 0x7099") or "")
    assert "No such option" in (misused("memory list 0x7099 --taste good") or "")
    assert "requires an argument" in (misused("query 0x7099 what --max-tokens") or "")
    assert "more than it takes" in (misused("query 0x7099 what else") or "")
    assert misused("erase 0x7099... -o receipt.json") is None
    assert misused("acls --principal User:monmouth.{role} apply --prune") is None


def test_calls_are_found_wherever_texts_have_them() -> None:
    text = """`monmouth verify` and (`monmouth settings kafka`), A_B=x monmouth worker
    T=$(monmouth agent token 0xA --key-file k)
monmouth health --json | jq .roots    # why
"""
    assert calls(text) == ["verify", "settings kafka", "worker", "agent token 0xA --key-file k", "health --json"]

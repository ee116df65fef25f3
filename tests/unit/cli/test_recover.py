"""``monmouth recover``: the shares and the names of strategies that it takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import click
import pytest

from streams.cli.recover import ShareType, recover_command
from streams.upkeep.recover import THRESHOLD, Strategy


@pytest.mark.parametrize(
    ("text", "share"), [("2/3", Fraction(2, 3)), ("0.67", Fraction(67, 100)), ("0.5", Fraction(1, 2)), ("1", Fraction(1))]
)
def test_a_share_is_exact(text: str, share: Fraction) -> None:
    assert ShareType().convert(text, None, None) == share


@pytest.mark.parametrize("text", ["7", "0.49", "1/3", "-2/3", "2/0", "most", "nan", "inf", ""])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        ShareType().convert(text, None, None)


@pytest.mark.parametrize("name", ["AIGuided", "aiguided", "scored", "SCORED"])
def test_ai_guided_is_another_name_of_scored(name: str) -> None:
    parsed: dict[str, Any] = recover_command.make_context("recover", ["0x" + "a" * 40, "--strategy", name]).params
    assert Strategy(parsed["strategy"]) is Strategy.SCORED is Strategy.AI_GUIDED
    assert parsed["threshold"] == THRESHOLD == Fraction(2, 3)


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="guesswork"):
        Strategy("guesswork")
    with pytest.raises(click.BadParameter):
        recover_command.make_context("recover", ["0x" + "a" * 40, "--strategy", "guesswork"])


def test_the_help_says_what_chooses() -> None:
    said = " ".join(recover_command.get_help(click.Context(recover_command)).split())
    assert "AIGuided another name of scored; that sum chooses, no language model" in said

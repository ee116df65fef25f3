"""What the terminal says of a command: done, or only accepted."""

from __future__ import annotations

import json

import pytest

from streams.cli.answers import show_receipt
from streams.serving.wire import Receipt

ID = "0x" + "11" * 32


def receipt(visible: bool) -> Receipt:
    return Receipt(command_id="c", memory_id=ID, visible=visible, write_token="t")


def test_what_reads_show_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    show_receipt(receipt(True), "stored", as_json=False)
    assert capsys.readouterr().out == f"{ID}  stored\n"


def test_what_they_do_not_show_yet_is_accepted_only(capsys: pytest.CaptureFixture[str]) -> None:
    show_receipt(receipt(False), "stored", as_json=False)
    show_receipt(receipt(False), "forgotten", as_json=False, meanwhile="reads may still show it")
    assert capsys.readouterr().out == (f"{ID}  accepted; reads do not show it yet\n{ID}  accepted; reads may still show it\n")


def test_as_json_it_is_the_answer_itself(capsys: pytest.CaptureFixture[str]) -> None:
    show_receipt(receipt(False), "stored", as_json=True)
    assert json.loads(capsys.readouterr().out)["visible"] is False

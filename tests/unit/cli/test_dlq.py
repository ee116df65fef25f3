"""``monmouth dlq`` on the in-memory log: what is shown, asked and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams import topics
from streams.cli import cli
from streams.cli import dlq as module
from streams.errors import ConfigurationError
from tests.fakelog import FakeBroker
from tests.unit.runtime.test_letters import LETTERS, letter


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    broker = FakeBroker(partitions=1)
    broker.append(LETTERS, [letter(1), letter(2, stream_agent="graph"), letter(3, topics.TRANSACTIONS)])
    monkeypatch.setattr(module, "open_client", lambda _: broker)
    monkeypatch.setenv("MONMOUTH_KAFKA__PREFIX", "t.")
    return broker


def run(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(cli, ["dlq", *words], input=answer)


def test_list_shows_open_letters(broker: FakeBroker) -> None:
    shown = run("list")
    assert shown.exit_code == 0
    assert "t.memory.commands/0/1" in shown.output
    assert "3 open letters" in shown.output
    assert "the newest 1 of them shown" in run("list", "-n", "1").output
    rows = [json.loads(line) for line in run("list", "--json", "--stream-agent", "graph").output.splitlines()]
    assert [(row["id"], row["reason"]) for row in rows] == [("t.memory.commands/0/2", "no")]


def test_show_tells_cause_and_whether_it_can_be_sent_again(broker: FakeBroker, tmp_path: Path) -> None:
    raw = tmp_path / "value"
    shown = run("show", "t.memory.commands/0/1", "--raw", str(raw))
    assert "PoisonError" in shown.output
    assert "possible" in shown.output
    assert raw.read_bytes() == b"v1"
    assert "counted block by block" in run("show", "t.chain.transactions/0/3").output


def test_replay_sends_again_and_closes(broker: FakeBroker) -> None:
    assert "1 records sent again" in run("replay", "t.memory.commands/0/2").output
    assert broker.read(topics.COMMANDS, 0) == [(b"k", b"v2")]
    assert "2 open letters" in run("list").output
    refused = run("replay", "--all")
    assert isinstance(refused.exception, ConfigurationError)
    assert len(broker.read(topics.COMMANDS, 0)) == 1


def test_drop_asks_first(broker: FakeBroker) -> None:
    assert run("drop", "--all", answer="n\n").exit_code != 0
    assert "3 open letters" in run("list").output
    assert "1 letters closed" in run("drop", "--all", "--topic", "t.chain.transactions", "--yes").output
    assert "2 open letters" in run("list").output


@pytest.mark.parametrize("words", [("replay",), ("drop",), ("replay", "--all", "t.memory.commands/0/1")])
def test_letters_are_named_or_all_are_meant(broker: FakeBroker, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_an_unknown_id_is_refused(broker: FakeBroker) -> None:
    for word in ("show", "replay", "drop"):
        refused = run(word, "t.memory.commands/0/99")
        assert isinstance(refused.exception, ConfigurationError)

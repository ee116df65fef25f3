"""Last words: the type of the error and where it happened, for a supervisor; by the command as by the functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli import main
from streams.errors import Category, ConfigurationError, LogIntegrityError, Severity, StoreError
from streams.last_words import VARIABLE, LastWords, happened_at, heard, leave
from streams.metrics import count_error


def test_what_is_left_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "words"
    monkeypatch.setenv(VARIABLE, str(file))
    error = LogIntegrityError("altered", "a hint")
    happened_at(error, "memory/2")
    happened_at(error, "later/0")
    leave(error)
    found = heard(file)
    assert found == LastWords.of(error)
    assert found is not None
    assert (found.error, found.category, found.severity) == ("LogIntegrityError", Category.PROCESSING, Severity.CRITICAL)
    assert (found.passes, found.ours, found.place) == (False, True, "memory/2")
    assert found.is_a(LogIntegrityError)
    assert not found.is_a(StoreError)


def test_a_defect_is_told_apart_and_its_text_left_out() -> None:
    words = LastWords.of(KeyError("a secret of somebody"))
    assert (words.error, words.ours, words.message) == ("KeyError", False, "")
    assert (words.category, words.severity) == (Category.UNKNOWN, Severity.HIGH)


def test_an_error_that_is_not_ours_is_filed_by_its_type() -> None:
    words = LastWords.of(MemoryError())
    assert (words.category, words.severity, words.passes) == (Category.MEMORY, Severity.CRITICAL, False)
    words = LastWords.of(ConnectionResetError())
    assert (words.category, words.severity, words.passes) == (Category.NETWORK, Severity.MEDIUM, True)


def test_they_say_whether_the_process_counted_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "words"))
    for counts in (False, True):
        error = StoreError("away")
        if counts:
            count_error(error)
        leave(error)
        found = heard(tmp_path / "words")
        assert found is not None
        assert found.counted is counts


def test_the_command_leaves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "words"
    monkeypatch.setenv(VARIABLE, str(file))
    (tmp_path / "topics.prefix").write_text("others.\n")
    assert main(["--state-dir", str(tmp_path), "worker", "--agents", "intent"]) == 1
    found = heard(file)
    assert found is not None
    assert found.is_a(ConfigurationError)


def test_a_place_that_cannot_be_written_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/at/all")
    leave(StoreError("away"))
    monkeypatch.delenv(VARIABLE)
    leave(StoreError("away"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"error": "X", "category": "none"}'])
def test_what_cannot_be_understood_is_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "words"
    file.write_text(text)
    assert heard(file) is None
    assert heard(tmp_path / "none") is None

"""The operator's token: made once, private, and sent nowhere but home."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.identity.operator import TOKEN_VARIABLE, load_or_create_operator_token, token_for
from streams.settings import Settings
from tests.identity import operator_token


def test_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "operator.token"
    token = load_or_create_operator_token(path)
    assert len(token) == 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_operator_token(path) == token


@pytest.mark.parametrize("text", ["", "short", "x" * 31, "x" * 30 + " " + "x" * 30, "é" * 40, "x" * 20 + "\n" + "x" * 20])
def test_what_could_be_guessed_or_sent_wrongly_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "operator.token"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_or_create_operator_token(path)
    assert not text or text not in str(refused.value)


def test_a_token_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "operator.token"
    load_or_create_operator_token(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to others"):
        load_or_create_operator_token(path)


def test_sent_to_gateways_of_ours_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(state_dir=tmp_path, gateway={"host": "gateway.internal"})
    assert token_for(settings, "http://127.0.0.1:8080") is None
    token = operator_token(settings)
    for url in ("http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080", "http://gateway.internal:8080"):
        assert token_for(settings, url) == token
    for url in ("http://192.0.2.1:8080", "https://example.org", "http://127.0.0.1.example.org", "nonsense"):
        assert token_for(settings, url) is None
    monkeypatch.setenv(TOKEN_VARIABLE, "of the environment")
    assert token_for(settings, "https://example.org") == "of the environment"

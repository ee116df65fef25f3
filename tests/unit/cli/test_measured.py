"""Metrics and probes of a worker or producer: only on request, only while it runs."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from streams.cli.measured import measured
from streams.errors import ConfigurationError
from streams.health import Health
from streams.settings import Settings


def test_off_unless_asked_for(tmp_path: Path) -> None:
    with measured(Settings(state_dir=tmp_path), None, Health(60)) as port:
        assert port is None


def test_served_during_the_block_only_and_never_twice(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    with measured(settings, 0, Health(60)) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert b"monmouth_uptime_seconds" in answer.read()
        with pytest.raises(ConfigurationError, match=str(port)), measured(settings, port, Health(60)):
            pass
    with pytest.raises(URLError):
        urllib.request.urlopen(url, timeout=5)


def test_the_setting_asks_for_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONMOUTH_PROBES__PORT", "0")
    with measured(Settings(state_dir=tmp_path), None, Health(60)) as port:
        assert port

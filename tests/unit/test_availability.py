"""A part that is missing skips a test on a desk and fails it in CI."""

from __future__ import annotations

import pytest

from tests.availability import unavailable
from tests.conftest import ROOT


def test_on_a_desk_it_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no node"):
        unavailable("no node")


def test_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no node"):
        unavailable("no node")


def test_the_ci_script_is_ci() -> None:
    assert 'export CI="${CI:-true}"' in (ROOT / ".ci" / "run").read_text().splitlines()

"""Shared fixtures. Data sets lie beside the checkout; tests that need one skip, saying why, where it is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MONMOUTH_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no data sets at {DATA}; set MONMOUTH_DATA")
    return DATA

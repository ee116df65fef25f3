"""Shared fixtures. Data sets lie beside the checkout; tests that need one skip, saying why, where it is missing.

What a machine with a network can fetch (jars, model, node) is no reason to skip where CI is set: see ``availability``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from connectors.embedding.model import ModelFiles, fetch
from streams.errors import ConfigurationError
from tests.availability import unavailable

# Time on a busy machine says nothing of a property. Under CI the library's own profile holds, which repeats its examples.
settings.register_profile("patient", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("patient")

pytest_plugins = ("tests.broker_fixtures", "tests.cassandra_fixtures", "tests.milvus_fixtures", "tests.lanes")
ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MONMOUTH_DATA", ROOT.parent / "shared" / "data"))
MODELS = Path(os.environ.get("MONMOUTH_MODELS", ROOT / ".monmouth" / "models"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no data sets at {DATA}; set MONMOUTH_DATA")
    return DATA


@pytest.fixture(scope="session")
def model_files() -> ModelFiles:
    """The embedding model, fetched once and kept for the next run. For tests marked ``model``."""
    try:
        return fetch(MODELS)
    except ConfigurationError as error:
        if "could not be fetched" not in error.message:
            raise
        unavailable(f"{error.message}; set MONMOUTH_MODELS to a folder that holds it")

"""The tools, once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.deployment.tools import ToolsMissingError, fetch


@pytest.fixture(scope="session")
def tools() -> Path:
    try:
        return fetch()
    except ToolsMissingError as error:
        unavailable(str(error))

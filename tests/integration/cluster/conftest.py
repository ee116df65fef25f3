"""One secured broker for all tests here, with the topics of a pipeline; grants as ``monmouth acls apply`` gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.acls.grants import roles
from infra.broker.errors import JarsUnavailableError
from streams.settings import OPERATOR
from streams.upkeep.pipeline import stream_agents
from tests.availability import unavailable
from tests.secured_broker import SecuredBroker, secured_broker

ROLES = [*(role.name for role in roles(stream_agents())), OPERATOR]


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[SecuredBroker]:
    try:
        with secured_broker(tmp_path_factory.mktemp("secured"), jars_dir, ROLES) as broker:
            yield broker
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")

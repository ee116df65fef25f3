"""One secured broker for all tests here, with the topics of a pipeline; grants as ``monmouth acls apply`` gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.broker.errors import JarsUnavailableError
from streams.settings import GATEWAY, OPERATOR, PRODUCER
from streams.upkeep.pipeline import stream_agents
from tests.availability import unavailable
from tests.secured_broker import SecuredBroker, secured_broker

ROLES = [*(spec.name for spec in stream_agents()), PRODUCER, GATEWAY, OPERATOR]


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[SecuredBroker]:
    try:
        with secured_broker(tmp_path_factory.mktemp("secured"), jars_dir, ROLES) as broker:
            yield broker
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")

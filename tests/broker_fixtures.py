"""A real broker for the session, and topics of its own for each test. Loaded as a plugin, so that all tests share one broker.

``broker``: bootstrap text of the broker. ``broker_folder``: where all its files lie. ``kafka_settings``: Settings with topics
under a prefix of their own, two partitions.
Jars come from MONMOUTH_JARS or the checkout's .monmouth/jars, fetched there once.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.broker import LocalBroker
from infra.broker.errors import JarsUnavailableError
from infra.topics import apply
from streams.settings import KafkaSettings, Settings
from tests.availability import unavailable

PARTITIONS = 2
ROOT = Path(__file__).resolve().parents[1]
PROPERTIES = {
    "log.cleaner.backoff.ms": "1000",
    # A killed member is given up after its session timeout; the broker's least is 6 s by default.
    "group.min.session.timeout.ms": "500",
}


@pytest.fixture(scope="session")
def jars_dir() -> Path:
    return Path(os.environ.get("MONMOUTH_JARS") or ROOT / ".monmouth" / "jars")


@pytest.fixture(scope="session")
def broker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broker")


@pytest.fixture(scope="session")
def broker(broker_folder: Path, jars_dir: Path) -> Iterator[str]:
    local = LocalBroker(broker_folder, jars=jars_dir, properties=PROPERTIES, record_startup=False)
    try:
        local.start()
    except JarsUnavailableError as error:
        unavailable(f"no broker: {error}")
    try:
        yield local.bootstrap
    finally:
        local.stop()


@pytest.fixture
async def kafka_settings(broker: str, tmp_path: Path) -> Settings:
    kafka = KafkaSettings(bootstrap=broker, prefix=f"t{uuid.uuid4().hex[:12]}.", partitions=PARTITIONS)
    await apply(kafka)
    return Settings(state_dir=tmp_path / "state", kafka=kafka)

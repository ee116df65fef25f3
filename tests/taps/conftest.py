"""One stage for all taps, gone after the last of them: its thread must not run beside property tests, which watch `random`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.settings import KafkaSettings, Settings
from tests.broker_fixtures import PARTITIONS
from tests.taps.stage import Stage, staged


@pytest.fixture(scope="package")
def stage(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    kafka = KafkaSettings(bootstrap=broker, prefix="monmouth.", partitions=PARTITIONS)
    with staged(Settings(state_dir=tmp_path_factory.mktemp("taps"), kafka=kafka)) as found:
        yield found

"""One environment for all tests of the harness, on the session's broker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connectors.embedding.model import ModelFiles
from streams.settings import KafkaSettings, RagSettings, Settings
from tests.conftest import MODELS
from tests.harness import CrossExExTestHarness, IntegrationTestConfig

PARTITIONS = 2
TIMEOUT = 90.0
"""Seconds a case may take: a busy machine is no failure."""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def harness(
    broker: str, model_files: ModelFiles, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CrossExExTestHarness]:
    settings = Settings(
        state_dir=tmp_path_factory.mktemp("harness"),
        kafka=KafkaSettings(bootstrap=broker, partitions=PARTITIONS, session_timeout_ms=2_000),
        rag=RagSettings(models_path=MODELS.resolve()),
    )
    made = CrossExExTestHarness(IntegrationTestConfig(timeout=TIMEOUT), settings, external_kafka=True)
    await made.setup_test_environment()
    yield made
    await made.cleanup()

"""The command as a process: killed in the middle, told to stop, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.chain import era1
from streams.settings import Settings
from streams.topics import BLOCKS, TRANSACTIONS
from tests.conftest import ROOT
from tests.integration.producer.logs import canonical, check_partition, notifications, read

pytestmark = pytest.mark.kafka


@contextmanager
def process(settings: Settings, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``monmouth producer`` on the topics of the test."""
    kafka = settings.kafka
    environment = os.environ | {
        "MONMOUTH_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "MONMOUTH_KAFKA__PREFIX": kafka.prefix,
        "MONMOUTH_KAFKA__PARTITIONS": str(kafka.partitions),
    }
    command = [sys.executable, "-m", "streams.cli", "--state-dir", str(settings.state_dir), "producer", *arguments]
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()
        running.communicate(timeout=20)


async def written(settings: Settings, at_least: int) -> None:
    async with asyncio.timeout(60):
        while len((await read(settings, BLOCKS))[0]) < at_least:
            await asyncio.sleep(0.1)


async def test_killed_in_the_middle_of_a_backfill_it_goes_on_without_a_gap(kafka_settings: Settings, data_dir: Path) -> None:
    archive = data_dir / "ethereum" / "era1"
    for kill_at in (300, 900):
        with process(kafka_settings, "--history", str(archive)) as running:
            await written(kafka_settings, kill_at)
            assert running.poll() is None
            running.send_signal(signal.SIGKILL)
    with process(kafka_settings, "--history", str(archive), "--until", "1400") as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert "the log is at 1400/" in out
    records = await notifications(kafka_settings)
    assert [record["sequence"] for record in records] == list(range(len(records)))
    (file,) = archive.glob("*.era1")
    expected = [arrival.ref.hash for arrival in era1.arrivals(file, siblings=False)][:1401]
    assert canonical(records) == expected
    for number, part in (await read(kafka_settings, TRANSACTIONS)).items():
        check_partition(kafka_settings, 1, number, part)


async def test_told_to_stop_it_ends_between_two_transactions(kafka_settings: Settings, data_dir: Path) -> None:
    with process(kafka_settings, "--history", str(data_dir / "ethereum" / "era1")) as running:
        await written(kafka_settings, 100)
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    tip = (await notifications(kafka_settings))[-1]["head"]
    assert f"the log is at {tip['number']}/{tip['hash'][:4].hex()}" in out


def test_a_dead_node_is_one_line_and_a_hint(kafka_settings: Settings) -> None:
    with process(kafka_settings, "--rpc", "http://127.0.0.1:1", "--once") as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "does not answer" in err
    assert "Is the node running" in err
    assert "Traceback" not in err + out

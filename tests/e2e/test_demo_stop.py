"""A demo that is told to end, as by ``timeout`` or a closed terminal, takes everything with it that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.embedding.model import ModelFiles
from tests.conftest import MODELS, ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.model, pytest.mark.slow]
PATIENCE = 90.0


def working_in(folder: Path) -> list[int]:
    """Processes whose environment or command line names ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile, or is not ours
            continue
        if str(folder).encode() in said:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_a_demo_that_is_told_to_end(
    tmp_path: Path, jars_dir: Path, broker: str, model_files: ModelFiles, number: signal.Signals
) -> None:
    """``broker`` has fetched the jars; the demo starts one of its own."""
    # A suite that runs in the background ignores SIGINT, and a child would inherit that; what is caught it does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    demo = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "--state-dir", str(tmp_path), "demo"],
        env={**os.environ, "MONMOUTH_RAG__MODELS_PATH": str(MODELS.resolve()), "MONMOUTH_JARS": str(jars_dir)},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    signal.signal(signal.SIGINT, before)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "demo" / "logs" / "producer.log").exists() and time.monotonic() < deadline:
            assert demo.poll() is None
            time.sleep(0.1)
        assert len(working_in(tmp_path)) >= 5  # itself, the broker and three children
        demo.send_signal(number)
        assert demo.wait(PATIENCE) == 130
        assert working_in(tmp_path) == []
    finally:
        demo.kill()
        for left in working_in(tmp_path):
            os.kill(left, signal.SIGKILL)

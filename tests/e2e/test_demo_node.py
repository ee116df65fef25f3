"""``monmouth demo --rpc``: a node that goes its own way, and one that is not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.embedding.model import ModelFiles
from tests.conftest import MODELS, ROOT

BLOCKS = 24
OLD = 30
"""Blocks the node has before the demo comes: more than it asks for, so that it must begin above the first."""


def demo(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", "--state-dir", str(state), "demo", *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture
def node() -> Iterator[str]:
    """A node with a block every half second and reorganisations, that waits for nobody."""
    chain = ["devchain", "--port", "0", "--block-time", "0.5", "--reorgs", "7", "--max-depth", "3", "--txs", "6"]
    process = subprocess.Popen([sys.executable, "-u", "-m", "streams.cli", *chain], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for line in process.stdout:
            if line.startswith(f"block {OLD}/"):
                break
        yield url
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.kafka
@pytest.mark.model
@pytest.mark.slow
def test_a_node_that_does_not_wait(node: str, tmp_path: Path, jars_dir: Path, broker: str, model_files: ModelFiles) -> None:
    parts = {"MONMOUTH_RAG__MODELS_PATH": str(MODELS.resolve()), "MONMOUTH_JARS": str(jars_dir)}
    done = demo(tmp_path, "--rpc", node, "--blocks", str(BLOCKS), **parts)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    ((blocks, transactions),) = re.findall(r"^  (\d+) blocks, (\d+) transactions", done.stdout, re.MULTILINE)
    ((height, agents, memories),) = re.findall(
        r"^  block (\d+)/\S+ (\d+) agents, (\d+) memories, .*: agree", done.stdout, re.MULTILINE
    )
    assert int(blocks) >= BLOCKS
    assert int(height) > OLD
    assert int(blocks) < int(height), "it began shortly before the head"
    assert int(memories) > int(agents) > 0 < int(transactions)


def test_a_node_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    done = demo(tmp_path, "--rpc", "http://127.0.0.1:1/secret")
    assert done.returncode == 1
    assert "http://127.0.0.1:1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr

"""``monmouth demo --fast`` as a user runs it: a broker, a chain that reorganises, every process, and the verdict."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.embedding.model import ModelFiles
from tests.conftest import MODELS, ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.model, pytest.mark.slow]


def test_the_demo_agrees_and_cleans_up(tmp_path: Path, jars_dir: Path, broker: str, model_files: ModelFiles) -> None:
    """``broker`` has fetched the jars; the demo starts one of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "--state-dir", str(tmp_path), "demo", "--fast"],
        env={**os.environ, "MONMOUTH_RAG__MODELS_PATH": str(MODELS.resolve()), "MONMOUTH_JARS": str(jars_dir)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    said = done.stdout
    assert "every digest agreed with the independent fold" in said
    line = r"^  block \d+/[0-9a-f]{8}: (\d+) agents, (\d+) memories, lattice [0-9a-f]{16}: (\w+)"
    comparisons = re.findall(line, said, re.MULTILINE)
    assert [verdict for _, _, verdict in comparisons] == ["agree"] * 3
    assert all(int(memories) > int(agents) > 0 for agents, memories, _ in comparisons)
    reorgs, deepest = numbers(r"(\d+) reorgs, deepest (\d+) blocks; 0 dead letters", said)
    assert min(reorgs, deepest) >= 1
    proven, asked = numbers(r"proofs verified: (\d+) of (\d+)", said)
    assert proven == asked > 0
    assert not left_behind(tmp_path)


def numbers(pattern: str, text: str) -> list[int]:
    """The groups of the one place that matches."""
    (found,) = re.findall(pattern, text)
    return [int(group) for group in found]


def left_behind(folder: Path) -> list[str]:
    """Command lines of processes that still work in ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if str(folder) in line:
            found.append(line)
    return found

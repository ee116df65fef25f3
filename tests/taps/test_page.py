"""The code of docs/tapping.md, run as it stands, with the addresses of a test put in place of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.broker.java import find_java
from streams.topics import TOPICS
from tests.conftest import ROOT
from tests.taps import peers
from tests.taps.stage import Stage

pytestmark = pytest.mark.kafka
PAGE = ROOT / "docs" / "tapping.md"
SECTIONS = dict(re.findall(r"^#+ (.*?)\n(.*?)(?=^#+ |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))
SECONDS = 90


def code(section: str, language: str, stage: Stage) -> str:
    """The only block of code in that language in the section, for the stage."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)
    for ours, theirs in (
        ("127.0.0.1:19092", stage.bootstrap),
        ("http://127.0.0.1:8080/registry", stage.registry),
        ("partitions=4", f"partitions={stage.settings.kafka.partitions}"),
    ):
        block = block.replace(ours, theirs)
    return block


def shell(script: str, folder: Path, **environment: str) -> str:
    """What it printed."""
    line = ["bash", "-e", "-o", "pipefail", "-c", script]
    done = subprocess.run(
        line, env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def python(script: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """Its names afterwards."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "page"}
    exec(script, names)
    return names


def test_the_registry_answers_curl(stage: Stage, tmp_path: Path) -> None:
    said = shell(code("Tapping the topics", "sh", stage).replace("\n", "\necho\n"), tmp_path)
    assert '"monmouth.chain.blocks-value"' in said
    assert '"name\\":\\"Marker\\"' in said


def test_kcat(stage: Stage, tmp_path: Path) -> None:
    peers.kcat()
    said = shell(code("kcat", "sh", stage), tmp_path)
    assert 'topic "monmouth.chain.blocks" with 1 partitions' in said
    assert re.search(r"partition [01], offset \d+, key of 20 bytes, \d{3} bytes", said)
    assert "VERSION/1/monmouth.chain.blocks-value" in said


def test_the_java_console_consumer(stage: Stage, tmp_path: Path) -> None:
    libs = peers.java_libs()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "java").write_text(f'#!/bin/sh\nexec "{find_java().path}" -Xmx128m -XX:TieredStopAtLevel=1 "$@"\n')
    (bin_folder / "java").chmod(0o755)
    jars = Path(os.environ.get("MONMOUTH_JARS") or ROOT / ".monmouth" / "jars")
    path = f"{bin_folder}:{os.environ['PATH']}"
    said = shell(code("The Java console consumer", "sh", stage), tmp_path, PATH=path, KAFKA_LIBS=str(jars), LIBS=str(libs))
    records = [line for line in said.splitlines() if line.startswith("{")]
    assert len(records) == 20
    assert any('"intent": "register_agent"' in record for record in records)
    assert any('"step": "NEW"' in record for record in records)


def test_confluent_kafka_with_the_rules_ends_with_what_stands(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = python(code("Python, confluent-kafka", "python", stage), monkeypatch, tmp_path)
    assert sum(stage.expected.intents.values()) == len(names["rows"]) > 20
    assert {row["block"]["hash"] for row in names["rows"]} <= {ref.hash for ref in stage.expected.blocks}


def test_quix_streams(stage: Stage, tmp_path: Path) -> None:
    script = code("Python, Quix Streams", "python", stage) + "\nprint('STEPS', len(steps), steps[0])\n"
    done = subprocess.run(
        [str(peers.quix()), "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert "STEPS 10 ('NEW', 0)" in done.stdout, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == [], "nothing is left in the working directory"


def test_the_reference_consumer(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = code("The reference consumer", "python", stage)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{script}\nprint(not_final, final)\nkept = store\n{script}\nprint(not_final, final, len(kept))\n",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    first, again = done.stdout.splitlines()
    not_final, final = map(int, first.split())
    assert not_final + final == sum(stage.expected.intents.values())
    assert again == f"{not_final} 0 {final}", "what was handed over is not handed over again after a save"


def test_the_page_names_every_topic() -> None:
    cells = re.findall(r"^\| (`.*?`) \|", SECTIONS["What is in the topics"], re.MULTILINE)
    told = [name for cell in cells for name in re.findall(r"`([a-z0-9.]+)`", cell)]
    assert sorted(told) == sorted(TOPICS)

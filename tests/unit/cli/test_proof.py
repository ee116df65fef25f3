"""``monmouth proof verify``: exit code 0 only for a proof that holds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.cli import main
from streams.core.merkle.document import MemberDocument
from streams.core.merkle.sparse import SparseTree
from tests.samples import h

TREE = SparseTree.of({h(n): h(n + 1) for n in range(9)})
GOOD = MemberDocument(TREE.root, h(4), h(5), TREE.prove(h(4))).record()
BAD = {**GOOD, "value": h(6).hex()}


def saved(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "proof.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_proof_that_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "verify", saved(tmp_path, GOOD)]) == 0
    out = capsys.readouterr()
    assert out.out.startswith("yes: ")
    assert "compare it" in out.err


@pytest.mark.parametrize("spelling", [TREE.root.hex(), "0x" + TREE.root.hex().upper()])
def test_a_root_that_is_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str], spelling: str) -> None:
    assert main(["proof", "verify", saved(tmp_path, GOOD), "--root", spelling]) == 0
    assert capsys.readouterr().err == ""


def test_a_proof_that_does_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "verify", saved(tmp_path, BAD)]) == 1
    assert capsys.readouterr().out.startswith("no: ")


def test_a_proof_of_another_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "verify", saved(tmp_path, GOOD), "--root", "00" * 32]) == 1
    assert capsys.readouterr().out.startswith("no: ")


@pytest.mark.parametrize(("document", "code"), [(GOOD, 0), (BAD, 1)])
def test_from_a_pipe(monkeypatch: pytest.MonkeyPatch, document: Any, code: int) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(document).encode())))
    assert main(["proof", "verify", "-"]) == code


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\0\1", "not JSON"),
        ("[]", "not a proof"),
        ({"kind": "sparse-merkle"}, "not a proof"),
        ({**GOOD, "root": "00"}, "not a proof"),
        (" " * (1 << 20) + "{}", "larger than"),
    ],
)
def test_what_is_no_proof(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, says: str) -> None:
    assert main(["proof", "verify", saved(tmp_path, content)]) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "verify", str(tmp_path / "none.json")]) == 1
    assert "cannot read" in capsys.readouterr().err

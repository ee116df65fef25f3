"""What a user gets wrong is said in a line or two, with an exit code that is not 0, and never as a stack trace.

A trace would come out of ``main`` as an exception, and so end the test. Nothing listens on port 1 of this machine.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from streams.cli import main
from streams.settings import CONFIG_ENV

A = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
NOBODY = "http://127.0.0.1:1"
MOST_LINES = 4
"""Usage, a pointer to the help, an empty line, the error; or the error and a hint."""
WRONG = (
    "nothing",
    "memory lits",
    "memory list --taste good",
    "query",
    "--config none.toml settings",
    "--config . settings",
    "--config noise settings",
    "settings nobody",
    f"query nobody what --url {NOBODY}",
    f"query {A} what --url {NOBODY}",
    f"query {A} what --url ftp://host",
    f"query {A} what --url nonsense",
    f"query {A} what --max-results -1 --url {NOBODY}",
    f"memory list {A} --limit -3",
    f"memory list {A} --since yesterday",
    f"memory store {A} text --importance 2",
    f"memory store {A} text --wait -1",
    f"memory store {A} --file none --url {NOBODY}",
    f"memory get {A} nonsense --url {NOBODY}",
    f"session open {A} --seconds -4 --url {NOBODY}",
    f"shared query {A} what --url {NOBODY}",
    f"graph top --seed nobody --url {NOBODY}",
    f"graph profile {A} --url {NOBODY}",
    f"export {A} -o none/file --url {NOBODY}",
    f"import {A} none --url {NOBODY}",
    f"import {A} noise --url {NOBODY}",
    f"root {A} --url {NOBODY}",
    f"health --url {NOBODY}",
    f"dashboard export --url {NOBODY}",
    f"erase {A} --yes --url {NOBODY}",
    "erase verify none",
    "erase verify noise",
    "agent key show none",
    "agent key show noise",
    "agent key new noise",
    "agent register nobody --key-file none --account-file none",
    f"agent grant {A} {A} --rights all",
    "keys rotate nobody",
    "alerts check --rules none",
    "alerts check --rules noise",
    "alerts watch --rules noise",
    "alerts watch --interval 0",
    "alerts alertmanager --channels noise",
    "alerts prometheus --interval -1",
    "slo objectives --objectives none",
    "slo objectives --objectives noise",
    "slo report --month nonsense",
    "proof verify none",
    "proof verify noise",
    f"proof anchored --agent {A} --rpc {NOBODY}",
    "proof signed none",
    "proof signed noise",
    "archive check none",
    "archive check noise",
    "checkpoint save nobody file",
    "recover nobody",
    f"recover {A} --threshold 7",
    "rebuild --agent nobody",
    "replay --agent nobody --from-block 3",
    "replay --agent memory --from-block -3",
    "replay --agent memory --from-time yesterday",
    "worker --agents nobody",
    "worker --metrics-port 70000",
    "supervise --workers -1",
    "producer --rpc ftp://host",
    "gateway --port 70000",
    "devchain --port 70000",
    "demo --blocks -1",
    "demo --fast sync",
    "infra up --port 70000",
    "infra status --bootstrap nonsense",
    "model fetch --wheel none",
    "model fetch --wheel noise",
    "model verify",
    "sync compare --peer nonsense --token-file none",
    f"sync compare --peer {NOBODY} --token-file none",
    "topics carry --from-prefix monmouth.",
    "acls check",
    "dlq show",
    "health backtest --tries 0",
)


@pytest.mark.parametrize("call", WRONG)
def test_wrong_input_is_said_without_a_trace(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CONFIG_ENV, "")  # put back, whatever --config sets
    monkeypatch.delenv(CONFIG_ENV)
    Path("noise").write_bytes(bytes(range(256)))
    assert main(["--bootstrap", "127.0.0.1:1", *shlex.split(call)]) in {1, 2}
    captured = capsys.readouterr()
    said = captured.err or captured.out
    assert 0 < len(said.strip().splitlines()) <= MOST_LINES, said
    assert "Error(" not in said

"""What the chart tells its pods is enough: with that environment and the keys of the guide a worker gets ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from infra.broker.ports import free_port
from streams.settings import Settings
from tests.conftest import ROOT
from tests.deployment.test_chart import of, rendered
from tests.deployment.test_guide import block

SECONDS = 60


def answer(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:  # it does not listen yet
        return 0, str(error)


@pytest.mark.kafka
@pytest.mark.usefixtures("tools")
def test_a_worker_of_the_chart_gets_ready_and_stops_when_told(kafka_settings: Settings, tmp_path: Path) -> None:
    """Folders and addresses are this machine's; all else is as in the pod. The folder of the keys is read-only, as there."""
    subprocess.run(["bash", "-euc", block("keys")], cwd=tmp_path, check=True)
    (tmp_path / "secrets").chmod(0o500)
    places = {"/run/keys": "secrets", "/var/lib/monmouth-keys": "agents", "/var/lib/monmouth": "state"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONMOUTH_")}
    for name, value in of(rendered("least"), "ConfigMap", "prod")["data"].items():
        place = next((place for place in places if value.startswith(place)), None)
        environment[name] = value if place is None else str(tmp_path / places[place]) + value.removeprefix(place)
    port = free_port()
    environment |= {
        "MONMOUTH_KAFKA__BOOTSTRAP": kafka_settings.kafka.bootstrap,
        "MONMOUTH_KAFKA__PREFIX": kafka_settings.kafka.prefix,
        "MONMOUTH_KAFKA__PARTITIONS": str(kafka_settings.kafka.partitions),
        "MONMOUTH_KAFKA__INSTANCE_ID": "prod-worker-memory-0",
        "MONMOUTH_PROBES__HOST": "127.0.0.1",
        "MONMOUTH_PROBES__PORT": str(port),
    }
    command = [sys.executable, "-m", "streams.cli", "worker", "--agents", "memory,lattice"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while (found := answer(port, "/readyz"))[0] != 200:
            assert process.poll() is None
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        assert answer(port, "/livez")[0] == answer(port, "/startupz")[0] == 200
        assert 'monmouth_runtime_seconds_behind{agent="memory",partition="0"}' in answer(port, "/metrics")[1]
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()

"""The tools that judge what is deployed: Helm, hadolint and Kubernetes' own schemas, as locked packages.

They are large and nobody else needs them, so they are not in the environment: fetched once with their hashes into
``.monmouth/deployment``, which is shared between runs, and used from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

LOCK = ROOT / "infra" / "lock" / "deploy.txt"
FOLDER = ROOT / ".monmouth" / "deployment"
SCHEMAS = "kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict"
PROGRAM = """
import json, sys, helm_python as helm
asked = json.load(sys.stdin)
try:
    if asked["lint"]:
        found = helm.lint(asked["chart"], asked["values"], strict=True, kube_version="v1.34.0")
    else:
        with helm.Chart.load(asked["chart"]) as chart:
            chart.validate_schema(asked["values"])
            found = chart.render(asked["values"], name=asked["name"], namespace="agents")
except helm.HelmError as error:
    found = {"refused": str(error)}
json.dump(found, sys.stdout)
"""


class ToolsMissingError(Exception):
    """The packages cannot be had here."""


def fetch() -> Path:
    """The folder with the packages of the lock. Raises ToolsMissingError."""
    stamp = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    folder = FOLDER / stamp
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the file
        if not folder.is_dir():
            _unpack(_download(FOLDER / "wheels"), FOLDER / "new")
            (FOLDER / "new").rename(folder)
    return folder


def _download(folder: Path) -> list[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--quiet", "--no-input", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolsMissingError(f"the tools that judge deployments could not be fetched: {done.stderr.strip()[-500:]}")
    return sorted(folder.iterdir())


def _unpack(wheels: list[Path], folder: Path) -> None:
    """Kubernetes' schemas stay packed: they are many small files, of which few are read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for wheel in wheels:
        if wheel.name.startswith("kubernetes_validate"):
            wheel.rename(folder / "kubernetes.zip")
            continue
        with zipfile.ZipFile(wheel) as packed:
            # The library lies there three times, under the names that a linker would look for.
            packed.extractall(folder, [name for name in packed.namelist() if ".so." not in name])
    for program in folder.glob("*.data/scripts/*"):
        program.chmod(0o755)


def helm(chart: Path, values: dict[str, Any], *, lint: bool = False, name: str = "prod") -> dict[str, Any]:
    """What ``helm lint --strict`` or ``helm template`` gives; ``{"refused": reason}`` if values or a template are refused."""
    asked = {"chart": str(chart), "values": values, "lint": lint, "name": name}
    environment = {**os.environ, "PYTHONPATH": str(fetch())}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(asked), capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def hadolint(text: str) -> list[str]:
    """Complaints about a Dockerfile."""
    (program,) = fetch().glob("*.data/scripts/hadolint")
    done = subprocess.run([program, "--no-color", "-"], input=text, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


@cache
def kubernetes(name: str) -> dict[str, Any]:
    """A file of Kubernetes' schemas, in which nothing unknown is allowed."""
    with zipfile.ZipFile(fetch() / "kubernetes.zip") as packed:
        found: dict[str, Any] = json.loads(packed.read(f"{SCHEMAS}/{name}"))
    return found

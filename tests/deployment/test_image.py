"""The image: linted by hadolint, locked, unprivileged, and never built from a tag alone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.docker.pin import images
from tests.conftest import ROOT
from tests.deployment.tools import hadolint

FILE = ROOT / "infra" / "docker" / "Dockerfile"
LOCKS = ("run", "stores", "ops")
"""Of which the image is made, in their order in the Dockerfile."""
FAKE = """#!/bin/sh
[ "$1 $2 $3" = "buildx imagetools inspect" ] || exit 9
for image; do :; done
case "$image" in
  {wrong}) echo "{said}"; exit {code};;
  *) echo sha256:{digest};;
esac
"""


def instructions() -> list[list[str]]:
    text = FILE.read_text().replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] not in "# "]


@pytest.mark.usefixtures("tools")
def test_hadolint_has_no_complaint() -> None:
    assert hadolint(FILE.read_text()) == []


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FROM debian:latest\n", "DL3007"),
        ("FROM debian:12\nUSER root\n", "DL3002"),
        ("FROM debian:12\nRUN cd /tmp && ls\n", "DL3003"),
        ("FROM debian:12\nRUM ls\n", "unexpected"),
    ],
)
def test_hadolint_says_no(text: str, rule: str) -> None:
    assert [line for line in hadolint(text) if rule in line]


def test_packages_are_locked_and_the_user_is_not_root() -> None:
    found = instructions()
    pip = [rest for word, rest in found if word == "RUN" and "pip install" in rest]
    assert len(pip) == 1
    assert "--require-hashes" in pip[0]
    assert [rest for word, rest in found if word == "USER"][-1] == "10001:10001"
    assert ["ENTRYPOINT", '["monmouth"]'] in found
    copied = {source for word, rest in found if word == "COPY" for source in rest.split()[:-1]}
    assert all((ROOT / path).exists() for path in copied)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.split("/")[0] for path in copied} <= allowed


def pins(name: str) -> dict[str, str]:
    """Version by package of a lock."""
    lines = (ROOT / "infra" / "lock" / f"{name}.txt").read_text().splitlines()
    return dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line)


def test_the_clients_of_the_stores_are_in_the_image_and_nothing_is_there_twice() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = dict(line.split("==") for extra in ("cassandra", "milvus") for line in extras[extra])
    stores = pins("stores")
    for client in ("cassandra-driver", "pymilvus"):
        assert stores[client] == asked[client]
    names = [name for lock in LOCKS for name in pins(lock)]
    assert len(names) == len(set(names))


def lacking(extra: str, installed: set[str]) -> set[str]:
    """What an extra of the project needs, by what the packages of this environment say they need, and is not ``installed``."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    seen: set[str] = set()
    waiting = [Requirement(line) for line in extras[extra]]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in seen:
            continue
        seen.add(name)
        said = map(Requirement, metadata.requires(name) or ())
        waiting += [each for each in said if each.marker is None or each.marker.evaluate({"extra": ""})]
    return seen - installed


def test_what_ops_and_traces_need_is_in_the_image() -> None:
    installed = {name for lock in LOCKS for name in pins(lock)}
    copied = [word for words, rest in instructions() if words == "COPY" for word in rest.split() if word.endswith(".txt")]
    assert copied == [f"infra/lock/{lock}.txt" for lock in LOCKS]
    assert lacking("ops", installed) == lacking("tracing", installed) == set()
    assert "venusian" in lacking("ops", installed - {"venusian"})
    tested = pins("dev")
    assert {name: version for name, version in pins("ops").items() if tested[name] != version} == {}


def check_of_the_base() -> str:
    """The shell command in the file that looks at PYTHON_IMAGE."""
    (found,) = [rest for word, rest in instructions() if word == "RUN" and "grep" in rest]
    return found


def test_there_is_no_base_but_the_one_that_is_given() -> None:
    found = instructions()
    assert [rest for word, rest in found if word == "FROM"] == ["${PYTHON_IMAGE}"]
    assert {rest for word, rest in found if word == "ARG"} == {"PYTHON_IMAGE"}  # with no default
    assert found.index(["RUN", check_of_the_base()]) < min(found.index(each) for each in found if "pip install" in each[-1])


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (f"python:3.11@sha256:{'0f' * 32}", 0),
        ("python:3.11", 1),
        ("python@sha256:abc", 1),
        (f"python:3.11@sha256:{'0f' * 33}", 1),
        ("", 1),
    ],
)
def test_a_build_from_a_tag_alone_ends(image: str, code: int) -> None:
    done = subprocess.run(
        ["bash", "-c", check_of_the_base()], env={"PYTHON_IMAGE": image, "PATH": os.environ["PATH"]}, check=False
    )
    assert done.returncode == code


def pin(tmp_path: Path, *, wrong: str = "none", said: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    """pin.py with a docker that answers as told for one image."""
    fake = tmp_path / "docker"
    fake.write_text(FAKE.format(wrong=wrong, said=said, code=code, digest="0f" * 32))
    fake.chmod(0o755)
    command = [sys.executable, str(ROOT / "infra" / "docker" / "pin.py")]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_pins_are_lines_of_an_env_file(tmp_path: Path) -> None:
    done = pin(tmp_path)
    assert done.returncode == 0
    expected = {variable: f"{image}@sha256:{'0f' * 32}" for variable, image in images().items()}
    assert dict(line.split("=", 1) for line in done.stdout.splitlines()) == expected


@pytest.mark.parametrize(("said", "code"), [("not found", 1), ("sha256:abc", 0), ("", 0)])
def test_without_a_digest_nothing_is_printed(tmp_path: Path, said: str, code: int) -> None:
    done = pin(tmp_path, wrong="cassandra:*", said=said, code=code)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no digest of cassandra" in done.stderr


def test_without_docker_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "infra" / "docker" / "pin.py")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "docker cannot be asked" in done.stderr

"""The way from a clean clone: what it installs, what it skips the second time, and what it says when it cannot."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from infra import bootstrap
from tests.conftest import ROOT


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own with a real virtual environment and locks that ask for nothing."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "TURN", tmp_path / ".monmouth" / "bootstrap.lock")
    locks = {name: tmp_path / f"{name}.txt" for name in ("run", "dev")}
    for path in locks.values():
        path.write_text("# nothing\n")
    monkeypatch.setattr(bootstrap, "LOCKS", locks)
    return tmp_path


@pytest.fixture
def installed(checkout: Path) -> Path:
    """The same, with an environment that has no pip of its own, which is made much faster; pip comes from this one."""
    venv.create(checkout / ".venv", with_pip=False)
    folder = next((checkout / ".venv" / "lib").glob("*/site-packages"))
    import pip  # noqa: PLC0415

    (folder / "pip").symlink_to(Path(pip.__file__).parent)
    return checkout


def pins(path: Path) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+==[^ \\;]+)", path.read_text(), re.MULTILINE))


def test_dev_lock_holds_all_of_the_run_lock() -> None:
    run, dev = pins(bootstrap.LOCKS["run"]), pins(bootstrap.LOCKS["dev"])
    assert len(run) > 40
    assert run <= dev


def test_every_locked_package_has_a_hash() -> None:
    for path in bootstrap.LOCKS.values():
        blocks = re.split(r"\n(?=[A-Za-z0-9])", path.read_text())
        assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def test_prepare_twice_installs_once(installed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bootstrap.prepare("dev")
    assert "installing" in capfd.readouterr().err
    bootstrap.prepare("dev")
    bootstrap.prepare("run")
    assert "installing" not in capfd.readouterr().err
    bootstrap.LOCKS["run"].write_text("# changed\n")
    bootstrap.prepare("run")
    assert "installing" in capfd.readouterr().err


def test_project_is_on_the_path_and_the_script_runs_from_anywhere(installed: Path) -> None:
    for package in ("streams/cli", "streams"):
        (installed / package).mkdir(parents=True, exist_ok=True)
        (installed / package / "__init__.py").write_text("")
    (installed / "streams/cli/__init__.py").write_text("import sys\n\ndef main():\n    print(sys.argv[1:])\n    return 7\n")
    bootstrap.prepare("run")
    done = subprocess.run([installed / ".venv/bin/monmouth", "a b"], cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "['a b']\n")


def test_unhashed_package_is_refused(installed: Path) -> None:
    bootstrap.LOCKS["run"].write_text("six==1.17.0\n")
    with pytest.raises(bootstrap.BootstrapError, match="pip failed"):
        bootstrap.prepare("run")
    assert "installing" not in (installed / ".venv" / ".installed.json").name
    assert not (installed / ".venv" / ".installed.json").exists()


def test_no_network_is_said(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    bootstrap.LOCKS["run"].write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(bootstrap.BootstrapError, match=r"index was not reached|index cannot be reached"):
        bootstrap.prepare("run")


def test_broken_environment_is_made_anew(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-made .venv, as an interrupted first run leaves it; ``venv`` itself is replaced by a quick failure."""
    (checkout / ".venv").mkdir()
    fake = checkout / "python"
    fake.write_text("#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(bootstrap.sys, "executable", str(fake))
    with pytest.raises(bootstrap.BootstrapError, match=r"ensurepip is not available[\s\S]*python3-venv"):
        bootstrap.prepare("run")


def test_old_python_is_said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    assert bootstrap.main(["demo"]) == 1
    assert "Python 3.11 or newer is needed; this is 3.9.2" in capfd.readouterr().err


def test_wrong_usage_shows_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main([]) == 2
    assert bootstrap.main(["dmeo"]) == 2
    assert bootstrap.main(["--help"]) == 0
    assert capfd.readouterr().err.count("infra/bootstrap.py demo") == 3


def test_checkout_that_cannot_be_written_is_said(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (checkout / "file").write_text("")
    monkeypatch.setattr(bootstrap, "TURN", checkout / "file" / "bootstrap.lock")
    assert bootstrap.main(["install"]) == 1
    assert "writable" in capfd.readouterr().err


def run_in(checkout: Path, main: str, argument: str) -> subprocess.Popen[str]:
    """``bootstrap.py run ARGUMENT`` in a process of its own, since the command takes its place; ``main`` is what it runs."""
    (checkout / "streams/cli").mkdir(parents=True)
    for name, text in {"__init__.py": "", "cli/__init__.py": "", "cli/__main__.py": main}.items():
        (checkout / "streams" / name).write_text(text)
    code = (
        "import sys\nfrom pathlib import Path\nfrom infra import bootstrap as b\n"
        f"root = Path({str(checkout)!r})\nb.ROOT, b.VENV = root, root / '.venv'\nb.TURN = root / '.monmouth' / 'turn'\n"
        f"b.LOCKS = {{'run': root / 'run.txt'}}\nsys.exit(b.main(['run', {argument!r}]))\n"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_exit_code_is_that_of_the_command(installed: Path) -> None:
    with run_in(installed, "import sys\nsys.exit(int(sys.argv[1]))\n", "42") as process:
        assert process.wait(30) == 42


def test_ctrl_c_reaches_the_command(installed: Path) -> None:
    main = (
        "import sys, time\ntry:\n    print('up', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    sys.exit(77)\n"
    )
    with run_in(installed, main, "x") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 77

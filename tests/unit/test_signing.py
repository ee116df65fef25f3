"""Signatures of markers and notifications: what holds, and everything that must not."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import codec
from streams.errors import ConfigurationError, LogIntegrityError
from streams.signing import Signer, Verifier, load_or_create_signer, load_verifier
from tests.samples import SAMPLES

SIGNED = ("Marker", "BlockNotification")
ME, OTHER = Signer(b"m" * 32), Signer(b"o" * 32)


def altered(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, dict):
        return {**value, "number": value["number"] + 1} if "number" in value else value
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return value[:-1]
    return {"NEW": "UNDO", "UNDO": "NEW"}.get(value, f"{value}x")


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_holds_also_after_the_wire(name: str) -> None:
    signed = ME.sign(name, SAMPLES[name])
    Verifier([ME.public]).verify(name, codec().decode(codec().encode(name, signed))[1])


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in SIGNED for field in SAMPLES[name]])
def test_every_field_counts(name: str, field: str) -> None:
    signed = ME.sign(name, SAMPLES[name])
    forged = {**signed, field: altered(signed[field])}
    assert forged != signed
    with pytest.raises(LogIntegrityError):
        Verifier([ME.public]).verify(name, forged)


@pytest.mark.parametrize("name", SIGNED)
def test_an_unknown_key_is_refused_and_named(name: str) -> None:
    signed = OTHER.sign(name, SAMPLES[name])
    with pytest.raises(LogIntegrityError, match=OTHER.key_id.hex()):
        Verifier([ME.public]).verify(name, signed)
    with pytest.raises(LogIntegrityError, match="does not hold"):
        Verifier([ME.public]).verify(name, {**signed, "key_id": ME.key_id})


def test_a_signature_is_for_one_kind_of_record() -> None:
    signed = ME.sign("Marker", SAMPLES["Marker"])
    other = ME.sign("BlockNotification", SAMPLES["BlockNotification"])
    with pytest.raises(LogIntegrityError):
        Verifier([ME.public]).verify("BlockNotification", {**other, "signature": signed["signature"]})


def test_trusted_keys_are_lines_with_comments(tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.txt"
    trusted.write_text(f"# writers\n\n{OTHER.public.hex()}  # producer of another machine\n")
    verifier = load_verifier(trusted, ME)
    for signer in (ME, OTHER):
        verifier.verify("Marker", signer.sign("Marker", SAMPLES["Marker"]))
    with pytest.raises(LogIntegrityError):
        load_verifier(tmp_path / "none.txt", ME).verify("Marker", OTHER.sign("Marker", SAMPLES["Marker"]))


@pytest.mark.parametrize("line", ["nonsense", "ab" * 31, "ab" * 33])
def test_a_line_that_is_no_key_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "trusted.txt").write_text(line)
    with pytest.raises(ConfigurationError, match=r"trusted\.txt"):
        load_verifier(tmp_path / "trusted.txt")


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: load_or_create_signer(path).public, range(32)))
    assert len(found) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["signing.key"]


def test_a_key_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    load_or_create_signer(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create_signer(path)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_spoilt_key_is_refused_without_telling_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "signing.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="64 hex digits") as caught:
        load_or_create_signer(path)
    assert not text or text not in str(caught.value)

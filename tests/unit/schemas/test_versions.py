"""Versions side by side: a newer reader trusts what an older writer signed, and a newer writer can be held back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.codec import PLAUSIBLE, Codec, SchemaError, UnknownSchemaError, codec, use
from streams.errors import LogIntegrityError
from streams.signing import Signer, Verifier
from tests.newer import ADDED, newer_schemas
from tests.samples import SAMPLES

SIGNER = Signer(b"v" * 32)
VERIFIER = Verifier([SIGNER.public])
SIGNED = ("Marker", "BlockNotification")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("newer")
    newer_schemas(folder)
    return folder


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    yield
    use(None)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_writer_that_is_held_back_writes_what_the_older_version_writes(newer: Path, name: str) -> None:
    old, held = Codec(), Codec(newer, bound=Codec().newest)
    assert held.encode(name, {**SAMPLES[name], ADDED: "dropped"}) == old.encode(name, SAMPLES[name])
    assert held.decode(old.encode(name, SAMPLES[name])) == (name, {**SAMPLES[name], ADDED: ""})
    assert held.decode(Codec(newer).encode(name, {**SAMPLES[name], ADDED: "x"})) == (name, {**SAMPLES[name], ADDED: "x"})


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_older_version_says_that_a_newer_one_wrote(newer: Path, name: str) -> None:
    written = Codec(newer).encode(name, SAMPLES[name])
    with pytest.raises(UnknownSchemaError, match=f"{Codec().newest} is the newest known"):
        codec().decode(written)
    beyond = b"\0" + (Codec().newest + PLAUSIBLE + 1).to_bytes(4, "big") + written[5:]
    for foreign in (b"\0" * 9, b"", b"\1" + written[1:], written[:4], beyond):
        with pytest.raises(SchemaError) as refused:
            codec().decode(foreign)
        assert not isinstance(refused.value, UnknownSchemaError)


def test_a_record_type_younger_than_the_bound_is_written_in_its_first_version() -> None:
    assert Codec(bound=1).decode(Codec(bound=1).encode("LatticeLog", SAMPLES["LatticeLog"]))[0] == "LatticeLog"


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_of_an_older_version_holds_for_a_newer_reader(newer: Path, name: str) -> None:
    raw = codec().encode(name, SIGNER.sign(name, SAMPLES[name]))
    for reader in (Codec(newer), Codec(newer, bound=Codec().newest)):
        use(reader)
        VERIFIER.verify(name, codec().decode(raw)[1], raw)


@pytest.mark.parametrize("name", SIGNED)
def test_a_signature_holds_for_the_version_it_was_made_in_alone(newer: Path, name: str) -> None:
    raw = codec().encode(name, SIGNER.sign(name, SAMPLES[name]))
    use(Codec(newer))
    record = codec().decode(raw)[1]
    forged = codec().encode(name, {**record, ADDED: "never signed"})
    with pytest.raises(LogIntegrityError, match="does not hold"):
        VERIFIER.verify(name, codec().decode(forged)[1], forged)
    signed = codec().encode(name, SIGNER.sign(name, {**record, ADDED: "signed"}))
    VERIFIER.verify(name, codec().decode(signed)[1], signed)
    use(Codec(newer, bound=Codec().newest))
    cut = codec().encode(name, codec().decode(signed)[1])  # the added field taken away again
    with pytest.raises(LogIntegrityError, match="does not hold"):
        VERIFIER.verify(name, codec().decode(cut)[1], cut)


@pytest.mark.parametrize("name", SIGNED)
def test_bytes_that_were_altered_do_not_hold(name: str) -> None:
    raw = codec().encode(name, SIGNER.sign(name, SAMPLES[name]))
    other = codec().encode(name, {**codec().decode(raw)[1], "sequence": 7})
    with pytest.raises(LogIntegrityError):
        VERIFIER.verify(name, codec().decode(other)[1], other)

"""A Milvus server that asks for a password and speaks TLS only."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.stores.milvus import Access, MilvusVectorStore
from infra.milvus import LocalMilvus
from infra.milvus.errors import ServerUnavailableError
from streams.errors import StoreError
from tests.availability import unavailable
from tests.milvus_fixtures import programs
from tests.unit.stores.facts import ALICE, h
from tests.unit.stores.test_vector_contract import row, unit

pytestmark = pytest.mark.milvus
FIRST = "root:Milvus"  # what every new server knows


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """One that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[LocalMilvus, Path]]:
    pem, key = certificate(tmp_path, "milvus.test")
    extra = {
        "common.security.authorizationEnabled": True,
        "common.security.tlsMode": 1,
        "tls.serverPemPath": str(pem),
        "tls.serverKeyPath": str(key),
        "tls.caPemPath": str(pem),
    }
    server = LocalMilvus(tmp_path / "state", programs=programs(), exposed=True, extra=extra)
    try:
        server.start()
    except ServerUnavailableError as error:
        unavailable(str(error))
    yield server, pem
    server.stop()


async def test_only_with_the_token_and_the_right_certificate(
    secured: tuple[LocalMilvus, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, pem = secured
    monkeypatch.setattr("connectors.stores.milvus.client.READ_TIMEOUT", 3.0)
    url = server.url.replace("http://", "https://")
    store = MilvusVectorStore(Access(url, FIRST, pem, server_name="milvus.test"), dimension=384)
    owner = await store.claim(b"t.embedding/0")
    await owner.upsert([row(1)])
    assert [hit.memory_id for hit in await store.search(ALICE, unit(1)[0], 5)] == [h(1)]
    await store.close()
    other, _ = certificate(tmp_path, "other.test")
    for refused in (
        Access(url, "root:wrong", pem, server_name="milvus.test"),
        Access(url, "", pem, server_name="milvus.test"),
        Access(url, FIRST, other, server_name="milvus.test"),
        Access(url, FIRST, pem, server_name="somebody.else"),
        Access(server.url, FIRST),
    ):
        with pytest.raises(StoreError) as caught:
            MilvusVectorStore(refused)
        assert "wrong" not in str(caught.value) and FIRST not in str(caught.value)

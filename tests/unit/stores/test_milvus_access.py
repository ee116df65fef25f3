"""Address, token and certificates of a Milvus server, from settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.stores import open_vector_store
from connectors.stores.milvus import Access
from connectors.stores.milvus.client import connect, failure
from streams.errors import ConfigurationError, StoreError
from streams.settings import Settings

SECRET = "root:not-to-be-seen"


def test_a_token_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.stores.milvus.client.READ_TIMEOUT", 0.5)
    access = Access("http://127.0.0.1:9", SECRET)
    assert SECRET not in repr(access)
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        connect(access)
    assert SECRET not in str(caught.value)
    assert "***" in str(failure(access, ValueError(f"refused {SECRET} so"))) and access.token == SECRET
    assert Access("http://user:word@host:1").place == "http://host:1"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Access]:
    found: list[Access] = []

    class Store:
        def __init__(self, access: Access, collection: str, index: str, *, late: bool) -> None:
            assert (collection, index, late) == ("mine", "HNSW", False)
            found.append(access)

    monkeypatch.setattr("connectors.stores.milvus.MilvusVectorStore", Store)
    return found


def settings(tmp_path: Path, **rag: Any) -> Settings:
    rag = {"vector_store_url": "https://milvus:19530", "vector_collection": "mine", "vector_index": "HNSW", **rag}
    return Settings(state_dir=tmp_path, rag=rag)


def test_the_token_comes_from_a_setting_or_a_file(tmp_path: Path, opened: list[Access]) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    with pytest.raises(ConfigurationError, match="open to others"):
        open_vector_store(settings(tmp_path, vector_store_token_file="token"))
    (tmp_path / "token").chmod(0o600)
    open_vector_store(settings(tmp_path, vector_store_token=SECRET))
    open_vector_store(settings(tmp_path, vector_store_token_file="token"))
    assert [access.token for access in opened] == [SECRET, SECRET]
    with pytest.raises(ConfigurationError, match="both set"):
        open_vector_store(settings(tmp_path, vector_store_token=SECRET, vector_store_token_file="token"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_vector_store(settings(tmp_path, vector_store_token_file="missing"))


def test_certificates_are_named_below_the_state_folder(tmp_path: Path, opened: list[Access]) -> None:
    names = {f"vector_store_{kind}_file": f"{kind}.pem" for kind in ("ca", "cert", "key")}
    for name in names.values():
        (tmp_path / name).write_text("x")
    open_vector_store(settings(tmp_path, **names, vector_store_server_name="milvus.internal"))
    assert opened[0].tls() == {
        "secure": True,
        "server_name": "milvus.internal",
        "ca_pem_path": str(tmp_path / "ca.pem"),
        "client_pem_path": str(tmp_path / "cert.pem"),
        "client_key_path": str(tmp_path / "key.pem"),
    }
    assert Access("https://milvus", ca=tmp_path / "ca.pem").tls()["server_pem_path"] == str(tmp_path / "ca.pem")
    assert Access("https://milvus").tls() == {"secure": True, "server_name": ""}
    assert Access("http://milvus").tls() == {}


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("x")
    with pytest.raises(ConfigurationError, match="not reached by TLS"):
        Access("http://milvus", ca=file).tls()
    with pytest.raises(ConfigurationError, match="no file"):
        Access("https://milvus", ca=tmp_path / "missing.pem").tls()
    with pytest.raises(ConfigurationError, match="without its key"):
        Access("https://milvus", ca=file, certificate=file).tls()
    with pytest.raises(ConfigurationError, match="vector_store_ca_file"):
        Access("https://milvus", certificate=file, key=file).tls()
    with pytest.raises(ValueError, match="vector_collection"):
        settings(tmp_path, vector_collection="no; spaces")

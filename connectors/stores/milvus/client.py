"""The way to a Milvus server: address, token, TLS; and what its failures mean.

Assumes pymilvus (extra ``milvus``), imported when a store is opened. Invariant: a token is in no message, whatever failed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.errors import ConfigurationError, StoreError
from streams.near import demand_near, host_of

TIMEOUT = 30.0
"""Seconds for a write, or a change of the collection."""
READ_TIMEOUT = 10.0
NOT_FOUND = 100
"""The server's code for a collection, or an alias, that is not there."""
_TLS = ("https://", "tcps://")
_AWAY = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
"""What gRPC says of a server that is not there, or does not answer."""


class ServerAwayError(StoreError):
    """Nobody answered: that may be otherwise in a while, without a change of settings."""


@dataclass(frozen=True, slots=True)
class Access:
    """``uri``: http(s)://host:port, or the path of a Milvus Lite file that ends in .db.

    TLS, with https: ``ca`` is who is believed (PEM; None: whom the system believes), ``certificate`` and ``key`` are one's own,
    if the server asks for them, ``server_name`` what its certificate says, if that is not the host. Without TLS, a server
    beyond this machine is spoken to under ``allow_unencrypted`` alone: token and vectors would go there in the clear.
    """

    uri: str
    token: str = field(default="", repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""
    allow_unencrypted: bool = False

    @property
    def lite(self) -> bool:
        return self.uri.endswith(".db")

    @property
    def place(self) -> str:
        """The address as it may be shown: what stands before an @ may be a password."""
        scheme, separator, rest = self.uri.rpartition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"

    def demand_encrypted(self) -> None:
        """Raises ConfigurationError if the server is another machine and there is no TLS."""
        host = host_of(self.uri)  # none: the client says that it is no address, or means this machine
        if host and not (self.lite or self.uri.startswith(_TLS) or self.allow_unencrypted):
            demand_near(
                [host],
                "rag.vector_store_url",
                "Write https:// in rag.vector_store_url",
                "rag.vector_store_allow_unencrypted",
            )

    def tls(self) -> dict[str, Any]:
        """What pymilvus wants of it. Raises ConfigurationError."""
        files = (self.ca, self.certificate, self.key)
        if not self.uri.startswith(_TLS):
            if any(files):
                raise ConfigurationError(f"{self.place} is not reached by TLS", "Write https:// in rag.vector_store_url.")
            return {}
        for file in filter(None, files):
            if not file.is_file():
                raise ConfigurationError(f"there is no file {file}", "See rag.vector_store_* in the settings.")
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("a certificate without its key, or a key alone", "Name both, or neither.")
        options: dict[str, Any] = {"secure": True, "server_name": self.server_name}
        if self.certificate is not None:
            if self.ca is None:
                raise ConfigurationError("a certificate of our own asks for rag.vector_store_ca_file too")
            return options | {
                "ca_pem_path": str(self.ca),
                "client_pem_path": str(self.certificate),
                "client_key_path": str(self.key),
            }
        return options | ({"server_pem_path": str(self.ca)} if self.ca else {})


def connect(access: Access) -> Any:
    """A client. Raises ConfigurationError, StoreError."""
    access.demand_encrypted()
    options = access.tls()
    try:
        from pymilvus import MilvusClient  # noqa: PLC0415  (an extra, and slow to import)

        if access.lite:
            import milvus_lite  # noqa: F401, PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"the vector store {access.place} needs {error.name}", "Install it: pip install 'monmouth[milvus]'"
        ) from None
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs each failure with a trace; here each is raised
    if access.lite:
        Path(access.uri).absolute().parent.mkdir(parents=True, exist_ok=True)
    try:
        # A client of its own: those that share a connection would close each other's.
        return MilvusClient(uri=access.uri, token=access.token, timeout=READ_TIMEOUT, dedicated=True, **options)
    except Exception as error:  # pymilvus raises its own, gRPC's and plain kinds
        hint = (
            "A Milvus Lite file belongs to one process; stop the other one, or use a Milvus server."
            if access.lite
            else "Start the server ('monmouth infra milvus up' for a local one), or set rag.vector_store_url and "
            "rag.vector_store_token; an empty URL means the embedded store."
        )
        kind = ServerAwayError if _away(error) and not access.lite else StoreError
        raise kind(f"vector store {access.place} cannot be opened: {said(error, access.token)}", hint) from None


def _away(error: Exception) -> bool:
    """Whether there was no answer, rather than a refusal."""
    code = getattr(error.__cause__, "code", None)
    return callable(code) and getattr(code(), "name", "") in _AWAY


def failure(access: Access, error: Exception) -> StoreError:
    """What is told of a call that failed."""
    if code_of(error) == NOT_FOUND:
        hint = "Its collection is gone, or the server was made anew: start again, and the workers fill it from the log."
    elif access.lite:
        hint = ""
    else:
        hint = "Check that the Milvus server runs; the work is repeated when it is back."
    return StoreError(f"vector store {access.place}: {said(error, access.token)}", hint)


def code_of(error: Exception) -> int:
    """The server's code; 0 if it gave none."""
    code = getattr(error, "code", 0)
    return code if isinstance(code, int) else 0


def said(error: Exception, token: str) -> str:
    """The first line of what went wrong, without the token."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line.replace(token, "***") if token else line

"""What can go wrong with the local Milvus server, each with what to do about it."""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity


class MilvusError(MonmouthError):
    """The local server cannot do what was asked."""

    category = Category.EXTERNAL
    severity = Severity.HIGH


class ServerUnavailableError(MilvusError):
    """The server's programs are not here and cannot be fetched, or do not run on this machine."""

    category = Category.NETWORK


class NotPrivateError(MilvusError):
    """The system does not let the server be shut off from the network."""

    category = Category.CONFIGURATION

"""Errors as geth answers them: codes of JSON-RPC 2.0 and the texts clients match on."""

from __future__ import annotations

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000


class RpcError(Exception):
    """Becomes the ``error`` member of an answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def bad_argument(index: int, why: str) -> RpcError:
    """An argument of the wrong form."""
    return RpcError(INVALID_PARAMS, f"invalid argument {index}: {why}")

"""JSON-RPC 2.0 over the chain: requests and batches as bytes in, answers as bytes out. No sockets here.

Invariant: every request with an id gets exactly one answer, in order; a notification (no id) gets none; nothing a client
sends raises.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

import orjson

from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.methods import Methods
from connectors.chain.devchain.rpc_errors import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    SERVER_ERROR,
    RpcError,
)

MAX_BATCH = 1_000
INTERNAL_ERROR = -32603
WITHOUT_SOCKET = {
    "eth_subscribe": (METHOD_NOT_FOUND, "notifications not supported"),
    "eth_unsubscribe": (SERVER_ERROR, "subscription not found"),
}
_log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """A connection that can be told of things later."""

    def subscribe(self, kind: Any, criteria: Any) -> str:
        """Start a subscription; returns its id. Raises RpcError."""

    def unsubscribe(self, subscription: Any) -> bool:
        """End one. Raises RpcError where there is none."""


class Rpc:
    """Answers requests. One for each node."""

    def __init__(self, chain: DevChain) -> None:
        self._methods = Methods(chain).table

    def answer(self, body: bytes | str, subscriber: Subscriber | None = None) -> bytes | None:
        """The answer to a request or a batch; None where nothing is to be said."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _failure(None, RpcError(PARSE_ERROR, "parse error"))
        if not isinstance(request, list):
            return self._one(request, subscriber)
        if not request:
            return _failure(None, RpcError(INVALID_REQUEST, "empty batch"))
        if len(request) > MAX_BATCH:
            return _failure(None, RpcError(INVALID_REQUEST, "batch too large"))
        answers = [answer for item in request if (answer := self._one(item, subscriber)) is not None]
        return b"[" + b",".join(answers) + b"]" if answers else None

    def _one(self, request: Any, subscriber: Subscriber | None) -> bytes | None:
        request_id = request.get("id") if isinstance(request, dict) else None
        if isinstance(request_id, dict | list):
            return _failure(None, RpcError(INVALID_REQUEST, "invalid request"))
        try:
            method, params = _parse(request)
            result = self._run(method, params, subscriber)
        except RpcError as error:
            return _failure(request_id, error) if _wants_answer(request) else None
        except Exception:  # a defect of this node must not take the connection down with it
            _log.exception("defect while answering %s", request.get("method"))
            return _failure(request_id, RpcError(INTERNAL_ERROR, "internal error"))
        if not _wants_answer(request):
            return None
        return b'{"jsonrpc":"2.0","id":' + orjson.dumps(request_id) + b',"result":' + result + b"}"

    def _run(self, method: str, params: list[Any], subscriber: Subscriber | None) -> bytes:
        if method in WITHOUT_SOCKET:
            if subscriber is None:
                raise RpcError(*WITHOUT_SOCKET[method])
            _check_count(params, 1, 2)
            if method == "eth_subscribe":
                return orjson.dumps(subscriber.subscribe(params[0], params[1] if len(params) > 1 else None))
            return orjson.dumps(subscriber.unsubscribe(params[0]))
        call = self._methods.get(method)
        if call is None:
            raise RpcError(METHOD_NOT_FOUND, f"the method {method} does not exist/is not available")
        _check_count(params, call.required, call.most)
        return call.run(*params)


def _parse(request: Any) -> tuple[str, list[Any]]:
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "invalid request")
    params = request.get("params")
    if params is None:
        return request["method"], []
    if not isinstance(params, list):
        raise RpcError(INVALID_PARAMS, "non-array args")
    return request["method"], params


def _check_count(params: list[Any], required: int, most: int) -> None:
    missing = next((index for index in range(required) if index >= len(params) or params[index] is None), None)
    if missing is not None:
        raise RpcError(INVALID_PARAMS, f"missing value for required argument {missing}")
    if len(params) > most:
        raise RpcError(INVALID_PARAMS, f"too many arguments, want at most {most}")


def _wants_answer(request: Any) -> bool:
    return not isinstance(request, dict) or "id" in request or not isinstance(request.get("method"), str)


def _failure(request_id: Any, error: RpcError) -> bytes:
    body = {"jsonrpc": "2.0", "id": request_id, "error": {"code": error.code, "message": error.message}}
    return orjson.dumps(body)

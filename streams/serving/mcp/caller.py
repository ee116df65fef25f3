"""On whose behalf a request of a model is carried out.

Invariant: a server that others reach over HTTP holds no token of its own. It passes on the one in each request, so nobody can
do through it what the gateway would not let them do directly. Over stdio the only caller is the process that started it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcp.server.mcpserver import Context

from streams.serving.client import AsyncClient
from streams.serving.client_errors import BadRequestError, UnauthenticatedError

Caller = Callable[[Context], AsyncClient]
"""The client to carry out a request with."""

BEARER = "bearer "


def always(client: AsyncClient) -> Caller:
    """One client for everything."""
    return lambda _: client


def of_each_request(client_with: Callable[[str | None], AsyncClient]) -> Caller:
    """A client with the token in the request's Authorization header, or with none."""
    return lambda context: client_with(bearer_token(context.headers or {}))


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token in the headers. Raises UnauthenticatedError for an Authorization of another kind."""
    value = next((value for name, value in headers.items() if name.lower() == "authorization"), None)
    if value is None:
        return None
    if not value.lower().startswith(BEARER):
        raise UnauthenticatedError("the Authorization header holds no bearer token", "Send 'Authorization: Bearer TOKEN'.", 401)
    return value[len(BEARER) :].strip()


def the_agent(given: str | None, default: str | None) -> str:
    """The agent a call is about. Raises BadRequestError."""
    agent = given or default
    if agent is None:
        raise BadRequestError("no agent named", "Give `agent`: its address, 0x and 40 hex digits.", 400)
    return agent


class Bound:
    """What carries requests out in calls of one server. ``agent``: whom calls are about that name nobody."""

    def __init__(self, caller: Caller, agent: str | None) -> None:
        self._caller = caller
        self._agent = agent

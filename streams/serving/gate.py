"""The one place where the gateway decides who asks, and whether they may: before any route runs, and for every path there is.

What may be asked follows from the path, so a new route is closed until it is named here:
  * ``OPEN`` to anybody: they tell nothing of any agent, or what is sent there proves itself (to the WebSocket of the dashboard,
    in its first message); so is the page of the dashboard, which holds no state; ``LOCAL`` to anybody where the gateway listens
    on this machine only;
  * ``/v1/agents/{agent}`` and below: to that agent;
  * ``SHARED``, which tell no more than the chain does (what is asked through /mcp comes by here again): to every agent;
  * the schema registry, where it only reads: to every agent, and to anybody where the gateway listens on this machine only;
  * ``SYNC``, digests of what the chain says: to another deployment of the chain that holds this one's partner token;
  * ``HEALTH``: to anybody, and more of it to the operator;
  * the rest, and everything above: to the operator.
Invariants: what is compared with a secret is compared in constant time; a refusal says nothing about what exists.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import cast

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.errors import ConfigurationError, MonmouthError
from streams.identity.tokens import Tokens, key_name
from streams.near import is_near
from streams.serving.access import AccessTable
from streams.serving.addresses import parse_agent
from streams.serving.faults import ForbiddenError, Refusal, UnauthenticatedError, UnavailableError
from streams.serving.limits import POLICY_VIOLATION, refuse
from streams.serving.ops.page import PAGE
from streams.serving.registry.shape import bearer_of, is_reading, is_registry

OPEN = frozenset(
    {
        "/livez",
        "/readyz",
        "/ready",
        "/v1/auth/challenge",
        "/v1/auth/token",
        "/v1/auth/keys",
        "/v1/commands",
        "/ws/dashboard",
        *PAGE,
    }
)
HEALTH = frozenset({"/health", "/api/health"})
LOCAL = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
SHARED = ("/mcp", "/v1/chain", "/v1/graph", "/v1/logs", "/v1/embeddings", "/v1/intents")
AGENTS = "/v1/agents/"
SYNC = "/v1/sync"
LONGEST_TOKEN = 1_024
INSIDE = "monmouth.principal"
"""Key of an ASGI scope that a part of this process sets which knows who asks; no request from outside can."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``agent`` None: the operator; empty: a partner, who is no agent."""

    agent: bytes | None

    def may_act_for(self, agent: bytes) -> bool:
        """Whether everything of ``agent`` is this one's to read and write."""
        return self.agent is None or self.agent == agent


OPERATOR = Principal(None)
PARTNER = Principal(b"")


class Gate:
    """Knows who a token stands for. ``operator_token`` None: authentication is off, and everybody is the operator."""

    def __init__(
        self,
        operator_token: str | None,
        host: str = "127.0.0.1",
        tokens: Tokens | None = None,
        access: AccessTable | None = None,
        partner_token: str | None = None,
    ) -> None:
        """``host``: the address served on; ``tokens`` and ``access``: of agents, where these may come; ``partner_token``: of
        another deployment, where one may.

        Raises ConfigurationError where all doors would be open to other machines.
        """
        self._local = is_near(host)
        if operator_token is None and not self._local:
            raise ConfigurationError(
                f"gateway.auth is off and gateway.host is {host}: anybody could read and write every memory",
                "Set gateway.auth to required, or gateway.host to 127.0.0.1.",
            )
        self._tokens = tokens
        self._access = access
        self._partner = None if partner_token is None else _digest(partner_token.encode())
        self._operator = None if operator_token is None else _digest(operator_token.encode())

    async def admit(self, method: str, path: str, authorization: bytes | None) -> Principal | None:
        """Who asks for ``path``, None if it is open to all. Raises UnauthenticatedError, ForbiddenError, UnavailableError."""
        schemas = is_registry(path) and is_reading(method, path)
        if path in OPEN or (self._local and (path in LOCAL or schemas)):
            return None
        if path in HEALTH and self._operator is not None and not authorization:
            return None
        principal = await self.principal(bearer_of(authorization) if is_registry(path) else authorization)
        if path not in HEALTH and (not schemas or principal == PARTNER):
            self.demand(principal, path)
        return principal

    def demand(self, principal: Principal, path: str) -> None:
        """Raises ForbiddenError unless it may ask for ``path``."""
        if not self._allows(principal, path):
            raise ForbiddenError("this token does not open that", "A token of an agent opens what is below /v1/agents/AGENT.")

    async def principal(self, authorization: bytes | None) -> Principal:
        """Who holds this token. Raises UnauthenticatedError."""
        if self._operator is None:
            return OPERATOR
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not 0 < len(token) <= LONGEST_TOKEN:
            raise UnauthenticatedError("no token", "Send one: Authorization: Bearer TOKEN.")
        if hmac.compare_digest(_digest(token), self._operator):
            return OPERATOR
        if self._partner is not None and hmac.compare_digest(_digest(token), self._partner):
            return PARTNER
        if (agent := await self._bearer(token)) is not None:
            return Principal(agent)
        raise UnauthenticatedError("the token is not valid", "It may have expired, or its key was replaced: get a new one.")

    async def _bearer(self, token: bytes) -> bytes | None:
        """The agent whose token it is, if the key that it was given for still stands."""
        bearer = self._tokens.read(token.decode("latin-1")) if self._tokens else None
        if bearer is None or self._access is None:
            return None
        return bearer.agent if key_name(await self._access.held(bearer.agent)) == bearer.key else None

    def _allows(self, principal: Principal, path: str) -> bool:
        if principal.agent is None:
            return True
        if principal == PARTNER:
            return path == SYNC or path.startswith(f"{SYNC}/")
        if path.startswith(AGENTS):
            return principal.may_act_for(parse_agent(path.removeprefix(AGENTS).partition("/")[0]))
        return any(path == shared or path.startswith(f"{shared}/") for shared in SHARED)


class Authentication:
    """ASGI middleware: asks the gate before anything behind it runs, and says who asks in ``scope["state"]``."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._admitted(scope)
        except MonmouthError as error:
            refusal = error if isinstance(error, Refusal) else UnavailableError("keys of agents cannot be read now")
            if scope["type"] == "http":
                await refuse(send, refusal, scope["path"])
            else:
                await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal.message})
            return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope) -> Principal | None:
        inside = scope.get(INSIDE)
        if isinstance(inside, Principal):
            self._gate.demand(inside, scope["path"])
            return inside
        token = dict(scope["headers"]).get(b"authorization")
        return await self._gate.admit(scope.get("method", "GET"), scope["path"], token)


def principal_of(request: Request) -> Principal:
    """Who asks, in a route that is not open. Raises UnauthenticatedError."""
    principal = cast("Principal | None", getattr(request.state, "principal", None))
    if principal is None:
        raise UnauthenticatedError("no token", "Send one: Authorization: Bearer TOKEN.")
    return principal


def _digest(token: bytes) -> bytes:
    """Of one length, whatever is shown."""
    return hashlib.sha256(token).digest()

"""How a client with an agent's BLS key gets its tokens, and new ones before they end. No I/O.

    with Client(url, key=AgentKey(agent, secret_key)) as monmouth: ...

Invariant: what is signed names the host that the client was told to reach, never one that a gateway names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from streams.identity.bls import SecretKey
from streams.identity.tokens import login_message
from streams.serving import access_calls
from streams.serving.calls import Call
from streams.serving.client_errors import GatewayError, UnauthenticatedError
from streams.serving.said import Name
from streams.serving.transport import demand_private, headers_with
from streams.serving.wire.access import Challenge, Token

MARGIN = 30.0
"""Seconds before its end at which a token is replaced."""
AUTH = "/v1/auth/"


@dataclass(frozen=True)
class AgentKey:
    """Whom the client speaks for, and with which registered key."""

    agent: Name
    key: SecretKey


class Login:
    """The headers of one client: a fixed token's, or those of the newest token got with ``who``."""

    def __init__(
        self, urls: Sequence[str], token: str | None, who: AgentKey | None, *, allow_unencrypted: bool = False
    ) -> None:
        """Raises GatewayError, UnencryptedError."""
        if token is not None and who is not None:
            raise GatewayError("a client has a token or a key, not both")
        if who is not None and len(urls) != 1:
            raise GatewayError("a login by key is of one gateway", "Give a token, or one address.")
        self.headers = headers_with(token)
        for url in urls:  # a key gets a token, in an answer
            demand_private(url, self.headers if who is None else headers_with("TOKEN"), allow_unencrypted)
        self._host = urlsplit(urls[0]).hostname or ""
        self._who = who
        self._until = 0.0

    def due(self, call: Call[Any] | None) -> bool:
        """Whether a token must be got before ``call``, or (None) before a feed."""
        path = call.path if call else ""
        return self._who is not None and not path.startswith(AUTH) and time.monotonic() >= self._until

    def ask(self) -> Call[Challenge]:
        """The first step."""
        assert self._who is not None
        return access_calls.challenge(self._who.agent)

    def answer(self, challenge: Challenge) -> Call[Token]:
        """The second."""
        assert self._who is not None
        message = login_message(challenge.installation, self._host, challenge.challenge)
        return access_calls.token(self._who.agent, challenge.challenge, self._who.key.sign(message))

    def take(self, token: Token) -> None:
        """The third."""
        self.headers = headers_with(token.token)
        self._until = time.monotonic() + max(1.0, token.seconds - MARGIN)

    def ended(self, error: GatewayError) -> bool:
        """Whether ``error`` says that a token got with the key counts no more; it is then forgotten, to be got anew."""
        if self._who is None or self._until == 0 or not isinstance(error, UnauthenticatedError):
            return False
        self._until = 0.0
        return True

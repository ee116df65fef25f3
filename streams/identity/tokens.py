"""Challenges and tokens: how the holder of a BLS key becomes the bearer of a short token.

A challenge is given to anybody, for any address, and kept nowhere: what it says is sealed with a MAC, so a flood of them fills
nothing. Whoever signs it with the agent's key within ``CHALLENGE_SECONDS`` gets a token; a challenge redeemed is remembered for
as long as it would live. Invariants:
  * what is signed names the installation and the host that the client reached, so that one gateway cannot pass another's
    challenge on in its own name;
  * a token names the very statement that made its key valid: a key replaced or revoked ends its tokens;
  * everything is compared in constant time, and an agent without a key costs what a wrong signature costs.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
import struct
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import NamedTuple

from blake3 import blake3

from schemas.records import AgentAccess
from streams.identity import bls
from streams.identity.bls import SecretKey

CHALLENGE_SECONDS, TOKEN_SECONDS = 60, 15 * 60
MAC_BYTES, NONCE_BYTES = 32, 16
REDEEMED_LIMIT = 100_000
DOMAIN = b"monmouth/login/1"
SECRET_CONTEXT = "monmouth streams.identity.tokens 1 secret of challenges and tokens"
_CHALLENGE = struct.Struct(f">20sQ{NONCE_BYTES}s")
_TOKEN = struct.Struct(">20sQ8s")
NOBODY = SecretKey.from_seed(b"whoever has no key is checked against this one").public


class Bearer(NamedTuple):
    """Whom a token is for, and under which key (``key_name``)."""

    agent: bytes
    key: bytes


def login_message(installation: str, host: str, challenge: str) -> bytes:
    """What the agent signs. ``host``: the gateway's name as the client reached it, without the port."""
    parts = [DOMAIN, installation.encode(), host.lower().encode(), challenge.encode()]
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def key_name(access: AgentAccess) -> bytes | None:
    """Names the agent's key and the statement it stands by; None without a key."""
    if access["public_key"] is None or access["since"] is None:
        return None
    return blake3(access["public_key"] + struct.pack(">q", access["since"])).digest(length=8)


class Tokens:
    """Gives and reads. ``secret``: what all gateways of one installation share; ``clock``: unix seconds."""

    def __init__(self, secret: str, installation: str, clock: Callable[[], float]) -> None:
        self.installation = installation
        self._secret = blake3(secret.encode(), derive_key_context=SECRET_CONTEXT).digest()
        self._clock = clock
        self._redeemed: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def challenge(self, agent: bytes) -> str:
        """To be signed by ``agent``."""
        expires = int(self._clock()) + CHALLENGE_SECONDS
        return self._seal(b"c", _CHALLENGE.pack(agent, expires, secrets.token_bytes(NONCE_BYTES)))

    def redeem(self, agent: bytes, access: AgentAccess, challenge: str, host: str, signature: bytes) -> str | None:
        """A token for ``agent``, whose key ``access`` names; None if anything is not as it must be. Takes milliseconds."""
        body = self._open(b"c", challenge, _CHALLENGE.size)
        if body is None:
            return None
        named, expires, _ = _CHALLENGE.unpack(body)
        now, key = self._clock(), key_name(access)
        signed = bls.verify(access["public_key"] or NOBODY, login_message(self.installation, host, challenge), signature)
        if not signed or key is None or named != agent or now >= expires or not self._first(body, expires, now):
            return None
        return self._seal(b"t", _TOKEN.pack(agent, int(now) + TOKEN_SECONDS, key))

    def read(self, token: str) -> Bearer | None:
        """Whom it is for, if it is one of ours and has not ended. Whether the key still stands, the caller asks."""
        body = self._open(b"t", token, _TOKEN.size)
        if body is None:
            return None
        agent, expires, key = _TOKEN.unpack(body)
        return Bearer(agent, key) if self._clock() < expires else None

    def _first(self, body: bytes, expires: int, now: float) -> bool:
        """Whether this challenge was never redeemed. No, too, where more were than can be remembered."""
        with self._lock:
            if len(self._redeemed) >= REDEEMED_LIMIT:
                self._redeemed = {kept: until for kept, until in self._redeemed.items() if until > now}
            if body in self._redeemed or len(self._redeemed) >= REDEEMED_LIMIT:
                return False
            self._redeemed[body] = expires
            return True

    def _mac(self, kind: bytes, body: bytes) -> bytes:
        return hmac.digest(self._secret, kind + body, "sha256")

    def _seal(self, kind: bytes, body: bytes) -> str:
        return urlsafe_b64encode(body + self._mac(kind, body)).rstrip(b"=").decode()

    def _open(self, kind: bytes, text: str, size: int) -> bytes | None:
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return None
        body, mac = raw[:size], raw[size:]
        return body if len(body) == size and hmac.compare_digest(mac, self._mac(kind, body)) else None

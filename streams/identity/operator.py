"""The operator's token: whoever holds it may do everything that the gateway can do.

Assumes the state folder is the installation's alone. Invariant: the file is made once, with mode 0600, and the token is in no
argument, log line or error; it is sent by itself only to a gateway of this machine or of the settings.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from streams.errors import ConfigurationError
from streams.near import host_of, is_near
from streams.private_file import make_once, read_secret
from streams.settings import Settings

TOKEN_VARIABLE = "MONMOUTH_GATEWAY_TOKEN"
TOKEN_BYTES = 32
SHORTEST = 32
"""Characters: fewer could be guessed."""


def load_or_create_operator_token(path: Path) -> str:
    """The token in ``path``; made if there is none. Raises ConfigurationError if it is not usable."""
    return load_or_create_token(path, "operator token")


def load_or_create_token(path: Path, what: str) -> str:
    """A token kept in ``path``, named ``what`` in errors; made if there is none. Raises ConfigurationError."""
    try:
        make_once(path, lambda: secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{what} {path} is not usable: {error.strerror or error}") from None
    return read_token(path, what)


def read_token(path: Path, what: str) -> str:
    """The token in ``path``. Raises ConfigurationError if it is not usable."""
    try:
        token = read_secret(path, what)
    except OSError as error:
        raise ConfigurationError(f"{what} {path} is not usable: {error.strerror or error}") from None
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            f"{what} {path} is not {SHORTEST} printable characters at least",
            "Remove the file, and let a new one be made where it came from.",
        )
    return token


def token_for(settings: Settings, url: str) -> str | None:
    """The token to show to the gateway at ``url``: the environment's, or, to a gateway of ours, the state folder's."""
    if token := os.environ.get(TOKEN_VARIABLE):
        return token
    host = host_of(url)
    path = settings.path(settings.security.operator_token_file)
    ours = is_near(host) or host == settings.gateway.host
    return load_or_create_operator_token(path) if ours and path.exists() else None

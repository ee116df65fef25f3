"""What marks the registry's part of the gateway: where it lies, what its answers look like, and what only reads.

Invariant: all that is not named as reading here counts as writing.
"""

from __future__ import annotations

import base64
import binascii

PREFIX = "/registry"
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
SUBJECTS = f"{PREFIX}/subjects/"
COMPATIBILITY = f"{PREFIX}/compatibility/"


def is_registry(path: str) -> bool:
    """Whether the registry answers there."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def is_reading(method: str, path: str) -> bool:
    """Whether a request changes nothing. Schemas to be looked up or tested are posted."""
    if method in {"GET", "HEAD"}:
        return True
    looks_up = path.startswith(SUBJECTS) and "/" not in path.removeprefix(SUBJECTS)
    return method == "POST" and (looks_up or path.startswith(COMPATIBILITY))


def error_body(code: int, message: str) -> dict[str, int | str]:
    """The shape of an error; ``code``: Confluent's, or the status again."""
    return {"error_code": code, "message": message}


def bearer_of(authorization: bytes | None) -> bytes | None:
    """The header with the password of ``Basic`` as a bearer's token, which is how these clients are given one."""
    scheme, _, text = (authorization or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return authorization
    try:
        user, _, password = base64.b64decode(text, validate=True).partition(b":")
    except binascii.Error:
        return None
    return b"Bearer " + (password or user)

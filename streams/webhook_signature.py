"""How what is posted to an address of the operator's choice is signed: alerts, and records of the stream agent webhook.

``X-Monmouth-Signature: sha256=HEX``, HMAC-SHA256 under a secret that sender and receiver share. Where a request carries
``X-Monmouth-Timestamp`` (seconds since 1970) the signature is over that, a full stop and the body, so that a request which was
overheard is of no use later; else over the body alone. Invariant: what is signed is the very bytes that are sent.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

SIGNATURE = "X-Monmouth-Signature"
TIMESTAMP = "X-Monmouth-Timestamp"


def signed(secret: bytes, body: bytes, timestamp: int | None = None) -> dict[str, str]:
    """The headers that say so."""
    stamp = {} if timestamp is None else {TIMESTAMP: str(timestamp)}
    said = b"" if timestamp is None else b"%d." % timestamp
    return {**stamp, SIGNATURE: f"sha256={hmac.new(secret, said + body, sha256).hexdigest()}"}

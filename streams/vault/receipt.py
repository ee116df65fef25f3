"""The receipt of an erasure: what was removed, signed by the installation that did it.

A JSON document. The signature (key id and Ed25519, hex) is over a domain string and the document without it, in its one
canonical spelling (keys in order, no white space, ASCII). Invariant: a receipt that ``check`` lets pass says that nothing was
left: keys destroyed, no memory live, the agent's tree empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streams.core.lthash import ZERO
from streams.core.merkle.sparse import EMPTY
from streams.signing import Signer, Verifier
from streams.vault.errors import VaultError

FORMAT = "monmouth/erasure-receipt/1"
FIELDS = frozenset(
    (
        "format",
        "installation",
        "agent",
        "command_id",
        "requested_at",
        "finished_at",
        "memories",
        "vectors",
        "keys_destroyed",
        "root_before",
        "root_after",
        "signature",
    )
)
_DOMAIN = b"monmouth/ErasureReceipt/1"


def signed(document: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """``document`` with its signature."""
    return {**document, "signature": signer.sign_bytes(_message(document)).hex()}


def check(document: object, trusted: Verifier) -> Mapping[str, Any]:
    """The receipt, if it holds. Raises VaultError that says why not."""
    if not isinstance(document, dict) or document.get("format") != FORMAT or set(document) != FIELDS:
        raise VaultError("this is no receipt of an erasure")
    try:
        signature = bytes.fromhex(document["signature"])
        holds = trusted.holds(signature, _message(document))
    except (ValueError, TypeError, RecursionError):
        holds = False
    if not holds:
        raise VaultError(
            "the receipt's signature does not hold",
            "It was altered, or signed by an installation whose public key is not in the trusted keys file.",
        )
    root = document["root_after"]
    if not document["keys_destroyed"] or (root is not None and root != EMPTY_ROOT):
        raise VaultError("the receipt does not say that everything is gone")
    return document


EMPTY_ROOT = {"count": 0, "checksum": f"0x{ZERO.checksum().hex()}", "merkle_root": f"0x{EMPTY.hex()}"}
"""The root of an agent that has nothing: every memory is proven absent by it."""


def _message(document: Mapping[str, Any]) -> bytes:
    said = {name: value for name, value in document.items() if name != "signature"}
    return _DOMAIN + json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

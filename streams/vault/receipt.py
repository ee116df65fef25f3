"""The receipt of an erasure: what was removed, signed by the installation that did it.

A JSON document. The signature (key id and Ed25519, hex) is over a domain string and the document without it, in its one
canonical spelling (keys in order, no white space, ASCII). It holds a proof of absence where there is a root to prove it from:
the root that stood when the erasure was done is the empty one, under which nothing lies at any path, and the document says so
of a path that is the agent's own. ``place``: where the log says that the ERASE was carried out, which the tombstones were
committed with, and the newest block the root knows of.
Invariants: a receipt that ``check`` lets pass says that nothing was left: keys destroyed, no memory live; it is ``proven`` only
if the agent's tree is shown to be empty. No secret is needed to check it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from blake3 import blake3

from streams.core.lthash import ZERO
from streams.core.merkle.document import MemberDocument
from streams.core.merkle.sparse import EMPTY, SparseProof
from streams.signing import Signer, Verifier
from streams.vault.errors import VaultError

FORMAT = "monmouth/erasure-receipt/2"
UNPROVEN_FORMAT = "monmouth/erasure-receipt/1"
"""Of receipts without a proof and a place, which earlier versions wrote."""
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
        "absence",
        "place",
        "signature",
    )
)
_FIELDS_OF: Mapping[str, Set[str]] = {FORMAT: FIELDS, UNPROVEN_FORMAT: FIELDS - {"absence", "place"}}
_DOMAIN = b"monmouth/ErasureReceipt/1"
_ABSENCE = b"monmouth/ErasureReceipt/absence/1"


def signed(document: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """``document`` with its signature."""
    return {**document, "signature": signer.sign_bytes(_message(document)).hex()}


def check(document: object, trusted: Verifier) -> Mapping[str, Any]:
    """The receipt, if it holds. Raises VaultError that says why not."""
    if not isinstance(document, dict) or _FIELDS_OF.get(str(document.get("format"))) != set(document):
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
    root, absence = document["root_after"], document.get("absence")
    if not document["keys_destroyed"] or (root is not None and root != EMPTY_ROOT):
        raise VaultError("the receipt does not say that everything is gone")
    if absence is not None and (root is None or absence != absence_of(document["agent"])):
        raise VaultError("the receipt's proof of absence is not one of this agent under the empty root")
    return document


def absence_of(agent: str) -> dict[str, Any]:
    """The proof, as ``monmouth proof verify`` reads it, that nothing of ``agent`` (0x-hex) lies under the empty root."""
    path = blake3(_ABSENCE + agent.encode()).digest()
    return MemberDocument(EMPTY, path, None, SparseProof((), None)).record()


def proven(receipt: Mapping[str, Any]) -> bool:
    """Whether a receipt that ``check`` let pass proves absence; that of an agent without a root has none to prove it from."""
    return receipt.get("absence") is not None


EMPTY_ROOT = {"count": 0, "checksum": f"0x{ZERO.checksum().hex()}", "merkle_root": f"0x{EMPTY.hex()}"}
"""The root of an agent that has nothing: every memory is proven absent by it."""


def _message(document: Mapping[str, Any]) -> bytes:
    said = {name: value for name, value in document.items() if name != "signature"}
    return _DOMAIN + json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

"""What an installation says of a package: that its own log had this root for the agent, signed with the installation's key.

It says too which memories came from a file that nobody trusted vouched for (``claims``), so that no claim becomes more than
that by being exported and imported again. Assumes the reader knows which keys to trust. Invariant: the signature covers a
domain string, the digest of the manifest and everything else the attestation says; Ed25519 is deterministic, so the same
package attested twice has the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from streams.portability.errors import ALTERED, PackageError
from streams.portability.package import Attestation, Package
from streams.portability.record_json import canonical

SIGNATURE = 64
DOMAIN = b"monmouth/package/attestation/1"
_FIELDS = {"key", "checksum", "merkle_root", "signature"}


class Attester(Protocol):
    """An Ed25519 key that signs. ``public``: 32 bytes. ``sign_bytes``: key id (8 bytes), then the signature (64)."""

    @property
    def public(self) -> bytes: ...

    def sign_bytes(self, message: bytes) -> bytes: ...


def attested(
    package: Package,
    key: Attester,
    checksum: bytes | None,
    merkle_root: bytes | None,
    claims: Mapping[bytes, bytes] = MappingProxyType({}),
) -> Package:
    """With an attestation. ``checksum`` and ``merkle_root``: of the agent as the installation published them, or None;
    ``claims``: by memory id, ``imported_from`` where it is set.
    """
    said: dict[str, Any] = {
        "key": key.public.hex(),
        "checksum": checksum and checksum.hex(),
        "merkle_root": merkle_root and merkle_root.hex(),
    }
    if claims:
        said["claims"] = _by_origin(claims)
    return replace(package, attestation={**said, "signature": key.sign_bytes(_payload(package, said))[-SIGNATURE:].hex()})


def demand_attested(package: Package, trusted: Collection[bytes], unknown: bool = False) -> bool:
    """Whether a key of ``trusted`` (32-byte public keys) signed it. With ``unknown``, another key or none may do.

    Raises PackageError for a signature that does not hold, always, and for a package nobody known has signed.
    """
    said = package.attestation
    signer = None if said is None else _signer(package, said)
    if signer is not None and signer in trusted:
        return True
    if unknown:
        return False
    who = "nobody" if signer is None else f"key {signer.hex()}, which is not trusted here"
    raise PackageError(
        f"the package is signed by {who}",
        "If you know where it comes from, add the key to the trusted keys file, or accept packages of unknown origin.",
    )


def _by_origin(claims: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Sorted ids of each, in one pass: every claim may have an origin of its own."""
    found: dict[str, list[str]] = {}
    for memory_id, origin in sorted(claims.items()):
        found.setdefault(origin.hex(), []).append(memory_id.hex())
    return found


def claims_of(package: Package) -> dict[bytes, bytes]:
    """``imported_from`` by memory id, as the attestation says, which somebody trusted must have signed. Raises PackageError."""
    said = (package.attestation or {}).get("claims", {})
    try:
        return {bytes.fromhex(one): bytes.fromhex(origin) for origin, ids in said.items() for one in ids}
    except (ValueError, TypeError, AttributeError):
        raise PackageError("the claims of the package are not readable", ALTERED) from None


def _signer(package: Package, said: Attestation) -> bytes:
    try:
        if set(said) - {"claims"} != _FIELDS:
            raise ValueError("fields")
        public, signature = bytes.fromhex(said["key"]), bytes.fromhex(said["signature"])
        if (public.hex(), signature.hex()) != (said["key"], said["signature"]):
            raise ValueError("spelling")
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, _payload(package, {name: said[name] for name in said if name != "signature"}))
    except (ValueError, TypeError, InvalidSignature):
        raise PackageError("the signature of the package does not hold", ALTERED) from None
    return public


def _payload(package: Package, said: Attestation) -> bytes:
    return DOMAIN + package.digest + canonical(dict(said))

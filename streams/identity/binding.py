"""What binds a BLS key to an agent's address: words that a person can read, signed with the account's own key (EIP-191).

Assumes an agent's address is that of an account with a secp256k1 key. Invariants: the words name installation, chain, agent,
key and time, so that a signature given for one of them is worth nothing for another; of the two forms that each ECDSA
signature has, one alone counts (EIP-2).
"""

from __future__ import annotations

from typing import NamedTuple

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from streams.identity.bls import KeyMaterialError

SECRET_BYTES, SIGNATURE_BYTES = 32, 65
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
RECOVERY = {0: 0, 1: 1, 27: 0, 28: 1}
"""Last byte of a signature, as wallets write it."""


class Place(NamedTuple):
    """Where a key counts. ``installation``: the name its operator gave it; ``chain_id`` None: any chain."""

    installation: str
    chain_id: int | None

    def registration(self, agent: bytes, public_key: bytes, issued: int) -> str:
        """What the account of ``agent`` signs to let ``public_key`` speak for it from then on."""
        return self._text("register a key of an agent", agent, f"Key (BLS12-381): 0x{public_key.hex()}\n", issued)

    def revocation(self, agent: bytes, issued: int) -> str:
        """What the account of ``agent`` signs to let no key speak for it."""
        return self._text("revoke the key of an agent", agent, "", issued)

    def _text(self, what: str, agent: bytes, key: str, issued: int) -> str:
        chain = "any" if self.chain_id is None else str(self.chain_id)
        return (
            f"Monmouth: {what}\n\nInstallation: {self.installation}\nChain: {chain}\n"
            f"Agent: 0x{agent.hex()}\n{key}Issued: {issued}"
        )


def digest_of(text: str) -> bytes:
    """What a wallet signs when asked to sign a text (``personal_sign``)."""
    raw = text.encode()
    return bytes(keccak(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode() + raw))


def address_of(public: PublicKey) -> bytes:
    """The account of a key."""
    return bytes(keccak(public.format(compressed=False)[1:])[12:])


class Account:
    """An account's own key, where it is not in a wallet. Raises KeyMaterialError for what is no key."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        try:
            self._key = PrivateKey(secret)
        except ValueError:
            raise KeyMaterialError("an account's key has 32 bytes, within the order of secp256k1") from None
        if len(secret) != SECRET_BYTES:
            raise KeyMaterialError("an account's key has 32 bytes")
        self.address: bytes = address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"Account(0x{self.address.hex()})"

    def __reduce__(self) -> str:
        raise TypeError("an account's key does not leave its process")

    def sign(self, text: str) -> bytes:
        """65 bytes, as a wallet answers ``personal_sign``."""
        signature: bytes = self._key.sign_recoverable(digest_of(text), hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


def signer_of(text: str, signature: bytes) -> bytes | None:
    """The account that signed ``text``, or None if ``signature`` is none."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in RECOVERY:
        return None
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    recoverable = signature[:64] + bytes([RECOVERY[signature[64]]])
    try:
        return address_of(PublicKey.from_signature_and_message(recoverable, digest_of(text), hasher=None))
    except Exception:  # coincurve raises plain Exception and ValueError for numbers out of range
        return None

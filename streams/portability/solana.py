"""What of Solana a bridge record needs: base58, and program-derived addresses.

A program-derived address is SHA-256 over seeds, program id and a marker, and must not be a point of the Ed25519 curve, so that
no private key can sign for it (Solana SDK, ``create_program_address`` and ``find_program_address``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

MARKER = b"ProgramDerivedAddress"
MOST_SEEDS, LONGEST_SEED, ADDRESS = 16, 32, 32
_ALPHABET = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME


def base58(data: bytes) -> str:
    """Bitcoin's alphabet; a zero byte in front is a 1 in front."""
    value, digits = int.from_bytes(data, "big"), bytearray()
    while value:
        value, digit = divmod(value, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return (b"1" * zeros + bytes(reversed(digits))).decode()


def from_base58(text: str) -> bytes:
    """The inverse. Raises ValueError for a digit that is none."""
    value = 0
    for digit in text.encode():
        value = value * 58 + _ALPHABET.index(digit)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8, "big")


def is_on_curve(address: bytes) -> bool:
    """Whether 32 bytes are a compressed point of the Ed25519 curve."""
    y = int.from_bytes(address, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _PRIME) % _PRIME
    if not square:
        return not address[31] & 0x80
    return pow(square, (_PRIME - 1) // 2, _PRIME) == 1


def program_address(seeds: Sequence[bytes], program: bytes) -> bytes:
    """The address of these seeds, the last of which is the bump. Raises ValueError if they lead to a point of the curve."""
    if len(seeds) > MOST_SEEDS or any(len(seed) > LONGEST_SEED for seed in seeds):
        raise ValueError(f"at most {MOST_SEEDS} seeds of {LONGEST_SEED} bytes")
    if len(program) != ADDRESS:
        raise ValueError("a program id has 32 bytes")
    address = hashlib.sha256(b"".join(seeds) + program + MARKER).digest()
    if is_on_curve(address):
        raise ValueError("the seeds lead to an address that somebody may have the key of")
    return address


def find_program_address(seeds: Sequence[bytes], program: bytes) -> tuple[bytes, int]:
    """The address with the highest bump that is off the curve, and the bump."""
    for bump in range(255, -1, -1):
        try:
            return program_address([*seeds, bytes([bump])], program), bump
        except ValueError:
            if len(seeds) >= MOST_SEEDS or any(len(seed) > LONGEST_SEED for seed in seeds) or len(program) != ADDRESS:
                raise
    raise ValueError("no bump leads off the curve")

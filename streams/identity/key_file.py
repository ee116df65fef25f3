"""Secrets of an agent in files: its BLS key, and its account's key where that is not in a wallet. Hex, one line.

Invariants: a file made here has mode 0600 and never takes the place of another; one that others may read is refused; what a
file holds is in no message.
"""

from __future__ import annotations

from pathlib import Path

from streams.errors import ConfigurationError
from streams.identity.binding import Account
from streams.identity.bls import KeyMaterialError, SecretKey
from streams.private_file import make_new, read_secret


def make_key(path: Path) -> SecretKey:
    """A new key, in ``path``. Raises ConfigurationError if something is there already, or nothing can be."""
    key = SecretKey.generate()
    try:
        make_new(path, key.export().hex() + "\n")
    except FileExistsError:
        hint = "A key that is lost cannot be made again: name another file."
        raise ConfigurationError(f"{path} is there already", hint) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made: {error.strerror or error}") from None
    return key


def load_key(path: Path) -> SecretKey:
    """The BLS key in ``path``. Raises ConfigurationError, KeyMaterialError."""
    return SecretKey.from_bytes(_secret(path, "key file"))


def load_account(path: Path) -> Account:
    """The account whose key is in ``path``. Raises ConfigurationError, KeyMaterialError."""
    return Account(_secret(path, "account file"))


def _secret(path: Path, what: str) -> bytes:
    try:
        text = read_secret(path, what)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"{what} {path} cannot be read: {reason}") from None
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise KeyMaterialError(f"{what} {path} is not a key in hex") from None

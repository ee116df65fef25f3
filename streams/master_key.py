"""The master key of an installation and the secrets derived from it.

Assumes the file is this installation's alone. Invariant: its mode is 0600 and it is written whole or not at all, so no two
processes that start together ever use different keys; no secret shows in a repr, a log line or an error.
Losing the file makes old roots impossible to recompute; two installations with different files have different roots.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from blake3 import blake3

from streams.errors import ConfigurationError
from streams.private_file import make_once, read_secret

KEY_BYTES = 32
LEAF_CONTEXT = "monmouth streams.master_key 1 leaf secret of an agent"


class MasterKey:
    """Derives one secret per agent and purpose (BLAKE3 key derivation)."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._key = key

    def __repr__(self) -> str:
        return "MasterKey(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a master key does not leave its process")

    def leaf_secret(self, agent: bytes) -> bytes:
        """32 bytes: what the leaves of ``agent`` (20 bytes) are keyed with."""
        return blake3(self._key + agent, derive_key_context=LEAF_CONTEXT).digest()


def load_or_create_master_key(path: Path) -> MasterKey:
    """The key in ``path`` (hex); made, with mode 0600, if there is none. Raises ConfigurationError if it is not usable."""
    try:
        make_once(path, lambda: secrets.token_hex(KEY_BYTES) + "\n")
        return MasterKey(bytes.fromhex(read_secret(path, "master key")))
    except OSError as error:
        raise ConfigurationError(f"master key {path} is not usable: {error.strerror or error}") from None
    except ValueError:  # the text itself stays out of the message
        raise ConfigurationError(
            f"master key {path} is not {2 * KEY_BYTES} hex digits", "Restore it from a backup; with a new key all roots change."
        ) from None

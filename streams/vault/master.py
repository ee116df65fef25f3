"""The master key of an installation, and where it comes from: the environment, a file, or a program that unwraps it.

It wraps agents' keys and is used for nothing else. Assumes a key file is this installation's alone. Invariant: a file is made
with mode 0600 and whole or not at all, so no two processes that start together ever use different keys; no secret shows in a
repr, a log line, an error or an argument list.
Losing the key loses every agent's memories; it cannot be made again.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streams.errors import ConfigurationError
from streams.policy import Terms, policy_for
from streams.private_file import make_once, read_secret
from streams.settings import Settings
from streams.vault.errors import KeyServiceError, VaultError

KEY_BYTES = 32
NONCE = 12
PROGRAM_SECONDS = 60.0
TERMS = Terms(call_seconds=PROGRAM_SECONDS)
NEW_VARIABLE = "MONMOUTH_NEW_MASTER_KEY"
_WRAP = "monmouth streams.vault 1 wrapping of agents' keys"
_MARK = "monmouth streams.vault 1 marks of the key file"


class MasterKey:
    """Wraps keys (AES-256-GCM, random nonces: a key is wrapped a handful of times) and marks what must not be forged."""

    __slots__ = ("_aead", "_marks")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._aead = AESGCM(blake3(key, derive_key_context=_WRAP).digest())
        self._marks = blake3(key, derive_key_context=_MARK).digest()

    def __repr__(self) -> str:
        return "MasterKey(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a master key does not leave its process")

    def wrap(self, key: bytes, name: bytes) -> bytes:
        """``key``, readable only for who has this one. ``name`` says whose it is, and must be said again to unwrap it."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._aead.encrypt(nonce, key, name)

    def unwrap(self, wrapped: bytes, name: bytes) -> bytes:
        """The inverse of ``wrap``. Raises VaultError."""
        try:
            return self._aead.decrypt(wrapped[:NONCE], wrapped[NONCE:], name)
        except (InvalidTag, ValueError):
            raise VaultError(
                "an agent's key does not unwrap: another master key wrapped it, or the key file was altered",
                "Give the master key that this keys folder was made with.",
            ) from None

    def mark(self, text: bytes) -> bytes:
        """32 bytes that only who has the key can make of ``text``."""
        return blake3(text, key=self._marks).digest()


class KeyWrapper(Protocol):
    """A key service: what keeps a key that never leaves it and wraps others with that. A KMS fits; see ``ProgramWrapper``."""

    def wrap(self, key: bytes) -> bytes:
        """Raises ConfigurationError if the service does not answer."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The inverse. Raises ConfigurationError."""


class ProgramWrapper:
    """A KeyWrapper that is a program: called with ``wrap`` or ``unwrap``, reads stdin, writes stdout, exits with 0.

    A script around ``age``, ``openssl``, a token's or a cloud's own tool; keys go through pipes, never through arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._policy = policy_for(circuit_name(self._command), TERMS)

    def wrap(self, key: bytes) -> bytes:
        return self._policy.call_sync(lambda: self._call("wrap", key))

    def unwrap(self, wrapped: bytes) -> bytes:
        return self._policy.call_sync(lambda: self._call("unwrap", wrapped))

    def _call(self, verb: str, data: bytes) -> bytes:
        try:
            done = subprocess.run([*self._command, verb], input=data, capture_output=True, timeout=PROGRAM_SECONDS, check=False)
        except OSError as error:
            raise ConfigurationError(f"the key program {self._command[0]} did not {verb}: {type(error).__name__}") from None
        except subprocess.TimeoutExpired:
            raise KeyServiceError(f"the key program {self._command[0]} did not {verb} within {PROGRAM_SECONDS:g} s") from None
        if done.returncode or not done.stdout:  # what it printed may hold a key: it stays out of the message
            raise KeyServiceError(
                f"the key program {self._command[0]} exits with {done.returncode} on {verb}",
                "It reads stdin and writes the key to stdout; see 'Keys' in docs/security.md.",
            )
        return done.stdout


def circuit_name(command: Sequence[str]) -> str:
    """Of one command: the program, and eight digits that stand for its arguments, which are nobody's business."""
    name = f"key program {command[0]}"
    return f"{name} {blake3(chr(0).join(command[1:]).encode()).hexdigest()[:8]}" if command[1:] else name


def open_master_key(settings: Settings) -> MasterKey:
    """The master key as ``security`` says: master_key, else master_key_program, else the file. Raises ConfigurationError."""
    security = settings.security
    given = security.master_key.get_secret_value()
    if given:
        return master_key_of(given, "MONMOUTH_SECURITY__MASTER_KEY")
    path = settings.path(security.master_key_file)
    if security.master_key_program:
        return load_or_create_wrapped(path, ProgramWrapper(security.master_key_program))
    return load_or_create_master_key(path)


def new_master_key(settings: Settings, path: Path) -> MasterKey:
    """Another one, drawn at random, kept in ``path`` as the present one is in its file; the one there, if it is. Raises
    ConfigurationError where the present one is not kept in a file.
    """
    security = settings.security
    if security.master_key.get_secret_value():
        raise ConfigurationError(
            "the master key comes from the environment", f"Give the new one there too, in {NEW_VARIABLE}, 64 hex digits."
        )
    if security.master_key_program:
        return load_or_create_wrapped(path, ProgramWrapper(security.master_key_program))
    return load_or_create_master_key(path)


def load_or_create_master_key(path: Path) -> MasterKey:
    """The key in ``path`` (hex); made, with mode 0600, if there is none. Raises ConfigurationError if it is not usable."""
    return master_key_of(_kept(path, lambda: secrets.token_hex(KEY_BYTES)), str(path))


def load_or_create_wrapped(path: Path, wrapper: KeyWrapper) -> MasterKey:
    """The key that ``path`` holds wrapped (hex); made if there is none. Raises ConfigurationError."""
    text = _kept(path, lambda: wrapper.wrap(secrets.token_bytes(KEY_BYTES)).hex())
    try:
        wrapped = bytes.fromhex(text)
    except ValueError:
        raise ConfigurationError(f"{path} is not a wrapped key in hex digits") from None
    key = wrapper.unwrap(wrapped)
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"what unwraps {path} gives {len(key)} bytes; a master key has {KEY_BYTES}")
    return MasterKey(key)


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        make_once(path, lambda: f"{make()}\n")
        return read_secret(path, "master key")
    except OSError as error:
        raise ConfigurationError(f"master key {path} is not usable: {error.strerror or error}") from None


def master_key_of(text: str, place: str) -> MasterKey:
    """The key in hex digits. ``place``: where they were found. Raises ConfigurationError."""
    try:
        return MasterKey(bytes.fromhex(text.strip()))
    except ValueError:  # the text itself stays out of the message
        raise ConfigurationError(
            f"master key {place} is not {2 * KEY_BYTES} hex digits",
            "Restore it from a backup: without it no memory can be read.",
        ) from None

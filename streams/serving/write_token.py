"""Write tokens: what a receipt says of a command, for reads that must show its effect.

A token names the command, the memory it is about, and where the log holds it. It is bound to its agent by a hash keyed with a
secret of the agent's, so that nobody can have a gateway wait for, or tell of, another agent's commands; it opens nothing and
holds no content.
Invariant: print and parse are inverse for the agent it was made for, and parse refuses everything else.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from blake3 import blake3

from streams.serving.faults import BadRequestError
from streams.vault.keys import LeafSecrets

_FORM = struct.Struct(">BIq16s32s")
_SEAL = 16
VERSION = 1
CONTEXT = "monmouth streams.serving.write_token 1 seal of a write token"
LONGEST = 256
HINT = "Hand back write_token of a receipt, for the same agent; without one, reads answer at once."


@dataclass(frozen=True, slots=True)
class Write:
    """A command at ``offset`` of ``partition`` of memory.commands, about memory ``memory_id``."""

    command_id: bytes
    memory_id: bytes
    partition: int
    offset: int


class WriteTokens:
    """Prints and parses tokens, with secrets that every gateway of an installation shares."""

    def __init__(self, secrets: LeafSecrets) -> None:
        self._secrets = secrets

    def token_of(self, agent: bytes, write: Write) -> str:
        """The text for a receipt."""
        body = _FORM.pack(VERSION, write.partition, write.offset, write.command_id, write.memory_id)
        return urlsafe_b64encode(body + self._seal(agent, body)).decode().rstrip("=")

    def write_of(self, agent: bytes, token: str) -> Write:
        """The inverse. Raises BadRequestError for a text that is no token, a forged one, and one of another agent."""
        try:
            if len(token) > LONGEST:
                raise ValueError
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            body, seal = raw[: _FORM.size], raw[_FORM.size :]
            version, partition, offset, command_id, memory_id = _FORM.unpack(body)
        except (ValueError, struct.error, binascii.Error):
            raise BadRequestError("wait_for is no write token", HINT) from None
        if not hmac.compare_digest(seal, self._seal(agent, body)):
            raise BadRequestError("wait_for is no write token of this agent", HINT)
        if version != VERSION:
            raise BadRequestError("wait_for is a write token of another version of the gateway", HINT)
        return Write(command_id, memory_id, partition, offset)

    def _seal(self, agent: bytes, body: bytes) -> bytes:
        key = blake3(self._secrets.leaf_secret(agent), derive_key_context=CONTEXT).digest()
        return blake3(body, key=key).digest(_SEAL)

"""Shapes of keys, tokens and grants."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from schemas.records import MemoryType
from streams.serving.wire.base import TAGS_LIMIT, Answer, Text, Wire

Right = Literal["read", "write"]
HEX = r"^(0x)?[0-9a-fA-F]+$"


class ChallengeRequest(Wire):
    """Who wants to sign."""

    agent: str = Field(max_length=42)


class Challenge(Answer):
    """Sign ``login_message(installation, host, challenge)`` with the agent's BLS key within ``seconds``."""

    challenge: str
    installation: str
    chain_id: int | None
    seconds: int


class TokenRequest(Wire):
    """A challenge, and the agent's BLS signature."""

    agent: str = Field(max_length=42)
    challenge: str = Field(max_length=512)
    signature: str = Field(pattern=HEX, max_length=194)


class Token(Answer):
    """To be sent as ``Authorization: Bearer TOKEN`` for ``seconds``."""

    token: str
    seconds: int


class KeyRequest(Wire):
    """A key for an agent. ``account_signature``: of the agent's account over the words of ``streams.identity.binding``."""

    agent: str = Field(max_length=42)
    public_key: str = Field(pattern=HEX, max_length=98)
    possession: str = Field(pattern=HEX, max_length=194, description="Proof of possession of the key.")
    account_signature: str = Field(pattern=HEX, max_length=132)
    issued: int = Field(ge=0, le=2**53, description="The time that the text names.")
    wait: float = Field(0, ge=0, le=30, description="Seconds to wait until the key counts.")


class KeyView(Answer):
    """The key that speaks for an agent. None: there is none. ``since``: the newest word about it."""

    agent: str
    public_key: str | None
    since: int | None


class GrantRequest(Wire):
    """What another agent may do. An empty ``namespace`` is everything, else the tag that memories must carry."""

    grantee: str = Field(max_length=42)
    rights: list[Right] = Field(min_length=1, max_length=2)
    namespace: Text = Field("", max_length=64)
    until: int | None = Field(None, ge=0, le=2**53, description="Unix seconds at which it ends.")
    wait: float = Field(0, ge=0, le=30, description="Seconds to wait until it counts.")


class GrantView(Answer):
    """A grant that stands."""

    grantee: str
    rights: list[Right]
    namespace: str
    until: int | None


class GrantList(Answer):
    """Grants that an agent has given and not taken back."""

    agent: str
    items: list[GrantView]


class SharedStoreRequest(Wire):
    """A memory to keep with another agent. ``namespace``: the tag that was granted; it is added to ``tags``."""

    text: Text = Field(min_length=1)
    namespace: Text = Field("", max_length=64)
    type: MemoryType = "LONG_TERM"
    importance: float = Field(0.5, ge=0, le=1)
    tags: list[Text] = Field(default_factory=list, max_length=TAGS_LIMIT - 1)
    command_id: UUID | None = Field(None, description="Repeat one to be sure that a retry stores nothing twice.")


class AccessReceipt(Answer):
    """A command about keys or grants that the log has acknowledged. ``visible``: it counts here already."""

    command_id: str
    visible: bool

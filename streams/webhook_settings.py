"""What all groups of settings have in common, and the group of the webhook. The others are in ``streams.settings``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Group(BaseModel):
    """Settings that belong together. A name that is not known is a slip of whoever wrote it, and is refused."""

    model_config = ConfigDict(extra="forbid")


class WebhookSettings(Group):
    """Records posted to an address of yours; needs a worker with the stream agent webhook."""

    url: str = Field("", description="Where they go: https://..., or http:// on this machine. It is shown, so no key in it.")
    topics: list[Literal["memory.commands", "memory.evictions", "memory.log"]] = Field(
        default=["memory.commands"],
        description="Whose records outside blocks are sent: memory.commands, memory.evictions, memory.log.",
    )
    secret: SecretStr = Field(SecretStr(""), description="Signs requests; from the environment, better is a file.")
    secret_file: Path | None = Field(None, description="File of mode 0600 that holds the secret, instead.")
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="Longest wait for an answer; then the record is tried later.")
    connections: int = Field(8, ge=1, le=256, description="Most requests under way at once from one worker.")
    ca_file: Path | None = Field(None, description="Certificates that are believed, instead of the system's.")

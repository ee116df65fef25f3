"""Shapes of sessions."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import Field

from schemas.records import Session
from streams.core.session import LONGEST_SECONDS, LONGEST_TEXT, MEMORIES, MOST_COLLABORATORS
from streams.serving.addresses import to_hex
from streams.serving.wire.base import WAIT_LIMIT, Answer, Text, Wire


class SessionTermsRequest(Wire):
    """What a session is opened with, or what of it changes; None leaves it as it is."""

    seconds: int | None = Field(None, ge=1, le=LONGEST_SECONDS, description="How long it lasts from now; an hour unless told.")
    max_memories: int | None = Field(None, ge=1, le=MEMORIES, description="Most memories it holds; the oldest go first.")
    collaborators: list[str] | None = Field(None, max_length=MOST_COLLABORATORS, description="Agents that may read and store.")
    context: Text | None = Field(None, max_length=LONGEST_TEXT, description="What it is about.")
    goal: Text | None = Field(None, max_length=LONGEST_TEXT, description="What it is for.")
    promote: bool | None = Field(None, description="Whether its memories stay when it ends; they do unless told.")
    wait: float = Field(5.0, ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show it.")


class OpenRequest(SessionTermsRequest):
    """A session to open."""

    id: str | None = Field(None, description="UUID; repeat one to be sure that a retry opens nothing twice.")


class SessionView(Answer):
    """A session. ``expired``: its time is over; it takes nothing more and will be closed. ``visible``: the log shows this."""

    id: str
    agent: str
    state: Literal["OPEN", "CLOSED", "MERGED"]
    expired: bool
    opened: int
    expires: int
    ended: int | None
    max_memories: int
    collaborators: list[str]
    context: str
    goal: str
    promote: bool
    merged_into: str | None
    count: int
    visible: bool = True

    @classmethod
    def of(cls, session: Session, now: int, *, visible: bool = True) -> SessionView:
        """From the record."""
        into = session["merged_into"]
        return cls(
            id=str(uuid.UUID(bytes=session["id"])),
            agent=to_hex(session["agent"]),
            state=session["state"],
            expired=session["state"] == "OPEN" and now >= session["expires"],
            opened=session["opened"],
            expires=session["expires"],
            ended=session["ended"],
            max_memories=session["max_memories"],
            collaborators=[to_hex(other) for other in session["collaborators"]],
            context=session["context"],
            goal=session["goal"],
            promote=session["promote"],
            merged_into=None if into is None else str(uuid.UUID(bytes=into)),
            count=session["count"],
            visible=visible,
        )


class SessionList(Answer):
    """Sessions of an agent, the newest first."""

    agent: str
    items: list[SessionView]

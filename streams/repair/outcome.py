"""What a repair found and did, as data: the form of ``--json``, and of the text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.serving.wire.base import Answer

Cause = Literal["store", "log", "peer", "erased", "unreadable", "undecided"]


class AgentOutcome(Answer):
    """What is wrong with an agent, and whether it is mended.

    ``cause``: "store", this deployment's rows were not what its log says, so they were made so; "log", its log is not what the
    chain says; "peer", log and chain agree with this side; "erased", its keys were destroyed on one side, so nothing is wrong;
    "unreadable", rows here cannot be read; "undecided", the chain could not be asked.
    ``lacked``, ``altered``, ``extra``: memories, by what was wrong with them. ``checked``: held against the chain too.
    """

    agent: str
    cause: Cause
    mended: bool = False
    checked: bool = False
    lacked: int = 0
    altered: int = 0
    extra: int = 0


class LogOutcome(Answer):
    """Whose log is not what the chain says, where the two logs part. "state": the log here is right, but not what the memory
    agent made of it; "neither": the chain has a third block there.
    """

    fault: Literal["here", "peer", "state", "neither", "undecided"]
    block: int


class Outcome(Answer):
    """All of it. ``left``: what a person has to do, as commands. ``sound``: nothing is left to do here."""

    log: LogOutcome | None = None
    agents: list[AgentOutcome] = Field(default_factory=list)
    left: list[str] = Field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether this deployment is what its log and the chain say, as far as that is known."""
        return not self.left

"""What a ranking takes and gives.

Assumes the caller filters once more by the chain view after its last wait: a ranking may wait between two looks at the view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from schemas.records import Memory
from streams.core.moment import Moment
from streams.ports.stores import StoredMemory


def anything(_: Memory) -> bool:
    """Admits every memory."""
    return True


EVER = Moment(0, invalid_too=True)
"""All that is live."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. ``wanted``: items the asker takes at most; ``admits``: which memories may be among them at all.

    ``min_similarity``: cosine of what nothing but its vector speaks for; what words, numbers or dates found is not held to it.
    ``least``: the asker's own bound on the cosine, which holds for all that have a vector.

    ``when``: the moment asked about; what is not known or not true then is no answer. ``zone``: marks of the session asked
    about (``streams.core.session.zones``); none: what lies in no session.
    """

    agent: bytes
    text: str
    wanted: int
    min_similarity: float
    admits: Callable[[Memory], bool] = field(default=anything)
    when: Moment = EVER
    zone: frozenset[bytes] = frozenset()
    least: float = -1.0

    def bounded(self, least: float | None) -> Question:
        """The question with the asker's own bound, if there is one."""
        return self if least is None else replace(self, min_similarity=least, least=least)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A memory, the row behind it, its text, and how well it answers. ``similarity``: the cosine alone."""

    memory: Memory
    row: StoredMemory
    text: str
    score: float
    similarity: float


class Ranking(Protocol):
    """Orders an agent's live memories by how well they answer."""

    async def rank(self, question: Question) -> list[Ranked]:
        """Best first, each memory once, each admitted, known and true at ``when`` and live at some look at the view; somewhat
        more than ``wanted`` if there are as many. No barrier. Equal scores by id, so that the order never depends on an index;
        who wants more gets the same first ones.
        """

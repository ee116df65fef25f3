"""What can be wrong with a process, in types: by how it ended or stands, never by the text of a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streams.errors import Category, Severity
from streams.last_words import LastWords


class Kind(StrEnum):
    """What a program of the pipeline is. CORE: without it nothing new comes in. OPS, ALERTS: nothing else needs them."""

    PRODUCER = "producer"
    WORKER = "worker"
    GATEWAY = "gateway"
    OPS = "ops"
    ALERTS = "alerts"

    @property
    def core(self) -> bool:
        return self is Kind.PRODUCER


class Symptom(StrEnum):
    """DEAD: it ended. HUNG: it runs and does not answer, or says that its event loop is stuck. UNREADY: it answers that work
    does not get on. STUCK: it says it is well, and what waits is not worked on.
    """

    DEAD = "dead"
    HUNG = "hung"
    UNREADY = "unready"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Ailment:
    """``words``: of a dead one, None if it left none (a signal, no memory). ``places``: what does not answer it, by the first
    word of the circuit's name. ``peers``: other processes of its kind that are well.
    """

    program: str
    kind: Kind
    symptom: Symptom
    words: LastWords | None = None
    places: frozenset[str] = field(default=frozenset())
    peers: int = 0

    @property
    def category(self) -> Category:
        """What part of the world failed."""
        if self.words is not None:
            return self.words.category
        found = [CATEGORIES[place] for place in sorted(self.places) if place in CATEGORIES]
        return found[0] if found else Category.PROCESSING if self.symptom is not Symptom.DEAD else Category.UNKNOWN

    @property
    def cause(self) -> tuple[str, ...]:
        """What tells it from another ailment of the same program: how it stands, what part of the world failed, its error."""
        said = (self.words.error, self.words.place) if self.words is not None else ()
        return (self.symptom, self.category, *said)

    @property
    def waits(self) -> bool:
        """Whether it waits for a store outside that does not answer: it goes on by itself when that is back."""
        return self.symptom is Symptom.UNREADY and any(CATEGORIES.get(place) is Category.DATABASE for place in self.places)

    @property
    def severity(self) -> Severity:
        """How bad it is. A process that is gone or stuck does nothing at all: that is high, and critical for a core one."""
        if self.words is not None:
            return self.words.severity
        if self.symptom is Symptom.UNREADY:
            return Severity.MEDIUM
        return Severity.CRITICAL if self.kind.core else Severity.HIGH


CATEGORIES = {
    "cassandra": Category.DATABASE,
    "milvus": Category.DATABASE,
    "node": Category.NETWORK,
    "registry": Category.EXTERNAL,
}
"""What the place behind a circuit breaker is, by the first word of its name."""

"""What becomes of a part that a process does without: it stays away as long as it is away, and no longer. Pure.

A switch ends by itself, so that it does not outlive whoever set it; so it is renewed meanwhile. Invariant: a part is used again
only after the process itself said, for a while, that the part answers; one that was just started says nothing yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from streams.ops.recovery.decide import Action
from streams.ops.recovery.observe import Sight


class Next(Enum):
    """What to do about the switch now. OVER: it ended by itself, while the process could not say anything."""

    WAIT = 0
    RENEW = 1
    TAKE_BACK = 2
    OVER = 3


@dataclass(slots=True)
class Degraded:
    """``since``: when it was set or renewed. ``back_since``: the part answers since then; None: it does not."""

    action: Action
    since: float
    back_since: float | None = None

    def next(self, sight: Sight, now: float, steady: float) -> Next:
        """``steady``: seconds for which the part must answer in one go."""
        target, longest = self.action.target, self.action.seconds or float("inf")
        if target not in sight.back:
            self.back_since = None
            if target not in sight.without:
                return Next.OVER if now - self.since >= longest else Next.WAIT
            return Next.RENEW if now - self.since >= longest / 2 else Next.WAIT
        if self.back_since is None:
            self.back_since = now
        return Next.TAKE_BACK if now - self.back_since >= steady else Next.WAIT

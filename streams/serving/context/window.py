"""Windows: which memories a context may draw on. Pure.

  temporal   the newest stretch of time        semantic   memories with one of some tags
  actions    the newest transactions           priority   memories of some importance

Time is counted back from the newest memory in front of the window, never from a clock, so the same memories always make the
same window. A window is laid over memories in the store's order (newest first, equal times by id, downwards) and closes at the
first memory behind it; what is behind is the next window's.
Invariant: laid one after the other, windows hold every memory they admit, each in exactly one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.records import Memory

SIZE = 50
LARGEST = 1_000
HISTORY = 1_000
"""Most actions that one window reaches back."""


@dataclass(frozen=True, slots=True)
class Temporal:
    """Memories at most ``seconds`` older than the newest."""

    seconds: int
    size: int = SIZE


@dataclass(frozen=True, slots=True)
class Actions:
    """What the newest ``count`` transactions left."""

    count: int = SIZE
    size: int = SIZE


@dataclass(frozen=True, slots=True)
class Semantic:
    """Memories with any of ``tags`` (sorted)."""

    tags: tuple[str, ...]
    size: int = SIZE


@dataclass(frozen=True, slots=True)
class Priority:
    """Memories at least so important."""

    least: float
    size: int = SIZE


Window = Temporal | Actions | Semantic | Priority


def admits(window: Window, memory: Memory, newest: int) -> bool:
    """Whether the memory is of the window's kind; ``newest``: time that the window begins at. Actions count elsewhere."""
    match window:
        case Temporal():
            return newest - memory["timestamp"] <= window.seconds
        case Actions():
            return memory["transaction"] is not None
        case Semantic():
            return not set(window.tags).isdisjoint(memory["tags"])
        case Priority():
            return memory["importance"] >= window.least


def strength(window: Window, memory: Memory, newest: int, place: int) -> float:
    """How much a member belongs, 0 to 1: what a context without a question is ordered by. ``place``: from 0, newest first."""
    match window:
        case Temporal():
            return 1.0 - (newest - memory["timestamp"]) / max(1, window.seconds)
        case Actions():
            return 1.0 / (1 + place)
        case Semantic():
            asked, held = set(window.tags), set(memory["tags"])
            return len(asked & held) / len(asked | held)
        case Priority():
            return min(1.0, max(0.0, memory["importance"]))


@dataclass(slots=True)
class Filling:
    """One window while memories are laid into it, newest first."""

    window: Window
    members: list[Memory] = field(default_factory=list)
    newest: int | None = None
    _actions: set[bytes] = field(default_factory=set)

    def take(self, memory: Memory) -> bool:
        """Takes or passes over the memory; False, and nothing changes, if it lies behind the window."""
        window = self.window
        newest = memory["timestamp"] if self.newest is None else self.newest
        if not admits(window, memory, newest):
            if isinstance(window, Temporal):
                return False
        elif len(self.members) >= window.size or self._one_action_too_many(memory):
            return False
        else:
            self.members.append(memory)
            if memory["transaction"] is not None:
                self._actions.add(memory["transaction"])
        self.newest = newest
        return True

    def _one_action_too_many(self, memory: Memory) -> bool:
        if not isinstance(self.window, Actions) or memory["transaction"] in self._actions:
            return False
        return len(self._actions) >= self.window.count

    def strengths(self) -> list[float]:
        """Of the members, in their order."""
        return [strength(self.window, memory, self.newest or 0, place) for place, memory in enumerate(self.members)]

"""What a process owes whoever started it: to end with it, and to say why it ended.

That is one line of JSON in the file that MONMOUTH_LAST_WORDS names; in Kubernetes it may be /dev/termination-log. Invariant: it
holds the type of the error and what the type says, so nobody need read its text to decide anything; no secret, since messages
hold none; it never hides the error, also where it is not writable.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from streams.classification import classified, is_counted
from streams.errors import Category, MonmouthError, Severity, may_pass

VARIABLE = "MONMOUTH_LAST_WORDS"
PARENT = "MONMOUTH_PARENT"
"""Number of the process without which this one is to end, if it is told."""
_DEATH_SIGNAL = 1
LONGEST = 2_000
_PLACE = "__monmouth_place__"


@dataclass(frozen=True, slots=True)
class LastWords:
    """``place``: AGENT/PARTITION where it happened, if it was one. ``ours``: of a type of the product, so not a defect.
    ``counted``: the process counted it itself (monmouth_errors_total), before its last report.
    """

    error: str
    category: Category
    severity: Severity
    passes: bool
    ours: bool
    message: str = ""
    place: str = ""
    lineage: tuple[str, ...] = ()
    counted: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What an error says."""
        place = str(getattr(error, _PLACE, ""))
        lineage = tuple(kind.__name__ for kind in type(error).__mro__ if issubclass(kind, Exception))
        ours = isinstance(error, MonmouthError)
        message = error.message[:LONGEST] if isinstance(error, MonmouthError) else ""
        name, passes, counted = type(error).__name__, may_pass(error), is_counted(error)
        return cls(name, *classified(error), passes, ours, message, place, lineage, counted)

    def is_a(self, kind: type[BaseException]) -> bool:
        """Whether the error was of this type."""
        return kind.__name__ in self.lineage


def happened_at(error: BaseException, place: str) -> None:
    """Notes where an error happened; the first note counts."""
    if not hasattr(error, _PLACE):
        setattr(error, _PLACE, place)


def leave(error: BaseException) -> None:
    """Writes them, if somebody asked for them."""
    if file := os.environ.get(VARIABLE):
        with suppress(OSError):
            Path(file).write_text(json.dumps(asdict(LastWords.of(error))))


def end_with_parent() -> None:
    """Has the kernel end this process with the one that PARENT names, where there are such kernels."""
    parent = os.environ.get(PARENT, "")
    if parent.isdecimal():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != int(parent):  # it was quicker
            raise SystemExit(1)


def heard(file: Path) -> LastWords | None:
    """What was left in ``file``; None if that is nothing, or nothing that can be understood."""
    try:
        said = json.loads(file.read_text())
        return LastWords(
            **{
                **said,
                "category": Category(said["category"]),
                "severity": Severity(said["severity"]),
                "lineage": tuple(said["lineage"]),
            }
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None

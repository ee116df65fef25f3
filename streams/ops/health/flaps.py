"""Damping: one bad look makes a suspect, several in a row a failure; one good look does not make it well again. Pure."""

from __future__ import annotations

from dataclasses import replace

from streams.ops.health.finding import POINTS, Finding, Status


class Flaps:
    """Of one thing. It fails after ``fail_after`` failures in a row, and recovers after ``recover_after`` looks without."""

    def __init__(self, fail_after: int = 3, recover_after: int = 2) -> None:
        self._fail_after = fail_after
        self._recover_after = recover_after
        self._failures = 0
        self._successes = 0
        self.failed = False

    @property
    def in_doubt(self) -> bool:
        """Whether the next looks may change what is said; worth another look soon."""
        return bool(self._successes) if self.failed else bool(self._failures)

    def take(self, found: Finding) -> Finding:
        """What is to be said after this look. A failure that is not believed yet is a complaint, never a success."""
        if found.status == "failed":
            self._failures, self._successes = self._failures + 1, 0
            self.failed = self.failed or self._failures >= self._fail_after
            return found if self.failed else _said(found, "degraded", f"failure {self._failures} of {self._fail_after}")
        self._failures = 0
        if not self.failed:
            return found
        self._successes += 1
        if self._successes < self._recover_after:
            return _said(found, "failed", f"well again for {self._successes} of {self._recover_after} looks")
        self.failed, self._successes = False, 0
        return found


def _said(found: Finding, status: Status, why: str) -> Finding:
    detail = f"{found.detail} ({why})" if found.detail else why
    return replace(found, status=status, detail=detail, score=POINTS[status])

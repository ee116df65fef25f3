"""One finding of the checker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anomaly:
    """``kind``: the class, as in ``report.CLASSES``. ``where``: partition, sink or group. ``what``: one line for a reader."""

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"

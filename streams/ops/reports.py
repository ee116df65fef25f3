"""What processes say in the topics of operations, as values: to and from records, within limits.

Assumes nothing of who wrote a record: ``from_record`` and ``from_value`` check every bound, and raise SchemaError for what is
beyond one. ``to_value`` cuts instead, and says in a report of metrics how many samples it left out, so that what this
process writes is always readable. Invariant: ``from_value(to_value(x)) == x`` for whatever is within the limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Self, cast

from schemas.codec import SchemaError, codec
from schemas.ops_records import AlertState, HealthStatus, SampleKind

ENDED = "monmouth_ended"
"""Sample of the last report of a process that ends as it should: nobody need miss it."""
MOST_SAMPLES = 4_000
MOST_PARTS = 64
MOST_LABELS = 24
MOST_VALUES = 64
MOST_NAME = 200
"""Characters of a name, of a label's name and of its value."""
MOST_TEXT = 1_000
"""Characters of a text for a person."""
MOST_BYTES = 1024 * 1024
"""Of a record."""
MOST_VALUE = 1e100
"""Of a value that is reckoned with: sums of its squares are numbers too."""
MOST_COUNT = 2.0**53
"""Of a count: one more is not to be told from it."""


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One value of one series. COUNTER and HISTOGRAM values grow until the process ends; a GAUGE is as it is."""

    name: str
    kind: SampleKind
    labels: Mapping[str, str]
    value: float


class _Record:
    """What has a wire form by the schema that ``schema`` names."""

    __slots__ = ()
    schema: ClassVar[str]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises SchemaError beyond a limit."""
        raise NotImplementedError

    @classmethod
    def from_value(cls, value: bytes | None) -> Self:
        """Raises SchemaError for anything but such a record within the limits."""
        return cls.from_record(_decoded(cls.schema, value))


class _OfProcess(_Record):
    """What one process says of itself."""

    __slots__ = ()
    component: str
    instance: str

    @property
    def key(self) -> bytes:
        return process_key(self.component, self.instance)


@dataclass(frozen=True, slots=True)
class MetricReport(_OfProcess):
    """What one process measured at ``at_ms``. ``started_ms``: when it began, from 0. ``dropped``: samples left out."""

    schema: ClassVar[str] = "MetricReport"
    component: str
    instance: str
    at_ms: int
    samples: tuple[MetricSample, ...] = ()
    started_ms: int = 0
    dropped: int = 0

    def to_value(self) -> bytes:
        """Wire form; what is too much is left out and counted."""
        fitting = [sample for sample in self.samples if _fits(sample)][:MOST_SAMPLES]
        while True:
            samples = [_sample_record(sample) for sample in fitting]
            record = {
                "component": self.component[:MOST_NAME],
                "instance": self.instance[:MOST_NAME],
                "at_ms": self.at_ms,
                "started_ms": self.started_ms,
                "samples": samples,
                "dropped": self.dropped + len(self.samples) - len(fitting),
            }
            value = codec().encode(self.schema, record)
            if len(value) <= MOST_BYTES:
                return value
            del fitting[len(fitting) * MOST_BYTES // len(value) :]

    def reckoned(self) -> Self:
        """Without the samples that are no numbers, or beyond ``MOST_VALUE``; anybody may report such."""
        if all(is_number(sample.value) for sample in self.samples):
            return self
        return replace(self, samples=tuple(sample for sample in self.samples if is_number(sample.value)))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises SchemaError beyond a limit."""
        _process(record)
        _most("samples", record["samples"], MOST_SAMPLES)
        samples = tuple(MetricSample(**sample) for sample in record["samples"])
        for sample in samples:
            if not _fits(sample):
                raise SchemaError(f"MetricReport: a sample is beyond the limits: {sample.name[:MOST_NAME]}")
        return cls(**{**record, "samples": samples})


@dataclass(frozen=True, slots=True)
class HealthPart:
    """One thing that was looked at, in ``seconds``. ``score``: 0 failed, 1 healthy."""

    name: str
    status: HealthStatus
    score: float
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HealthReport(_OfProcess):
    """How one process is at ``at_ms``, and of which parts that is made."""

    schema: ClassVar[str] = "HealthReport"
    component: str
    instance: str
    at_ms: int
    status: HealthStatus
    score: float
    parts: tuple[HealthPart, ...] = ()

    def to_value(self) -> bytes:
        """Wire form; texts are cut at their limits, and so is the list of parts, worst first."""
        parts: Any = self.parts
        if len(parts) > MOST_PARTS:
            parts = sorted(parts, key=lambda part: part.score)[:MOST_PARTS]
        cut = [replace(part, name=part.name[:MOST_NAME], detail=part.detail[:MOST_TEXT]) for part in parts]
        record = asdict(replace(self, component=self.component[:MOST_NAME], instance=self.instance[:MOST_NAME], parts=()))
        return codec().encode(self.schema, {**record, "parts": [asdict(part) for part in cut]})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises SchemaError beyond a limit."""
        _process(record)
        _most("parts", record["parts"], MOST_PARTS)
        parts = tuple(HealthPart(**part) for part in record["parts"])
        for part in parts:
            _text("a part's name", part.name, MOST_NAME)
            _text("a part's detail", part.detail, MOST_TEXT)
        _scores(record["score"], *(part.score for part in parts))
        return cls(**{**record, "parts": parts})


@dataclass(frozen=True, slots=True)
class AlertRecord(_Record):
    """An alert as it is since ``at_ms``."""

    schema: ClassVar[str] = "AlertRecord"
    rule: str
    labels: Mapping[str, str]
    severity: str
    state: AlertState
    at_ms: int
    value: float
    summary: str = ""

    @property
    def key(self) -> bytes:
        return f"{self.rule}|{labelled(self.labels)}".encode()

    def to_value(self) -> bytes:
        """Wire form. Raises SchemaError for labels beyond the limits: without them it would be another alert's."""
        _labels(self.labels)
        return codec().encode(self.schema, asdict(replace(self, summary=self.summary[:MOST_TEXT])))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises SchemaError beyond a limit."""
        _text("rule", record["rule"], MOST_NAME)
        _text("severity", record["severity"], MOST_NAME)
        _text("summary", record["summary"], MOST_TEXT)
        _labels(record["labels"])
        return cls(**record)


@dataclass(frozen=True, slots=True)
class Window(_Record):
    """What ``seconds`` from ``start_ms`` say of one series. ``closed``: a sample after its end was seen."""

    schema: ClassVar[str] = "OpsWindow"
    kind: str
    name: str
    labels: Mapping[str, str]
    seconds: int
    start_ms: int
    at_ms: int
    closed: bool
    samples: int
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def series(self) -> str:
        return series_of(self.name, self.labels)

    @property
    def key(self) -> bytes:
        return f"{self.kind}/{self.seconds}/{self.series}/{self.start_ms}".encode()

    def to_value(self) -> bytes:
        """Wire form. Raises SchemaError beyond a limit."""
        _labels(self.labels)
        _most("values", self.values, MOST_VALUES)
        return codec().encode(self.schema, {**asdict(self), "series": self.series})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Raises SchemaError beyond a limit."""
        _text("kind", record["kind"], MOST_NAME)
        _text("name", record["name"], MOST_NAME)
        _labels(record["labels"])
        _most("values", record["values"], MOST_VALUES)
        return cls(**{name: value for name, value in record.items() if name != "series"})


def is_number(value: float) -> bool:
    """Whether it can be reckoned with."""
    return abs(value) <= MOST_VALUE


def is_count(value: float) -> bool:
    """Whether a counter can say it."""
    return 0 <= value <= MOST_COUNT


def process_key(component: str, instance: str) -> bytes:
    """Key of a process's reports."""
    return f"{component[:MOST_NAME]}/{instance[:MOST_NAME]}".encode()


def series_of(name: str, labels: Mapping[str, str]) -> str:
    """Name and labels as one text; equal for equal ones."""
    return f"{name}{{{labelled(labels)}}}" if labels else name


def labelled(labels: Mapping[str, str]) -> str:
    """Labels as one text, in the order of their names."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _fits(sample: MetricSample) -> bool:
    return (
        len(sample.name) <= MOST_NAME
        and len(sample.labels) <= MOST_LABELS
        and all(len(name) <= MOST_NAME and len(value) <= MOST_NAME for name, value in sample.labels.items())
    )


def _sample_record(sample: MetricSample) -> dict[str, Any]:
    return {"name": sample.name, "kind": sample.kind, "labels": dict(sample.labels), "value": float(sample.value)}


def _decoded(name: str, value: bytes | None) -> dict[str, Any]:
    if value is not None and len(value) > MOST_BYTES:
        raise SchemaError(f"{name}: {len(value)} bytes are more than {MOST_BYTES}")
    found, record = codec().decode(value)
    if found != name:
        raise SchemaError(f"{found} is not {name}")
    return cast("dict[str, Any]", record)


def _process(record: Mapping[str, Any]) -> None:
    _text("component", record["component"], MOST_NAME)
    _text("instance", record["instance"], MOST_NAME)


def _text(what: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise SchemaError(f"{what} has more than {limit} characters")


def _labels(labels: Mapping[str, str]) -> None:
    _most("labels", labels, MOST_LABELS)
    for name, value in labels.items():
        _text("a label's name", name, MOST_NAME)
        _text("a label", value, MOST_NAME)


def _most(what: str, found: Any, limit: int) -> None:
    if len(found) > limit:
        raise SchemaError(f"more than {limit} {what}")


def _scores(*scores: float) -> None:
    if not all(math.isfinite(score) and 0 <= score <= 1 for score in scores):
        raise SchemaError("a score is not between 0 and 1")

"""Typed views of the records in the topics of operations, as ``records`` has them for all others."""

from __future__ import annotations

from typing import Literal, TypedDict

SampleKind = Literal["COUNTER", "GAUGE", "HISTOGRAM"]
HealthStatus = Literal["healthy", "degraded", "failed"]
AlertState = Literal["firing", "resolved"]


class MetricSample(TypedDict):
    name: str
    kind: SampleKind
    labels: dict[str, str]
    value: float


class MetricReport(TypedDict):
    component: str
    instance: str
    at_ms: int
    started_ms: int
    samples: list[MetricSample]
    dropped: int


class HealthPart(TypedDict):
    name: str
    status: HealthStatus
    score: float
    detail: str
    seconds: float


class HealthReport(TypedDict):
    component: str
    instance: str
    at_ms: int
    status: HealthStatus
    score: float
    parts: list[HealthPart]


class AlertRecord(TypedDict):
    rule: str
    labels: dict[str, str]
    severity: str
    state: AlertState
    at_ms: int
    value: float
    summary: str


class OpsWindow(TypedDict):
    kind: str
    series: str
    name: str
    labels: dict[str, str]
    seconds: int
    start_ms: int
    at_ms: int
    closed: bool
    samples: int
    values: dict[str, float]

"""Asking: whatever goes wrong is a failure, in words that are for everybody."""

from __future__ import annotations

import asyncio

import pytest

from streams.errors import StoreError
from streams.ops.health.finding import Finding
from streams.ops.health.provider import ask
from streams.policy import CircuitOpenError


class Scripted:
    name = "part"
    interval = None

    def __init__(self, *answers: Finding | Exception | float) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.closed = False

    async def probe(self) -> Finding:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return Finding("healthy")
        return answer

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (StoreError("it is away", "a hint"), "it is away"),
        (ValueError("/secret/path"), "ValueError"),
        (TimeoutError(), "no answer within 0.05 s"),
        (60.0, "no answer within 0.05 s"),
    ],
)
async def test_what_goes_wrong_is_a_failure(answer: Exception | float, detail: str) -> None:
    found = await ask(Scripted(answer), 0.05)
    assert (found.status, found.score, found.detail) == ("failed", 0.0, detail)


async def test_an_answer_is_passed_on_with_the_time_it_took() -> None:
    found = await ask(Scripted(0.02), 5)
    assert found.status == "healthy"
    assert 0.02 <= found.seconds < 5
    assert (await ask(Scripted(Finding("degraded", "slow")), 5)).detail == "slow"


async def test_who_is_told_to_stop_stops() -> None:
    task = asyncio.create_task(ask(Scripted(60.0), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_circuit_that_is_open_is_no_reason() -> None:
    assert (await ask(Scripted(CircuitOpenError("node", 5, "connection refused")), 1)).detail == "connection refused"

"""No canary crosses from one agent to another, and the run that says so sees it when one does."""

from __future__ import annotations

from typing import Any

import pytest

from streams.serving.gate import Gate, Principal
from streams.serving.routers import shared, shared_query
from tests.isolation.run import run


async def test_nothing_crosses() -> None:
    found = await run(agents=12, tasks=32, operations=1_500)
    assert found.leaks == []
    assert found.operations >= 1_500
    assert found.answers[201] > 0 < found.answers[200]
    assert found.answers[403] > 0
    assert set(found.answers) == {200, 201, 403, 404}, "what was refused for another reason tells nothing"
    assert found.seen > 500


async def test_a_door_left_open_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    allows = Gate._allows

    def careless(self: Gate, principal: Principal, path: str) -> bool:
        return path.endswith("/memories") or allows(self, principal, path)

    monkeypatch.setattr(Gate, "_allows", careless)
    found = await run(agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/memories" in leak for leak in found.leaks)


async def test_a_filter_left_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = shared.namespaces

    async def careless(*asked: Any) -> frozenset[str]:
        await namespaces(*asked)
        return frozenset({""})

    monkeypatch.setattr(shared, "namespaces", careless)
    found = await run(agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/shared/" in leak and "-own-" in leak for leak in found.leaks)


async def test_a_grant_taken_for_more_than_it_is_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_query, "_granted", lambda row, agent, now: None)
    found = await run(agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/shared/query" in leak and "-own-" in leak for leak in found.leaks)

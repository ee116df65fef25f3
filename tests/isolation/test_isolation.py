"""No canary crosses from one agent to another, and the run that says so sees it when one does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.stores.lmdb_memory import LmdbMemoryStore
from connectors.stores.lmdb_vectors import LmdbVectorStore
from schemas.records import MemoryFact
from streams.ports.stores import VectorRow
from streams.serving.cache.freshness import Stamp
from streams.serving.cache.levels import Question, TwoLevels
from streams.serving.gate import Gate, Principal
from streams.serving.routers import shared, shared_query
from tests.identity import member
from tests.isolation.__main__ import main
from tests.isolation.run import CANARY, run


async def test_nothing_crosses(tmp_path: Path) -> None:
    found = await run(tmp_path, agents=12, tasks=32, operations=1_500)
    assert found.leaks == []
    assert found.operations >= 1_500
    assert found.answers[201] > 0 < found.answers[200]
    assert found.answers[403] > 0
    assert set(found.answers) == {200, 201, 202, 403, 404}, "what was refused for another reason tells nothing"
    assert found.seen > 500


async def test_a_door_left_open_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allows = Gate._allows

    def careless(self: Gate, principal: Principal, path: str) -> bool:
        return path.endswith("/memories") or allows(self, principal, path)

    monkeypatch.setattr(Gate, "_allows", careless)
    found = await run(tmp_path, agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/memories" in leak for leak in found.leaks)


async def test_a_filter_left_out_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = shared.namespaces

    async def careless(*asked: Any) -> frozenset[str]:
        await namespaces(*asked)
        return frozenset({""})

    monkeypatch.setattr(shared, "namespaces", careless)
    found = await run(tmp_path, agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/shared/" in leak and "-own-" in leak for leak in found.leaks)


async def test_a_grant_taken_for_more_than_it_is_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_query, "_granted", lambda row, agent, now: None)
    found = await run(tmp_path, agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/shared/query" in leak and "-own-" in leak for leak in found.leaks)


async def test_an_answer_kept_under_no_name_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One agent's answer is another's, as long as both ask the same."""

    def careless(self: TwoLevels[Stamp], question: Question, _: object) -> bytes | None:
        def alike(asked: Any) -> Any:
            return replace(asked, agent=bytes(20))

        same = [each for each in self._entries.values() if alike(each.question.asked) == alike(question.asked)]
        bodies = [self._unpack.decompress(each.packed) for each in same]
        return next((body for body in bodies if CANARY.search(body.decode())), None)

    monkeypatch.setattr(TwoLevels, "look_up", careless)
    found = await run(tmp_path, agents=6, tasks=4, operations=600)
    assert found.leaks
    assert all("/query" in leak for leak in found.leaks)


async def test_a_row_under_anothers_name_is_seen_in_what_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upsert = LmdbVectorStore.upsert

    async def careless(self: LmdbVectorStore, rows: Sequence[VectorRow]) -> None:
        await upsert(self, [row for each in rows for row in (each, replace(each, agent=member(0).agent))])

    monkeypatch.setattr(LmdbVectorStore, "upsert", careless)
    found = await run(tmp_path, agents=6, tasks=4, operations=200)
    assert {leak.partition(":")[0] for leak in found.leaks} == {"vectors"}


async def test_a_text_in_a_log_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply = LmdbMemoryStore.apply

    async def careless(self: LmdbMemoryStore, facts: Sequence[MemoryFact]) -> None:
        logging.getLogger("store").debug("%s", facts)
        await apply(self, facts)

    monkeypatch.setattr(LmdbMemoryStore, "apply", careless)
    found = await run(tmp_path, agents=2, tasks=2, operations=100)
    assert {leak.partition(":")[0] for leak in found.leaks} == {"log store"}


def test_two_gateways_on_the_same_stores(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["isolation", "--agents", "4", "--tasks", "4", "--operations", "160"])
    assert main() == 0
    shown = capsys.readouterr().out
    assert "160 operations" in shown and "leaks: 0" in shown

"""Sessions over REST: the fold behind it is the stream agent's own, so what is answered is what the log leads to."""

from __future__ import annotations

import time
import uuid
from itertools import pairwise
from typing import Any

import httpx
import pytest

from schemas.codec import codec
from schemas.records import MemoryCommand
from streams.agents.expiry import expiry_of
from streams.core.session import zones
from streams.serving.commands import Acknowledged
from streams.serving.sessions import CLOSE_EVERY, LONGEST_PAUSE, Closer, SessionTail
from streams.settings import KafkaSettings
from streams.signing import Verifier
from tests.unit.serving.folding import SIGNER, opened
from tests.unit.serving.world import ALICE, BOB, World, client

A = f"/v1/agents/0x{ALICE.hex()}"


async def texts(http: httpx.AsyncClient, path: str) -> list[str]:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return sorted(item["text"] for item in answer.json()["items"])


async def test_a_session_from_its_opening_to_its_end(folded: World) -> None:
    async with client(folded) as http:
        session = await opened(http, goal="trade", collaborators=[f"0x{BOB.hex()}"], max_memories=2)
        path = f"{A}/sessions/{session}"
        for text in ("one", "two", "three"):
            answer = await http.post(f"{path}/memories", json={"text": text, "type": "WORKING", "wait": 1})
            assert answer.status_code == 201, answer.text
        assert await texts(http, f"{path}/memories") == ["three", "two"], "the oldest went"
        assert await texts(http, f"{A}/memories") == [], "what is in a session shows there alone"
        one_id = answer.json()["memory_id"]
        assert (await http.get(f"{A}/memories/{one_id}")).status_code == 404, "by its id too"
        assert (await http.get(path)).json()["count"] == 2
        assert (await http.patch(path, json={"goal": "hold", "seconds": 60})).json()["goal"] == "hold"
        assert (await http.get(f"{A}/sessions")).json()["items"][0]["id"] == session
        ended = (await http.delete(path)).json()
        assert (ended["state"], ended["visible"]) == ("CLOSED", True)
        assert await texts(http, f"{A}/memories") == ["three", "two"], "and stays as long-term memories"
        assert await texts(http, f"{path}/memories") == []
        refused = await http.post(f"{path}/memories", json={"text": "late"})
        assert (refused.status_code, refused.json()["error"]) == (400, "bad_request")


async def test_merged_sessions_show_as_one(folded: World) -> None:
    async with client(folded) as http:
        one, two = await opened(http), await opened(http)
        await http.post(f"{A}/sessions/{one}/memories", json={"text": "first"})
        await http.post(f"{A}/sessions/{two}/memories", json={"text": "second"})
        answer = await http.post(f"{A}/sessions/{two}/merge/{one}")
        assert (answer.status_code, answer.json()["count"]) == (200, 2)
        assert await texts(http, f"{A}/sessions/{two}/memories") == ["first", "second"]
        assert (await http.get(f"{A}/sessions/{one}")).json()["merged_into"] == two
        await http.delete(f"{A}/sessions/{two}?promote=false")
        assert await texts(http, f"{A}/memories") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{A}/sessions/{uuid.UUID(int=5)}", None, 404),
        ("GET", f"{A}/sessions/none", None, 400),
        ("POST", f"{A}/sessions", {"id": "none"}, 400),
        ("POST", f"{A}/sessions", {"seconds": 0}, 422),
        ("POST", f"{A}/sessions", {"max_memories": 1_001}, 422),
        ("POST", f"{A}/sessions", {"collaborators": [f"0x{ALICE.hex()}"]}, 400),
        ("POST", f"{A}/sessions", {"collaborators": ["0x00"]}, 400),
        ("PATCH", f"{A}/sessions/{uuid.UUID(int=5)}", {"goal": "x"}, 404),
        ("DELETE", f"{A}/sessions/{uuid.UUID(int=5)}", None, 404),
        ("POST", f"{A}/sessions/{uuid.UUID(int=5)}/memories", {"text": "x"}, 404),
        ("POST", f"{A}/sessions/{uuid.UUID(int=5)}/merge/{uuid.UUID(int=6)}", None, 404),
        ("GET", f"{A}/sessions/{uuid.UUID(int=5)}/memories", None, 404),
    ],
)
async def test_refusals(folded: World, method: str, path: str, body: Any, status: int) -> None:
    async with client(folded) as http:
        answer = await http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "message", "hint"}


@pytest.mark.parametrize(
    "body", [{"timestamp": 5}, {"subject": "a", "predicate": "b"}, {"links": [{"target": "0x" + "01" * 32}]}]
)
async def test_what_bears_on_the_outside_is_refused_inside(folded: World, body: dict[str, Any]) -> None:
    async with client(folded) as http:
        session = await opened(http)
        assert (await http.post(f"{A}/sessions/{session}/memories", json={"text": "x", **body})).status_code == 400


async def test_a_session_whose_time_is_over_is_closed_by_all_gateways_once(folded: World) -> None:
    async with client(folded) as http:
        session = await opened(http, seconds=1)
        await http.post(f"{A}/sessions/{session}/memories", json={"text": "kept"})
        table = SessionTail(KafkaSettings(), Verifier([SIGNER.public]), 1.0)
        for agent, rows in folded.sessions.rows.items():
            for key, row in rows.items():
                table._take(agent + key, codec().encode("Session", row))
        clock = time.time()
        closers = [Closer(table, folded.commands, lambda: clock) for _ in range(2)]
        assert [await closer.sweep() for closer in closers] == [0, 0]
        clock += 5
        assert [await closer.sweep() for closer in closers] == [1, 1], "of the table as each still sees it"
        assert (await http.get(f"{A}/sessions/{session}")).json()["state"] == "CLOSED"
        assert await texts(http, f"{A}/memories") == ["kept"]
        row = folded.sessions.rows[ALICE][uuid.UUID(session).bytes]
        assert expiry_of(row) == expiry_of(row)


async def test_a_close_that_does_not_count_is_said_less_and_less_often(folded: World) -> None:
    """Where workers do not trust the gateway's key, or its clock is ahead: the log keeps each."""

    class Unheard:
        async def send(self, _: MemoryCommand) -> Acknowledged:
            said.append(clock - begun)
            return Acknowledged(0, len(said))

    async with client(folded) as http:
        await opened(http, seconds=1)
    ((key, row),) = folded.sessions.rows[ALICE].items()
    table = SessionTail(KafkaSettings(), Verifier([SIGNER.public]), 1.0)
    table._take(ALICE + key, codec().encode("Session", row))
    said: list[float] = []
    begun = clock = float(row["expires"])
    closer = Closer(table, Unheard(), lambda: clock)
    while clock < begun + 3_600:
        await closer.sweep()
        clock += CLOSE_EVERY
    assert said[:8] == [0, 5, 15, 35, 75, 155, 315, 635], "twice as long each time"
    assert [later - one for one, later in pairwise(said[7:])] == [LONGEST_PAUSE] * 4
    table._rows[ALICE][key] = {**row, "expires": int(clock) - 1}
    assert await closer.sweep() == 1, "what was extended meanwhile is another end"
    table._take(ALICE + key, None)
    assert await closer.sweep() == 0 and not closer._said, "and what is closed is forgotten"


async def test_records_nobody_vouches_for_do_not_count(folded: World) -> None:
    async with client(folded) as http:
        await opened(http)
    (key, row), *_ = folded.sessions.rows[ALICE].items()
    for forged, signers in (({**row, "collaborators": [BOB]}, [SIGNER.public]), ({**row}, [])):
        table = SessionTail(KafkaSettings(), Verifier(signers), 1.0)
        await table._fold(
            [type("Record", (), {"key": ALICE + key, "value": codec().encode("Session", forged), "partition": 0, "offset": 0})]
        )
        assert not list(table.expired(row["expires"] + 1))
    good = SessionTail(KafkaSettings(), Verifier([SIGNER.public]), 1.0)
    good._take(ALICE + key, codec().encode("Session", row))
    assert [found["id"] for found in good.expired(row["expires"] + 1)] == [key]
    good._take(ALICE + key, None)
    assert not list(good.expired(row["expires"] + 1))


def test_zones_follow_merges() -> None:
    rows: Any = [{"id": n, "merged_into": into} for n, into in ((b"a", b"b"), (b"b", b"c"), (b"c", None), (b"d", None))]
    assert zones(rows, b"c") == {b"a", b"b", b"c"}
    assert zones(rows, b"d") == {b"d"}


async def test_collaborators_take_part_and_nobody_else_learns_of_it(folded: World) -> None:
    async with client(folded) as http:
        session = await opened(http, collaborators=[f"0x{BOB.hex()}"])
        inside = f"/v1/agents/0x{BOB.hex()}/shared/0x{ALICE.hex()}/sessions/{session}/memories"
        answer = await http.post(inside, json={"text": "from bob", "wait": 1})
        assert answer.status_code == 201, answer.text
        assert await texts(http, inside) == await texts(http, f"{A}/sessions/{session}/memories") == ["from bob"]
        (item,) = (await http.get(inside)).json()["items"]
        assert item["tags"] == [f"by:0x{BOB.hex()}"]
        full = await http.post(inside, json={"text": "x", "tags": [f"t{n}" for n in range(32)]})
        assert (full.status_code, full.json()["error"]) == (400, "bad_request"), "one more tag names its author"
        refusals = [
            await http.get(inside.replace(BOB.hex(), "c3" * 20)),
            await http.post(inside.replace(BOB.hex(), "c3" * 20), json={"text": "x"}),
            await http.get(inside.replace(session, str(uuid.UUID(int=9)))),
        ]
        assert {(refused.status_code, refused.text) for refused in refusals} == {(403, refusals[0].text)}
        await http.patch(f"{A}/sessions/{session}", json={"collaborators": []})
        assert (await http.get(inside)).status_code == 403, "no longer"

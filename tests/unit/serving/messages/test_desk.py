"""Questions over the topic: answered as over HTTP, to those who may ask, once, in time, sealed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from schemas.codec import codec
from schemas.records import Message
from streams.identity.bls import SecretKey
from streams.serving.app import create_app
from streams.serving.messages import desk as desks
from streams.serving.messages.desk import MessageDesk
from streams.serving.messages.envelope import GATEWAY, QUESTION_LIMIT, VERSION, by_writer, new_id, opened, sealed, signed
from streams.serving.messages.queries import QUERIES, type_of
from streams.serving.progress import Standing
from streams.signing import Signer, Verifier
from tests.identity import Member, member
from tests.unit.serving.world import World, upsert

WORKER = Signer(b"w" * 32)
STRANGER = Signer(b"x" * 32)
KEY = X25519PrivateKey.from_private_bytes(b"r" * 32)
ALICE, BOB = member(1), member(2)


class Topic:
    """A desk before its topic."""

    def __init__(self, world: World) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.app = create_app(world.services)
        self.desk = MessageDesk(lambda: self.app, world.access, Verifier([WORKER.public]), WORKER, self.send, lambda: self.now)
        self.now = time.time()

    async def send(self, target: str, value: bytes) -> None:
        self.sent.append((target, value))

    def question(self, query: str, who: Member = ALICE, **fields: Any) -> Message:
        return {
            "id": new_id(),
            "type": type_of(query),
            "source": "asker",
            "target": GATEWAY,
            "timestamp": int(self.now),
            "version": VERSION,
            "answers": None,
            "deadline": None,
            "agent": None,
            "reply_key": KEY.public_key().public_bytes_raw(),
            "payload": json.dumps({"query": query, "agent": who.name, **fields}).encode(),
            "signature": None,
        }

    async def put(self, message: Message, signer: Signer | SecretKey | None = WORKER) -> list[Any]:
        """What is answered to a message that ``signer`` signs."""
        whole = message if signer is None else signed(message, signer)
        return await self.put_raw(codec().encode("Message", {**whole}), message["id"])

    async def put_raw(self, value: bytes, name: bytes) -> list[Any]:
        self.sent.clear()
        self.desk.take(value)
        await asyncio.gather(*self.desk._running)
        return [self.opened(target, value, name) for target, value in self.sent]

    def opened(self, target: str, value: bytes, name: bytes) -> Any:
        kind, answer = codec().decode(value)
        assert (kind, target, answer["target"], answer["source"], answer["answers"]) == (
            "Message",
            "asker",
            "asker",
            GATEWAY,
            name,
        )
        assert by_writer(Verifier([WORKER.public]), cast("Message", answer))
        assert b"memory" not in value
        return json.loads(opened(answer["payload"], KEY, name))

    async def ask(self, query: str, signer: Signer | SecretKey = WORKER, who: Member = ALICE, **fields: Any) -> Any:
        message = self.question(query, who, **fields)
        if isinstance(signer, SecretKey):
            message["agent"] = who.agent
        (answer,) = await self.put(message, signer)
        return answer


@pytest.fixture
async def topic(world: World) -> AsyncIterator[Topic]:
    for number, who in ((1, ALICE), (2, ALICE), (3, BOB)):
        ref = world.grow()
        await world.remember(upsert(who.agent, ref, number, f"memory {number}", timestamp=number))
        await world.publish(who.agent, ref)
    world.progress.standings["memory"] = Standing({}, world.blocks[-1])
    for who in (ALICE, BOB):
        world.access.take(who.registration())
    made = Topic(world)
    yield made
    await made.desk.close()


ASKED: dict[str, dict[str, Any]] = {
    "AgentMemoryState": {},
    "MemoryHashVerification": {"expected": "0x" + "11" * 32},
    "ContextRetrieval": {"text": "memory", "filter": {"min_similarity": 0.0}},
    "StateTransition": {"from": 1},
    "CrossAgentSync": {},
    "CheckpointRequest": {},
}


@pytest.mark.parametrize("query", QUERIES)
async def test_all_six_are_answered_as_over_http(topic: Topic, query: str) -> None:
    answer = await topic.ask(query, **ASKED[query])
    assert (answer["query"], answer["status"]) == (query, 200), answer
    assert answer["body"].get("agent", ALICE.name) == ALICE.name


async def test_what_the_answers_say(topic: Topic) -> None:
    state = (await topic.ask("AgentMemoryState", types=["EPISODIC"], limit=1))["body"]
    assert (len(state["items"]), len(state["proofs"]), state["counts"]) == (1, 1, {"EPISODIC": 2})
    assert (await topic.ask("AgentMemoryState", proofs=False))["body"]["proofs"] is None
    root = state["root"]["merkle_root"]
    assert (await topic.ask("MemoryHashVerification", expected=root))["body"]["matches"]
    assert not (await topic.ask("MemoryHashVerification", expected=root, block=1))["body"]["matches"]
    changes = (await topic.ask("StateTransition", **{"from": 1, "to": 2}))["body"]["changes"]
    assert [change["merkle_root"] for change in changes] == [root]
    found = (await topic.ask("ContextRetrieval", text="memory 2", max_results=1))["body"]["items"]
    assert [item["text"] for item in found] == ["memory 2"]
    assert len((await topic.ask("ContextRetrieval", text="memory 2", max_results=1_000))["body"]["items"]) == 2
    assert (await topic.ask("ContextRetrieval", text="memory 2", max_results=1_001))["status"] == 422
    later = (await topic.ask("CrossAgentSync", mode="Incremental", since=1))["body"]
    assert ([item["text"] for item in later["items"]], len(later["live"])) == (["memory 2"], 2)
    assert len((await topic.ask("CrossAgentSync", mode="Selective", types=["EPISODIC"]))["body"]["items"]) == 2
    assert "memory" in (await topic.ask("CheckpointRequest"))["body"]["stream_agents"]


async def test_an_agent_asks_of_itself_and_of_nobody_else(topic: Topic) -> None:
    assert (await topic.ask("AgentMemoryState", ALICE.key))["status"] == 200
    message = topic.question("AgentMemoryState", BOB)
    (answer,) = await topic.put({**message, "agent": ALICE.agent}, ALICE.key)
    assert (answer["status"], answer["body"]["error"]) == (403, "forbidden")


async def test_nobody_who_is_not_known_is_answered(topic: Topic, world: World) -> None:
    message = topic.question("AgentMemoryState")
    for forged, signer in (
        (message, None),
        (message, STRANGER),
        ({**message, "agent": ALICE.agent}, WORKER),
        ({**message, "agent": ALICE.agent}, BOB.key),
        ({**message, "agent": member(9).agent}, member(9).key),
        (message, ALICE.key),
    ):
        assert await topic.put({**forged, "id": new_id()}, signer) == []  # type: ignore[typeddict-item]
    altered = {**signed(message, WORKER), "payload": message["payload"].replace(b"State", b"Stata")}
    assert await topic.put_raw(codec().encode("Message", altered), message["id"]) == []
    world.access.rows.pop(ALICE.agent)  # revoked
    assert await topic.put({**message, "id": new_id(), "agent": ALICE.agent}, ALICE.key) == []


async def test_a_message_is_taken_up_once_and_in_time(topic: Topic) -> None:
    message = topic.question("AgentMemoryState")
    assert len(await topic.put(message)) == 1
    assert await topic.put(message) == []
    now = int(1000 * topic.now)
    for late in (
        {"deadline": now - 1},
        {"timestamp": int(topic.now) - desks.SKEW - 2},
        {"timestamp": int(topic.now) + desks.SKEW + 2},
        {"version": VERSION + 1},
        {"answers": b"a" * 16},
        {"target": "somebody else"},
        {"type": "HEARTBEAT"},
    ):
        assert await topic.put({**topic.question("AgentMemoryState"), **late}) == []  # type: ignore[typeddict-item]
    assert len(await topic.put({**topic.question("AgentMemoryState"), "deadline": now + 60_000, "target": None})) == 1


async def test_ids_remembered_are_bounded(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (desks.SEEN, desks.LEAVE, desks.PATIENCE) == (10_000, 10, 5.0)
    monkeypatch.setattr(desks, "SEEN", 20)
    for number in range(21):
        assert topic.desk._first(number.to_bytes(16, "big"))
    assert len(topic.desk._seen) == 19
    assert not topic.desk._first((20).to_bytes(16, "big"))


async def test_wrong_questions_are_answered_with_what_is_wrong(topic: Topic) -> None:
    for query, fields in (
        ("Nonsense", {}),
        ("AgentMemoryState", {"limit": 0}),
        ("AgentMemoryState", {"unknown": 1}),
        ("StateTransition", {}),
        ("ContextRetrieval", {"filter": {"nonsense": 1}}),
    ):
        answer = await topic.ask(query, **fields)
        assert (answer["status"], answer["body"]["error"]) == (422, "invalid"), answer
    for fields in ({"mode": "Incremental"}, {"mode": "Selective"}, {"since": 1}):
        assert (await topic.ask("CrossAgentSync", **fields))["body"]["error"] == "bad_request"
    (answer,) = await topic.put({**topic.question("CheckpointRequest"), "payload": b"x" * (QUESTION_LIMIT + 1)})
    assert answer["body"]["error"] == "too_large"
    assert await topic.put_raw(codec().encode("Message", {**topic.question("Nonsense"), "payload": bytes(1 << 20)}), b"") == []


async def test_an_answer_too_large_is_refused(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "ANSWER_LIMIT", 100)
    assert (await topic.ask("AgentMemoryState"))["body"]["error"] == "too_large"


async def test_too_many_at_once_are_asked_for_patience(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "IN_FLIGHT", 0)
    answer = await topic.ask("AgentMemoryState")
    assert (answer["status"], answer["body"]["error"]) == (429, "rate_limited")


async def test_a_flood_is_passed_over_and_held_in_bounds(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desks.WAITING == 8 * desks.IN_FLIGHT
    monkeypatch.setattr(desks, "WAITING", 3)
    asked = [signed(topic.question("CheckpointRequest"), WORKER) for _ in range(5)]
    for message in asked:
        topic.desk.take(codec().encode("Message", {**message}))
    assert len(topic.desk._running) == 3
    await asyncio.gather(*topic.desk._running)
    assert len(topic.sent) == 3
    assert len(await topic.put(topic.question("CheckpointRequest"))) == 1


async def test_an_answer_that_takes_too_long_says_so(topic: Topic) -> None:
    async def slow(*_: Any) -> None:
        await asyncio.sleep(10)

    topic.app = slow  # type: ignore[assignment]
    message = topic.question("AgentMemoryState")
    (answer,) = await topic.put({**message, "deadline": int(1000 * topic.now) + 50})
    assert answer["status"] == 504


async def test_without_a_key_to_seal_to_there_is_no_answer(topic: Topic) -> None:
    for key in (None, bytes(32)):
        assert await topic.put({**topic.question("AgentMemoryState"), "reply_key": key}) == []


def test_an_answer_opens_only_for_its_question() -> None:
    request = cast("Message", {"id": b"a" * 16, "reply_key": KEY.public_key().public_bytes_raw()})
    wire = sealed(b"swapped eth", request)
    assert opened(wire, KEY, b"a" * 16) == b"swapped eth"
    other = X25519PrivateKey.generate()
    for key, name, bytes_ in (
        (other, b"a" * 16, wire),
        (KEY, b"b" * 16, wire),
        (KEY, b"a" * 16, wire[:-1]),
        (KEY, b"a" * 16, b""),
    ):
        with pytest.raises(ValueError, match=r"open|bytes|32"):
            opened(bytes_, key, name)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.serving.messages.envelope.LARGEST", 1_000)
    request = cast("Message", {"id": b"a" * 16, "reply_key": KEY.public_key().public_bytes_raw()})
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        opened(sealed(bytes(1_000_000), request), KEY, b"a" * 16)


async def test_messages_are_counted_by_kinds_of_writer_and_target_and_by_type(topic: Topic) -> None:
    def count(*labels: str) -> float:
        return float(desks.READ.labels(*labels)._value.get())

    cases: list[tuple[str, str | None, tuple[str, str]]] = [
        ("client-1f", GATEWAY, ("client", "gateway")),
        (GATEWAY, "client-1f", ("gateway", "client")),
        ("somebody", None, ("other", "everybody")),
    ]
    before = [count(*kinds, "STATE_SYNC") for _, _, kinds in cases]
    for source, target, _ in cases:
        payload = bytes(2 * QUESTION_LIMIT) if source == GATEWAY else b"{}"  # an answer is larger than any question
        message = {**topic.question("AgentMemoryState"), "source": source, "target": target, "payload": payload}
        topic.desk.take(codec().encode("Message", message))
    await asyncio.gather(*topic.desk._running)
    assert [count(*kinds, "STATE_SYNC") - was for (_, _, kinds), was in zip(cases, before, strict=True)] == [1, 1, 1]

"""``monmouth graph`` against a gateway's application, with the answers in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli import graph as command
from streams.serving.calls import Call
from streams.serving.graph.client import Graph
from streams.settings import Settings
from tests.unit.serving.world import ALICE, BOB

A, B = f"0x{ALICE.hex()}", f"0x{BOB.hex()}"
POINT = {"block": None, "time": 0, "head": None}
FEEDBACK = {"count": 2, "clients": 2, "mean": 0.7, "revoked": 0, "responses": 0}
IDENTITY = {
    "registry": B, "agent_id": "7", "owner": A, "wallet": None, "uri": "ipfs://card", "capabilities": ["swap"],
    "feedback": FEEDBACK,
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "neighbours": {
        "node": A, "as_of": POINT, "items": [{"node": B, "kind": "AGENT", "depth": 1, "through": A, "weight": 0.5}],
    },
    "path": {"nodes": [A, B], "relationship": "PEER", "as_of": POINT},
    "profile": {
        "agent": A, "transactions": 3, "failures": 1, "reputation": 0.5, "specialisation": "whale", "whale": 2,
        "complex_ops": 0, "standard": 1, "gas": 1, "volume": 2.0, "first_seen": 0, "last_seen": 60, "identities": [IDENTITY],
    },
    "top": {"by": "trust", "as_of": POINT, "items": [{"node": B, "kind": "AGENT", "rank": 0.25, "influence": 1.0}]},
}  # fmt: skip


class Gateway:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.graph = Graph(self.send)  # type: ignore[arg-type]

    def send(self, call: Call[Any]) -> Any:
        self.asked.append(call.target)
        name = next(name for name in ANSWERS if f"/{name}" in call.path)
        return call.answer.model_validate(ANSWERS[name])


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()

    @contextmanager
    def opened(*_: object) -> Iterator[Gateway]:
        yield made

    monkeypatch.setattr(command, "gateway_client", opened)
    monkeypatch.setenv("COLUMNS", "200")
    return made


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command.graph, arguments, obj=Settings(), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("arguments", "asked", "shown"),
    [
        (("neighbours", A, "--depth", "2"), f"/v1/graph/{A}/neighbours?depth=2&limit=20", (B, "0.500")),
        (("path", A, B, "--as-of", "9"), f"/v1/graph/{A}/path/{B}?as_of_block=9", (A, B, "a peer")),
        (("path", A, B, "--as-of-time", "1970-01-01T00:01:00Z"), f"/v1/graph/{A}/path/{B}?as_of_time=60", (A, B)),
        (
            ("top", "--as-of-block", "9", "--as-of-time", "60"),
            "/v1/graph/top?by=pagerank&limit=20&as_of_block=9&as_of_time=60",
            (B,),
        ),
        (("profile", A), f"/v1/graph/{A}/profile", ("reputation 0.500, whale", "1 failed", "mean 0.7 of 2, swap")),
        (("top", "--seed", A, "-n", "5"), f"/v1/graph/top?by=trust&seed={A}&limit=5", (B, "0.2500")),
    ],
)
def test_each_question_is_asked_and_shown(
    gateway: Gateway, arguments: tuple[str, ...], asked: str, shown: tuple[str, ...]
) -> None:
    out = run(*arguments)
    assert gateway.asked == [asked]
    assert all(text in out for text in shown), out
    assert json.loads(run(*arguments, "--json")) == ANSWERS[arguments[0]]

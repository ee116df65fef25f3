"""The six questions about an agent's state, as calls of the gateway. Names and fields are those of the protocol.

Invariant: a question becomes exactly one call, so whatever HTTP refuses, or limits, is refused and limited here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from schemas.records import MemoryType, MessageType
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.calls import Call
from streams.serving.faults import BadRequestError, Refusal
from streams.serving.wire import RESULTS_LIMIT

MemoryTypes = Annotated[list[MemoryType], Field(max_length=6)]
Height = Annotated[int, Field(ge=0, lt=1 << 63)]
Limit = Annotated[int, Field(ge=1, le=1_000)]
Text = Annotated[str, Field(max_length=4_096)]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")
    agent: Annotated[str, Field(max_length=64)]

    def path(self, rest: str) -> str:
        """Below the agent."""
        return f"/v1/agents/{to_hex(parse_agent(self.agent))}{rest}"


class AgentMemoryState(_Question):
    """The published root and the memories that make it. Proofs unless told."""

    query: Literal["AgentMemoryState"]
    types: MemoryTypes | None = None
    proofs: bool = True
    limit: Limit = 100

    def call(self) -> Call[Any]:
        params = {"type": self.types, "proofs": str(self.proofs).lower(), "limit": self.limit}
        return Call("GET", self.path("/state"), BaseModel, params)


class MemoryHashVerification(_Question):
    """Whether the state has, or had at a block, a checksum or root."""

    query: Literal["MemoryHashVerification"]
    expected: Annotated[str, Field(max_length=80)]
    block: Height | None = None

    def call(self) -> Call[Any]:
        return Call("GET", self.path("/state/verification"), BaseModel, {"expected": self.expected, "block": self.block})


class ContextRetrieval(_Question):
    """The memories nearest to a question, within a window of blocks or kinds. ``filter``: as in a query over HTTP."""

    query: Literal["ContextRetrieval"]
    text: Text | None = None
    max_results: Annotated[int, Field(ge=1, le=RESULTS_LIMIT)] = 10
    filter: dict[str, Any] = Field(default_factory=dict)

    def call(self) -> Call[Any]:
        asked = {**self.filter, "max_results": self.max_results} | ({} if self.text is None else {"query": self.text})
        return Call("POST", self.path("/query"), BaseModel, body=orjson.dumps(asked))


class StateTransition(_Question):
    """How the root changed between two blocks."""

    query: Literal["StateTransition"]
    start: Annotated[Height, Field(alias="from")]
    end: Annotated[Height | None, Field(alias="to")] = None
    limit: Limit = 1_000

    def call(self) -> Call[Any]:
        params = {"from": self.start, "to": self.end, "limit": self.limit}
        return Call("GET", self.path("/state/transitions"), BaseModel, params)


class CrossAgentSync(_Question):
    """What a replica needs: all of it, what came after a block (Incremental), or some types (Selective)."""

    query: Literal["CrossAgentSync"]
    mode: Literal["Full", "Incremental", "Selective"] = "Full"
    since: Height | None = None
    types: MemoryTypes | None = None
    cursor: Annotated[str | None, Field(max_length=128)] = None
    limit: Limit = 1_000

    def call(self) -> Call[Any]:
        wrong = {
            "Full": self.since is not None or self.types is not None,
            "Incremental": self.since is None or self.types is not None,
            "Selective": self.types is None,
        }
        if wrong[self.mode]:
            raise BadRequestError(f"{self.mode} does not go with these fields", "Incremental has since, Selective types.")
        params = {"since": self.since, "type": self.types, "cursor": self.cursor, "limit": self.limit}
        return Call("GET", self.path("/sync"), BaseModel, params)


class CheckpointRequest(_Question):
    """Where the stream agents of the agent's partition stand."""

    query: Literal["CheckpointRequest"]

    def call(self) -> Call[Any]:
        return Call("GET", self.path("/checkpoint"), BaseModel)


Query = Annotated[
    AgentMemoryState | MemoryHashVerification | ContextRetrieval | StateTransition | CrossAgentSync | CheckpointRequest,
    Field(discriminator="query"),
]
_QUERY: TypeAdapter[Any] = TypeAdapter(Query)
QUERIES = (
    "AgentMemoryState",
    "MemoryHashVerification",
    "ContextRetrieval",
    "StateTransition",
    "CrossAgentSync",
    "CheckpointRequest",
)


def type_of(query: str, *, answer: bool = False) -> MessageType:
    """The type of message that a question, or its answer, comes in."""
    if query == "ContextRetrieval":
        return "CONTEXT_RESPONSE" if answer else "CONTEXT_REQUEST"
    return "STATE_SYNC"


def call_of(wire: bytes) -> tuple[str, Call[Any]]:
    """Name and call of a question. Raises Refusal."""
    try:
        question = _QUERY.validate_json(wire)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise Invalid(faults[:500], f"Questions are {', '.join(QUERIES)}.") from None
    return question.query, question.call()


class Invalid(Refusal):
    """A question that is none."""

    status = 422
    error = "invalid"

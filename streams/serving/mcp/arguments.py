"""Arguments that several tools take, described for models; and what a host may want to know before it lets one use a tool."""

from __future__ import annotations

from typing import Annotated

from mcp_types import ToolAnnotations
from pydantic import Field

from streams.serving.wire import CONTENT_LIMIT, QUERY_LIMIT, RESULTS_LIMIT, TAGS_LIMIT, WAIT_LIMIT
from streams.serving.wire.base import EDGES_LIMIT

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
ENDS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)

AgentArg = Annotated[
    str | None, Field(description="Address of the agent, 0x and 40 hex digits. Omit it to use the agent this server is for.")
]
MemoryIdArg = Annotated[str, Field(description="Id of the memory, 0x and 64 hex digits, as other tools return it.")]
MemoryIdsArg = Annotated[
    list[str], Field(min_length=1, max_length=EDGES_LIMIT, description="Ids of the memories meant, as other tools return them.")
]
ContentArg = Annotated[str, Field(min_length=1, max_length=CONTENT_LIMIT, description="What to remember, in plain words.")]
WaitArg = Annotated[
    float, Field(ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show the effect; 0 returns at once.")
]
CommandIdArg = Annotated[
    str | None, Field(description="A UUID. Repeat the same one when you retry, so that nothing happens twice.")
]
QuestionArg = Annotated[str, Field(min_length=1, max_length=QUERY_LIMIT, description="The question, in plain words.")]
ImportanceArg = Annotated[float, Field(ge=0, le=1, description="0 trivial, 1 vital; raises it a little in results.")]
TagsArg = Annotated[list[str] | None, Field(max_length=TAGS_LIMIT, description="Labels to find it by.")]
ResultsArg = Annotated[int, Field(ge=1, le=RESULTS_LIMIT)]
MinSimilarityArg = Annotated[float | None, Field(ge=-1, le=1, description="Least cosine of a memory.")]
TokensArg = Annotated[int | None, Field(ge=1, description="Most tokens of all texts together.")]
AsOfBlockArg = Annotated[int | None, Field(ge=0, description="Answer by what was known at this block.")]
AsOfTimeArg = Annotated[int | None, Field(description="Answer by what was known at this time; unix seconds.")]
ValidAtArg = Annotated[int | None, Field(description="What was true at this time; unix seconds. Omit it for now.")]

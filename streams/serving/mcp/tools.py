"""The tools: each is one call of the gateway, with words that a model can choose it by.

Invariant: nothing is decided here. Limits, rights and what is true are the gateway's; a tool names, describes and passes on.
The descriptions are read by models: they say when to use a tool and what comes back, not how it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from schemas.records import MemoryType
from streams.core.graph.search import MAX_DEPTH
from streams.serving.mcp.caller import Caller, the_agent
from streams.serving.wire import (
    CONTENT_LIMIT,
    LIST_LIMIT,
    QUERY_LIMIT,
    RESULTS_LIMIT,
    TAGS_LIMIT,
    WAIT_LIMIT,
    ChainState,
    IntentView,
    MemoryList,
    MemoryView,
    Receipt,
    RootView,
)
from streams.serving.wire import Context as Found
from streams.serving.wire.base import EDGES_LIMIT
from streams.serving.wire.graph import InsightsView, Neighbours

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


class Proven(BaseModel):
    """What the proof shows; it was checked before this answer was given."""

    memory_id: str
    present: bool = Field(description="Whether the memory is among the agent's live memories.")
    merkle_root: str = Field(description="The published root the proof leads to.")
    count: int = Field(description="Live memories under that root.")
    proof: dict[str, Any] = Field(description="The document, which anybody can check offline: monmouth proof verify.")


class Tools:
    """Methods are tools; their signatures are the schemas."""

    def __init__(self, caller: Caller, agent: str | None) -> None:
        """``agent``: whom calls are about that name nobody."""
        self._caller = caller
        self._agent = agent

    async def store_memory(  # noqa: PLR0917  (arguments are the tool's schema)
        self,
        ctx: Context,
        content: Annotated[str, Field(min_length=1, max_length=CONTENT_LIMIT, description="What to remember, in plain words.")],
        agent: AgentArg = None,
        type: Annotated[  # noqa: A002  (the API's name)
            MemoryType,
            Field(
                description="EPISODIC: what happened. SEMANTIC: a fact. PROCEDURAL: how to do something. LONG_TERM: anything "
                "worth keeping. WORKING, SHORT_TERM: of the task at hand."
            ),
        ] = "LONG_TERM",
        importance: Annotated[float, Field(ge=0, le=1, description="0 trivial, 1 vital; raises it a little in results.")] = 0.5,
        tags: Annotated[list[str] | None, Field(max_length=TAGS_LIMIT, description="Labels to find it by.")] = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Remember something about an agent for good: a preference, a decision, a fact, an outcome. Store one statement per
        call, written so that it makes sense on its own. Returns the memory's id; `visible` says whether reads show it already.
        """
        return await self._caller(ctx).store(
            the_agent(agent, self._agent),
            content,
            type=type,
            importance=importance,
            tags=tags or (),
            command_id=command_id,
            wait=wait,
        )

    async def query_context(  # noqa: PLR0917
        self,
        ctx: Context,
        query: Annotated[str, Field(min_length=1, max_length=QUERY_LIMIT, description="The question, in plain words.")],
        agent: AgentArg = None,
        max_results: Annotated[int, Field(ge=1, le=RESULTS_LIMIT)] = 10,
        min_similarity: Annotated[float | None, Field(ge=-1, le=1, description="Least cosine of a memory.")] = None,
        max_tokens: Annotated[int | None, Field(ge=1, description="Most tokens of all texts together.")] = None,
    ) -> Found:
        """Find what an agent remembers that bears on a question, best first. Use this before answering anything that may depend
        on what happened before. Each item cites where it comes from: a transaction in a block, or a stored command. Nothing
        that a chain reorganisation took back is ever returned.
        """
        return await self._caller(ctx).query_context(
            the_agent(agent, self._agent), query, max_results, min_similarity=min_similarity, max_tokens=max_tokens
        )

    async def list_memories(  # noqa: PLR0917
        self,
        ctx: Context,
        agent: AgentArg = None,
        types: Annotated[list[MemoryType] | None, Field(description="Only of these kinds.")] = None,
        tags: Annotated[list[str] | None, Field(description="Only with any of these labels.")] = None,
        min_importance: Annotated[float, Field(ge=0, le=1)] = 0.0,
        since: Annotated[int | None, Field(description="Unix seconds, inclusive.")] = None,
        until: Annotated[int | None, Field(description="Unix seconds, inclusive.")] = None,
        limit: Annotated[int, Field(ge=1, le=LIST_LIMIT)] = 20,
    ) -> MemoryList:
        """List an agent's memories, newest first. Use it to browse by kind, label or time; use query_context to search by
        meaning.
        """
        return await self._caller(ctx).retrieve(
            the_agent(agent, self._agent),
            types=types or (),
            tags=tags or (),
            min_importance=min_importance,
            since=since,
            until=until,
            limit=limit,
        )

    async def get_memory(self, ctx: Context, memory_id: MemoryIdArg, agent: AgentArg = None) -> MemoryView:
        """Read one memory whole, with its source: text or bytes, kind, importance, labels, time."""
        return await self._caller(ctx).get(the_agent(agent, self._agent), memory_id)

    async def forget_memory(
        self,
        ctx: Context,
        memory_id: MemoryIdArg,
        agent: AgentArg = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Forget a memory: it is in no answer any more. This cannot be taken back. `visible` says whether reads show the effect
        already.
        """
        return await self._caller(ctx).forget(the_agent(agent, self._agent), memory_id, command_id=command_id, wait=wait)

    async def supersede_memory(  # noqa: PLR0917
        self,
        ctx: Context,
        memory_ids: MemoryIdsArg,
        content: ContentArg,
        agent: AgentArg = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Replace memories that have become outdated by a new one: what was said stays on record with the time it was true. Use
        this instead of forget_memory when something changed; use invalidate_memory when nothing takes its place.
        """
        agent = the_agent(agent, self._agent)
        return await self._caller(ctx).supersede(agent, memory_ids, content, command_id=command_id, wait=wait)

    async def merge_memories(  # noqa: PLR0917
        self,
        ctx: Context,
        memory_ids: MemoryIdsArg,
        content: ContentArg,
        agent: AgentArg = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Put one memory in the place of several that say the same or belong together; it must say all that they said."""
        agent = the_agent(agent, self._agent)
        return await self._caller(ctx).merge(agent, memory_ids, content, command_id=command_id, wait=wait)

    async def invalidate_memory(  # noqa: PLR0917
        self,
        ctx: Context,
        memory_ids: MemoryIdsArg,
        reason: Annotated[str, Field(max_length=500, description="Why it is no longer true, in a few words.")] = "",
        agent: AgentArg = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Say that memories are no longer true. They are in no answer any more, unless one asks about the time before."""
        agent = the_agent(agent, self._agent)
        return await self._caller(ctx).invalidate(agent, memory_ids, reason, command_id=command_id, wait=wait)

    async def link_memories(  # noqa: PLR0917
        self,
        ctx: Context,
        source: MemoryIdArg,
        target: MemoryIdArg,
        relation: Annotated[str, Field(max_length=64, description="What the first is to the second: causes, ...")] = "",
        strength: Annotated[float, Field(ge=0, le=1)] = 1.0,
        agent: AgentArg = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Say that two memories of an agent belong together, and how."""
        agent = the_agent(agent, self._agent)
        return await self._caller(ctx).link(
            agent, source, target, relation, strength=strength, command_id=command_id, wait=wait
        )

    async def prove_memory(self, ctx: Context, memory_id: MemoryIdArg, agent: AgentArg = None) -> Proven:
        """Prove that a memory is, or is not, among an agent's memories under its published root. The proof is checked before it
        is returned, and anybody can check it again offline.
        """
        name = the_agent(agent, self._agent)
        client = self._caller(ctx)
        answer = await client.proof(name, memory_id)
        if answer.present:
            await client.proof(name, memory_id, memory=await client.get(name, memory_id))
        root = answer.root
        return Proven(
            memory_id=answer.memory_id,
            present=answer.present,
            merkle_root=root.merkle_root,
            count=root.count,
            proof=answer.proof,
        )

    async def parse_intent(
        self,
        ctx: Context,
        transaction: Annotated[
            dict[str, Any], Field(description="A transaction as eth_getTransactionByHash prints it: from, to, value, input.")
        ],
    ) -> IntentView:
        """Say what an EVM transaction asks for: a transfer, a swap, a vote, and with which arguments. Nothing is stored."""
        return await self._caller(ctx).parse_intent(transaction)

    async def agent_state(self, ctx: Context, agent: AgentArg = None) -> RootView:
        """How many live memories an agent has, and the root they were published under."""
        return await self._caller(ctx).root(the_agent(agent, self._agent))

    async def agent_insights(self, ctx: Context, agent: AgentArg = None) -> InsightsView:
        """What an agent's newest transactions say of it: trend, rhythm, risk, trust. Use it before you deal with an unknown
        address, or to sum up how an agent has been doing.
        """
        return await self._caller(ctx).graph.insights(the_agent(agent, self._agent))

    async def agent_neighbours(
        self,
        ctx: Context,
        agent: AgentArg = None,
        depth: Annotated[int, Field(ge=1, le=MAX_DEPTH, description="Steps away.")] = 1,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> Neighbours:
        """Whom an agent deals with on the chain: accounts and contracts within a few steps, the strongest ties first."""
        return await self._caller(ctx).graph.neighbours(the_agent(agent, self._agent), depth=depth, limit=limit)

    async def chain_state(self, ctx: Context) -> ChainState:
        """The chain's head and finality as the memories reflect them, and the latest reorganisations."""
        return await self._caller(ctx).chain()

    def all(self) -> list[tuple[Callable[..., Any], ToolAnnotations]]:
        """Every tool with what a host may want to know before it lets a model use it."""
        reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
        adds = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
        ends = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
        return [
            (self.query_context, reads),
            (self.store_memory, adds),
            (self.list_memories, reads),
            (self.get_memory, reads),
            (self.forget_memory, ends),
            (self.supersede_memory, adds),
            (self.merge_memories, adds),
            (self.invalidate_memory, adds),
            (self.link_memories, adds),
            (self.prove_memory, reads),
            (self.parse_intent, reads),
            (self.agent_state, reads),
            (self.agent_insights, reads),
            (self.agent_neighbours, reads),
            (self.chain_state, reads),
        ]

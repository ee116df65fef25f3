"""The tools: each is one call of the gateway, with words that a model can choose it by.

Invariant: nothing is decided here. Limits, rights and what is true are the gateway's; a tool names, describes and passes on.
The descriptions are read by models: they say when to use a tool and what comes back, not how it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from schemas.records import MemoryType
from streams.core.graph.search import MAX_DEPTH
from streams.serving.mcp.arguments import (
    ADDS,
    ENDS,
    READS,
    AgentArg,
    AsOfBlockArg,
    AsOfTimeArg,
    CommandIdArg,
    ContentArg,
    ImportanceArg,
    MemoryIdArg,
    MemoryIdsArg,
    MinSimilarityArg,
    ResultsArg,
    TagsArg,
    TokensArg,
    ValidAtArg,
    WaitArg,
)
from streams.serving.mcp.caller import Bound, the_agent
from streams.serving.wire import (
    LIST_LIMIT,
    QUERY_LIMIT,
    ChainState,
    IntentView,
    MemoryList,
    MemoryView,
    Receipt,
    RootView,
    WindowShape,
)
from streams.serving.wire import Context as Found
from streams.serving.wire.graph import InsightsView, Neighbours


class Proven(BaseModel):
    """What the proof shows; it was checked before this answer was given."""

    memory_id: str
    present: bool = Field(description="Whether the memory is among the agent's live memories.")
    merkle_root: str = Field(description="The published root the proof leads to.")
    count: int = Field(description="Live memories under that root.")
    proof: dict[str, Any] = Field(description="The document, which anybody can check offline: monmouth proof verify.")


class Tools(Bound):
    """Methods are tools; their signatures are the schemas."""

    async def store_memory(  # noqa: PLR0917  (arguments are the tool's schema)
        self,
        ctx: Context,
        content: ContentArg,
        agent: AgentArg = None,
        type: Annotated[  # noqa: A002  (the API's name)
            MemoryType,
            Field(
                description="EPISODIC: what happened. SEMANTIC: a fact. PROCEDURAL: how to do something. LONG_TERM: anything "
                "worth keeping. WORKING, SHORT_TERM: of the task at hand."
            ),
        ] = "LONG_TERM",
        importance: ImportanceArg = 0.5,
        tags: TagsArg = None,
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
        query: Annotated[
            str | None,
            Field(
                min_length=1, max_length=QUERY_LIMIT, description="The question, in plain words; none reads the window itself."
            ),
        ] = None,
        agent: AgentArg = None,
        max_results: ResultsArg = 10,
        min_similarity: MinSimilarityArg = None,
        max_tokens: TokensArg = None,
        window: Annotated[
            WindowShape | None,
            Field(
                description="Which memories to draw on. temporal: the newest seconds; actions: of the newest transactions; "
                "semantic: those with any of some tags; priority: those of at least an importance."
            ),
        ] = None,
        cursor: Annotated[
            str | None,
            Field(max_length=128, description="Without a query: `next` of the answer before, to walk on to older ones."),
        ] = None,
        as_of_block: AsOfBlockArg = None,
        as_of_time: AsOfTimeArg = None,
        valid_at: ValidAtArg = None,
    ) -> Found:
        """Find what an agent remembers that bears on a question, best first. Use this before answering anything that may depend
        on what happened before. Each item cites where it comes from: a transaction in a block, or a stored command. Nothing
        that a chain reorganisation took back is ever returned. With a window and no query it reads the window, newest first.
        """
        return await self._caller(ctx).query_context(
            the_agent(agent, self._agent),
            query,
            max_results,
            min_similarity=min_similarity,
            max_tokens=max_tokens,
            window=None if window is None else window.model_dump(),
            cursor=cursor,
            as_of_block=as_of_block,
            as_of_time=as_of_time,
            valid_at=valid_at,
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
        order: Annotated[
            Literal["newest", "oldest"], Field(description="Which come first, and are within the limit.")
        ] = "newest",
        as_of_block: AsOfBlockArg = None,
        as_of_time: AsOfTimeArg = None,
        valid_at: ValidAtArg = None,
    ) -> MemoryList:
        """List an agent's memories, newest first unless told. Use it to browse by kind, label or time; use query_context to
        search by meaning.
        """
        return await self._caller(ctx).retrieve(
            the_agent(agent, self._agent),
            types=types or (),
            tags=tags or (),
            min_importance=min_importance,
            since=since,
            until=until,
            limit=limit,
            order=order,
            as_of_block=as_of_block,
            as_of_time=as_of_time,
            valid_at=valid_at,
        )

    async def get_memory(  # noqa: PLR0917
        self,
        ctx: Context,
        memory_id: MemoryIdArg,
        agent: AgentArg = None,
        as_of_block: AsOfBlockArg = None,
        as_of_time: AsOfTimeArg = None,
        valid_at: ValidAtArg = None,
    ) -> MemoryView:
        """Read one memory whole, with its source: text or bytes, kind, importance, labels, time."""
        return await self._caller(ctx).get(
            the_agent(agent, self._agent), memory_id, as_of_block=as_of_block, as_of_time=as_of_time, valid_at=valid_at
        )

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
        return [
            (self.query_context, READS),
            (self.store_memory, ADDS),
            (self.list_memories, READS),
            (self.get_memory, READS),
            (self.forget_memory, ENDS),
            (self.supersede_memory, ADDS),
            (self.merge_memories, ADDS),
            (self.invalidate_memory, ADDS),
            (self.link_memories, ADDS),
            (self.prove_memory, READS),
            (self.parse_intent, READS),
            (self.agent_state, READS),
            (self.agent_insights, READS),
            (self.agent_neighbours, READS),
            (self.chain_state, READS),
        ]

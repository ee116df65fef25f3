"""The tools about sessions, and about what other agents share; as ``tools``, each is one call of the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations
from pydantic import Field

from schemas.records import MemoryType
from streams.core.session import LONGEST_SECONDS, LONGEST_TEXT, MEMORIES, MOST_COLLABORATORS
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
    MinSimilarityArg,
    QuestionArg,
    ResultsArg,
    TagsArg,
    TokensArg,
    ValidAtArg,
    WaitArg,
)
from streams.serving.mcp.caller import Bound, the_agent
from streams.serving.wire import LIST_LIMIT, MemoryList, Receipt, SessionList, SessionView
from streams.serving.wire import Context as Found
from streams.serving.wire.shared import OWNERS_LIMIT, SharedContext

SessionArg = Annotated[str, Field(description="Id of the session, a UUID, as open_session returns it.")]
OwnerArg = Annotated[
    str | None,
    Field(
        description="Address of the agent whose session it is, where the agent takes part in another's. Omit it for its own."
    ),
]


class SessionTools(Bound):
    """Methods are tools; their signatures are the schemas."""

    async def open_session(  # noqa: PLR0917  (arguments are the tool's schema)
        self,
        ctx: Context,
        goal: Annotated[str | None, Field(max_length=LONGEST_TEXT, description="What the task is to achieve.")] = None,
        context: Annotated[str | None, Field(max_length=LONGEST_TEXT, description="What it is about.")] = None,
        seconds: Annotated[
            int | None, Field(ge=1, le=LONGEST_SECONDS, description="How long it lasts; an hour unless told.")
        ] = None,
        max_memories: Annotated[int | None, Field(ge=1, le=MEMORIES, description="Most memories; the oldest go first.")] = None,
        collaborators: Annotated[
            list[str] | None,
            Field(max_length=MOST_COLLABORATORS, description="Addresses of agents that may read, ask and store."),
        ] = None,
        promote: Annotated[
            bool | None, Field(description="Whether its memories stay when it ends; they do unless told.")
        ] = None,
        session_id: Annotated[str | None, Field(description="A UUID. Repeat the same one when you retry.")] = None,
        agent: AgentArg = None,
        wait: WaitArg = 5,
    ) -> SessionView:
        """Open a session: a place for what matters for the task at hand. What is stored there shows there alone; when it is
        closed, its memories become lasting ones or are deleted. At most five are open; one more ends the oldest.
        """
        return await self._caller(ctx).open_session(
            the_agent(agent, self._agent),
            session_id=session_id,
            goal=goal,
            context=context,
            seconds=seconds,
            max_memories=max_memories,
            collaborators=collaborators,
            promote=promote,
            wait=wait,
        )

    async def list_sessions(self, ctx: Context, agent: AgentArg = None) -> SessionList:
        """List an agent's open sessions and the last that ended, newest first: goal, time left, how much they hold."""
        return await self._caller(ctx).list_sessions(the_agent(agent, self._agent))

    async def store_in_session(  # noqa: PLR0917
        self,
        ctx: Context,
        session_id: SessionArg,
        content: ContentArg,
        owner: OwnerArg = None,
        agent: AgentArg = None,
        type: Annotated[  # noqa: A002  (the API's name)
            MemoryType,
            Field(description="WORKING: of this task. SEMANTIC, EPISODIC: a fact, an event; kept as such afterwards."),
        ] = "WORKING",
        importance: ImportanceArg = 0.5,
        tags: TagsArg = None,
        command_id: CommandIdArg = None,
        wait: WaitArg = 5,
    ) -> Receipt:
        """Note something in a session, one statement a call. It is in no other answer until the session is closed."""
        client, name = self._caller(ctx), the_agent(agent, self._agent)
        said: dict[str, Any] = {
            "type": type,
            "importance": importance,
            "tags": tags or (),
            "command_id": command_id,
            "wait": wait,
        }
        if owner is not None:
            return await client.store_in_shared_session(name, owner, session_id, content, **said)
        return await client.store_in_session(name, session_id, content, **said)

    async def read_session(  # noqa: PLR0917
        self,
        ctx: Context,
        session_id: SessionArg,
        owner: OwnerArg = None,
        agent: AgentArg = None,
        limit: Annotated[int, Field(ge=1, le=LIST_LIMIT)] = 100,
        as_of_block: AsOfBlockArg = None,
        as_of_time: AsOfTimeArg = None,
    ) -> MemoryList:
        """Read what a session holds, newest first; of one that ended nothing. Use query_session to find something in it."""
        client, name = self._caller(ctx), the_agent(agent, self._agent)
        more: dict[str, Any] = {"limit": limit, "as_of_block": as_of_block, "as_of_time": as_of_time}
        if owner is not None:
            return await client.shared_session_memories(name, owner, session_id, **more)
        return await client.retrieve_from_session(name, session_id, **more)

    async def query_session(  # noqa: PLR0917
        self,
        ctx: Context,
        session_id: SessionArg,
        query: QuestionArg,
        owner: OwnerArg = None,
        agent: AgentArg = None,
        max_results: ResultsArg = 10,
        min_similarity: MinSimilarityArg = None,
        max_tokens: TokensArg = None,
        as_of_block: AsOfBlockArg = None,
        as_of_time: AsOfTimeArg = None,
        valid_at: ValidAtArg = None,
    ) -> Found:
        """Find what a session holds that bears on a question, best first. Nothing from outside of the session is looked at."""
        client, name = self._caller(ctx), the_agent(agent, self._agent)
        more: dict[str, Any] = {
            "min_similarity": min_similarity,
            "max_tokens": max_tokens,
            "as_of_block": as_of_block,
            "as_of_time": as_of_time,
            "valid_at": valid_at,
        }
        if owner is not None:
            return await client.query_shared_session(name, owner, session_id, query, max_results, **more)
        return await client.query_session(name, session_id, query, max_results, **more)

    async def merge_sessions(
        self,
        ctx: Context,
        session_id: SessionArg,
        other_id: Annotated[str, Field(description="Id of the session whose memories go over; it ends.")],
        agent: AgentArg = None,
        wait: WaitArg = 5,
    ) -> SessionView:
        """Take what another session of the agent holds over into this one. The other one ends."""
        return await self._caller(ctx).merge_session(the_agent(agent, self._agent), session_id, other_id, wait=wait)

    async def close_session(
        self,
        ctx: Context,
        session_id: SessionArg,
        promote: Annotated[
            bool | None,
            Field(description="True: its memories stay for good. False: they are deleted. Omit it: as it was opened."),
        ] = None,
        agent: AgentArg = None,
        wait: WaitArg = 5,
    ) -> SessionView:
        """End a session when the task is done. This cannot be taken back."""
        return await self._caller(ctx).close_session(the_agent(agent, self._agent), session_id, promote=promote, wait=wait)

    async def query_shared(  # noqa: PLR0917
        self,
        ctx: Context,
        query: QuestionArg,
        owners: Annotated[
            list[str] | None,
            Field(max_length=OWNERS_LIMIT, description="Addresses of the agents to ask of; omit it for all who share."),
        ] = None,
        agent: AgentArg = None,
        max_results: ResultsArg = 10,
        min_similarity: MinSimilarityArg = None,
        max_tokens: TokensArg = None,
        as_of_block: AsOfBlockArg = None,
        as_of_time: AsOfTimeArg = None,
        valid_at: ValidAtArg = None,
    ) -> SharedContext:
        """Find what bears on a question among the agent's own memories and those that others let it read; each names its
        owner. Anybody may share with anybody: trust an item as far as its owner.
        """
        return await self._caller(ctx).query_shared(
            the_agent(agent, self._agent),
            query,
            owners,
            max_results,
            min_similarity=min_similarity,
            max_tokens=max_tokens,
            as_of_block=as_of_block,
            as_of_time=as_of_time,
            valid_at=valid_at,
        )

    def all(self) -> list[tuple[Callable[..., Any], ToolAnnotations]]:
        """Every tool with what a host may want to know before it lets a model use it."""
        return [
            (self.query_shared, READS),
            (self.open_session, ADDS),
            (self.list_sessions, READS),
            (self.store_in_session, ADDS),
            (self.read_session, READS),
            (self.query_session, READS),
            (self.merge_sessions, ENDS),
            (self.close_session, ENDS),
        ]

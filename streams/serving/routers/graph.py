"""The knowledge graph: who deals with whom, how well, and what follows from it. Made of what the chain tells everybody."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from streams.core.graph.patterns import PatternKind, influence, patterns, relationship
from streams.core.graph.search import MAX_DEPTH, neighbourhood, path
from streams.serving.addresses import parse_agent, parse_node, to_hex
from streams.serving.faults import BadRequestError, NotFoundError
from streams.serving.graph.reads import Moment, Picture
from streams.serving.services import AgentParam, Served
from streams.serving.wire import Block
from streams.serving.wire.graph import (
    EdgeList,
    EdgeView,
    GraphPoint,
    IdentityList,
    IdentityView,
    InsightsView,
    Neighbour,
    Neighbours,
    PathView,
    PatternList,
    PatternView,
    ProfileView,
    RankList,
    RankView,
    part,
)

router = APIRouter(prefix="/v1/graph", tags=["graph"])

GRAPH_LIMIT = 200
SEEDS_LIMIT = 32


async def _node(
    node: Annotated[str, Path(description="An address, or an identity: registry and number, 104 hex digits.")],
) -> bytes:
    return parse_node(node)


async def _other(other: Annotated[str, Path(description="The other end.")]) -> bytes:
    return parse_node(other)


async def _moment(
    as_of_block: Annotated[int | None, Query(ge=0, le=2**53, description="As it was at this height; none: now.")] = None,
    as_of_time: Annotated[int | None, Query(ge=0, le=2**53, description="As it was at this block time, in seconds.")] = None,
) -> Moment:
    return Moment(as_of_block, as_of_time)


NodeParam = Annotated[bytes, Depends(_node)]
OtherParam = Annotated[bytes, Depends(_other)]
MomentParam = Annotated[Moment, Depends(_moment)]
LimitParam = Annotated[int, Query(ge=1, le=GRAPH_LIMIT, description="Most items to list.")]


def _point(moment: Moment, picture: Picture) -> GraphPoint:
    return GraphPoint(block=moment.block, time=picture.time, head=Block.of(picture.head))


@router.get("/top", operation_id="graph_top")
async def graph_top(
    served: Served,
    moment: MomentParam,
    by: Annotated[Literal["pagerank", "trust"], Query(description="trust: EigenTrust from the seeds.")] = "pagerank",
    seed: Annotated[list[str] | None, Query(max_length=SEEDS_LIMIT, description="For trust: whom to trust; repeat it.")] = None,
    limit: LimitParam = 20,
) -> RankList:
    """The nodes that rank highest."""
    seeds = [parse_agent(text) for text in seed or ()]
    if (by == "trust") is not bool(seeds):
        raise BadRequestError("trust starts at seeds, and only trust does", "Give seed=ADDRESS with by=trust, once for each.")
    ranks, picture = await served.graph.top(by, seeds, moment, limit)
    graph = picture.graph
    items = [
        RankView(
            node=to_hex(node),
            kind=graph.kinds.get(node, "ACCOUNT"),
            rank=part(rank),
            influence=part(influence(graph, node)),
        )
        for node, rank in ranks
    ]
    return RankList(by=by, items=items, as_of=_point(moment, picture))


@router.get("/patterns", operation_id="graph_patterns")
async def graph_patterns(
    served: Served,
    moment: MomentParam,
    kind: Annotated[PatternKind | None, Query(description="Only these.")] = None,
    limit: LimitParam = 100,
) -> PatternList:
    """Frequent pairs, hubs and bridges."""

    def found(picture: Picture) -> PatternList:
        wanted = [pattern for pattern in patterns(picture.graph) if kind in {None, pattern.kind}]
        wanted.sort(key=lambda pattern: (-pattern.score, pattern))
        items = [PatternView.of(pattern) for pattern in wanted[:limit]]
        return PatternList(total=len(wanted), items=items, as_of=_point(moment, picture))

    return await served.graph.study(moment, found)


@router.get("/identities", operation_id="graph_identities")
async def graph_identities(
    served: Served,
    moment: MomentParam,
    capability: Annotated[str | None, Query(max_length=64, description="Only those that name it.")] = None,
    limit: LimitParam = 100,
) -> IdentityList:
    """Identities in the registries that the gateway believes, with their feedback."""
    found = await served.graph.identities(capability, moment, limit)
    return IdentityList(items=[IdentityView.of(*pair) for pair in found])


@router.get("/{node}/neighbours", operation_id="graph_neighbours")
async def graph_neighbours(
    node: NodeParam,
    served: Served,
    moment: MomentParam,
    depth: Annotated[int, Query(ge=1, le=MAX_DEPTH, description="Most steps.")] = 1,
    limit: LimitParam = 50,
) -> Neighbours:
    """Nodes within ``depth`` steps; edges count in both directions."""

    def found(picture: Picture) -> Neighbours:
        kinds = picture.graph.kinds
        items = [
            Neighbour(
                node=to_hex(one.node),
                kind=kinds[one.node],
                depth=one.depth,
                through=to_hex(one.through),
                weight=part(one.weight),
            )
            for one in neighbourhood(picture.graph, node, depth, limit)
        ]
        return Neighbours(node=to_hex(node), items=items, as_of=_point(moment, picture))

    return await served.graph.ask(moment, found)


@router.get("/{node}/edges", operation_id="graph_edges")
async def graph_edges(node: NodeParam, served: Served, moment: MomentParam, limit: LimitParam = 50) -> EdgeList:
    """Edges that start or end at a node, the heaviest first."""

    def found(picture: Picture) -> EdgeList:
        graph = picture.graph
        around = sorted(graph.around.get(node, ()), key=lambda edge: (-edge.weight, edge))
        items = [EdgeView.of(edge, graph.kinds[edge.target]) for edge in around[:limit]]
        return EdgeList(node=to_hex(node), total=len(around), items=items, as_of=_point(moment, picture))

    return await served.graph.ask(moment, found)


@router.get("/{node}/path/{other}", operation_id="graph_path")
async def graph_path(node: NodeParam, other: OtherParam, served: Served, moment: MomentParam) -> PathView:
    """The strongest way from one node to another, and what the other is to the first."""

    def found(picture: Picture) -> PathView:
        nodes = path(picture.graph, node, other) or []
        return PathView(
            nodes=[to_hex(one) for one in nodes],
            relationship=relationship(picture.graph, node, other),
            as_of=_point(moment, picture),
        )

    return await served.graph.study(moment, found)


@router.get("/{agent}/profile", operation_id="graph_profile")
async def graph_profile(agent: AgentParam, served: Served, moment: MomentParam) -> ProfileView:
    """Reputation, counts, and identities with their feedback."""
    found = await served.graph.profile(agent, moment)
    if found is None:
        raise _unknown(agent)
    return ProfileView.of(agent, found.standing, found.identities)


@router.get("/{agent}/insights", operation_id="graph_insights")
async def graph_insights(agent: AgentParam, served: Served, moment: MomentParam) -> InsightsView:
    """Trend, rhythm, risk and trust of an agent's newest transactions."""
    found = await served.graph.insights(agent, moment)
    if found is None:
        raise _unknown(agent)
    return InsightsView.of(agent, found)


def _unknown(agent: bytes) -> NotFoundError:
    return NotFoundError(f"{to_hex(agent)} has sent no transaction that is known here", "It may not have arrived yet.")

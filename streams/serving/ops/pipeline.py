"""The pipeline as a map: what hands what to whom, and how far behind each stream agent is. Pure.

Where the boxes stand is given here for what comes with the product; a stream agent that is not among it gets a row of its own,
with flows from the topics that it says it reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from streams.ops.health.verdict import Judged
from streams.serving.ops import series as named
from streams.serving.ops.board import Board, Measures
from streams.serving.ops.components import worst
from streams.serving.wire.dashboard import (
    FlowView,
    NodeKind,
    NodeView,
    PartitionView,
    PipelineView,
    ProcessView,
    Status,
    StreamAgentView,
)
from streams.topics import BLOCKS, COMMANDS, EDGES, INTENTS, MEMORY_LOG, ROOTS, TRANSACTIONS

PLACES: dict[str, tuple[NodeKind, str, int, int]] = {
    "producer": ("producer", "producer", 0, 1),
    BLOCKS: ("topic", BLOCKS, 1, 0),
    TRANSACTIONS: ("topic", TRANSACTIONS, 1, 2),
    COMMANDS: ("topic", COMMANDS, 1, 4),
    "graph": ("agent", "graph", 2, 1),
    "intent": ("agent", "intent", 2, 2),
    "memory": ("agent", "memory", 2, 3),
    EDGES: ("topic", EDGES, 3, 1),
    INTENTS: ("topic", INTENTS, 3, 2),
    MEMORY_LOG: ("topic", MEMORY_LOG, 3, 3),
    "memory_store": ("store", "memories", 3, 4),
    "embedding": ("agent", "embedding", 4, 2),
    "lattice": ("agent", "lattice", 4, 3),
    "vector_store": ("store", "vectors", 5, 2),
    ROOTS: ("topic", ROOTS, 5, 3),
    "gateway": ("gateway", "gateway", 6, 2),
}
FLOWS = (
    ("producer", BLOCKS),
    ("producer", TRANSACTIONS),
    (BLOCKS, "gateway"),
    (TRANSACTIONS, "graph"),
    (TRANSACTIONS, "intent"),
    (TRANSACTIONS, "memory"),
    (COMMANDS, "memory"),
    ("graph", EDGES),
    ("intent", INTENTS),
    ("memory", MEMORY_LOG),
    ("memory", "memory_store"),
    (MEMORY_LOG, "embedding"),
    (MEMORY_LOG, "lattice"),
    ("embedding", "vector_store"),
    ("lattice", ROOTS),
    (EDGES, "gateway"),
    ("vector_store", "gateway"),
    (ROOTS, "gateway"),
    ("memory_store", "gateway"),
)
OTHERS_COLUMN, OTHERS_ROW = 4, 5


def pipeline(board: Board, processes: Iterable[ProcessView], stores: Mapping[str, str] | None = None) -> PipelineView:
    """The map as it is now. ``stores``: components that the stores are, where they are called otherwise."""
    views = list(processes)
    agents = stream_agents(board)
    judged = board.verdict.components if board.verdict is not None else {}
    nodes = [_judged(_node(name, views, agents), judged.get((stores or {}).get(name, name))) for name in PLACES]
    flows = [_flow(source, target, agents) for source, target in FLOWS]
    for row, agent in enumerate((agent for agent in agents.values() if agent.name not in PLACES), OTHERS_ROW):
        status, note = agent.status, _note(agent)
        nodes.append(
            NodeView(id=agent.name, kind="agent", label=agent.name, column=OTHERS_COLUMN, row=row, status=status, note=note)
        )
        inputs = {topic for partition in agent.partitions for topic in partition.position} & PLACES.keys()
        flows += [_flow(topic, agent.name, agents) for topic in sorted(inputs)]
    return PipelineView(nodes=nodes, flows=flows, agents=list(agents.values()))


def stream_agents(board: Board) -> dict[str, StreamAgentView]:
    """All that have committed or that a process runs, by name."""
    measures = board.measures()
    holders = _holders(measures)
    numbers: dict[str, set[int]] = defaultdict(set)
    for name, number in (*board.standings, *holders):
        numbers[name].add(number)
    reported = any(process.metrics_ms for process in board.processes)
    return {
        name: _stream_agent(board, measures, name, sorted(found), holders, reported=reported)
        for name, found in sorted(numbers.items())
    }


def _stream_agent(
    board: Board,
    measures: Measures,
    name: str,
    numbers: list[int],
    holders: dict[tuple[str, int], str],
    *,
    reported: bool,
) -> StreamAgentView:
    partitions = [_partition(board, measures, name, number, holders) for number in numbers]
    held = sum(partition.instance is not None for partition in partitions)
    status: Status = "healthy" if held == len(partitions) else "degraded" if held else "gone"
    rewinds = [sample.value for _, sample in measures.samples(named.REWINDS) if sample.labels.get("agent") == name]
    return StreamAgentView(
        name=name,
        status=status if reported else None,
        lag=_sum(partition.lag for partition in partitions),
        seconds_behind=max((one.seconds_behind for one in partitions if one.seconds_behind is not None), default=None),
        rewinds=int(sum(rewinds)) if rewinds else 0 if held else None,
        block=max((partition.block for partition in partitions if partition.block is not None), default=None),
        partitions=partitions,
    )


def _partition(board: Board, measures: Measures, name: str, number: int, holders: dict[tuple[str, int], str]) -> PartitionView:
    stand = board.standings.get((name, number))

    def said(metric: str) -> dict[str, float]:
        """By topic."""
        return {
            sample.labels.get("topic", ""): sample.value
            for _, sample in measures.samples(metric)
            if sample.labels.get("agent") == name and sample.labels.get("partition") == str(number)
        }

    position, received = said(named.POSITION), said(named.RECEIVED)
    gaps = [max(0.0, received[topic] - at) for topic, at in position.items() if topic in received]
    behind = said(named.BEHIND)
    return PartitionView(
        partition=number,
        instance=holders.get((name, number)),
        block=stand.block.number if stand is not None and stand.block is not None else None,
        position=dict(stand.offsets) if stand is not None else {topic: int(at) for topic, at in position.items()},
        lag=int(sum(gaps)) if gaps else None,
        seconds_behind=max(behind.values()) if behind else None,
        committed_ms=stand.at_ms if stand is not None else None,
    )


def _holders(measures: Measures) -> dict[tuple[str, int], str]:
    """Which instance runs a stream agent's partition, of those that live."""
    found = {}
    for process, sample in measures.samples(named.POSITION):
        number = sample.labels.get("partition", "")
        if number.isdecimal():
            found[sample.labels.get("agent", ""), int(number)] = process.instance
    return found


def _node(name: str, processes: list[ProcessView], agents: dict[str, StreamAgentView]) -> NodeView:
    kind, label, column, row = PLACES[name]
    status: Status | None = None
    note = ""
    if kind == "agent":
        agent = agents.get(name)
        status, note = (agent.status, _note(agent)) if agent is not None else (None, "not seen yet")
    elif kind in {"producer", "gateway"}:
        mine = [process for process in processes if process.component == name]
        status = worst(process.status for process in mine)
        live = sum(process.status != "gone" for process in mine)
        note = f"{live} of {len(mine)} alive" if mine else "no reports"
    elif kind == "store":
        parts = [part for process in processes if process.status != "gone" for part in process.parts if part.name == name]
        status = worst(part.status for part in parts)
        note = next((part.detail for part in parts if part.status == status and part.detail), "")
    return NodeView(id=name, kind=kind, label=label, column=column, row=row, status=status, note=note)


def _judged(node: NodeView, judged: Judged | None) -> NodeView:
    """With what the verdict says of it, where that is worse, or nobody else says anything."""
    if judged is None or node.kind == "topic":
        return node
    status = worst(one for one in (node.status, judged.status) if one is not None)
    wrong = (judged.because or judged.own.detail) if judged.status != "healthy" else ""
    return node.model_copy(update={"status": status, "note": node.note if node.kind == "agent" else wrong or node.note})


def _note(agent: StreamAgentView) -> str:
    held = sum(partition.instance is not None for partition in agent.partitions)
    return f"{held} of {len(agent.partitions)} partitions run"


def _flow(source: str, target: str, agents: dict[str, StreamAgentView]) -> FlowView:
    agent = agents.get(target)
    return FlowView(source=source, target=target, lag=agent.lag if agent is not None else None)


def _sum(values: Iterable[int | None]) -> int | None:
    found = [value for value in values if value is not None]
    return sum(found) if found else None

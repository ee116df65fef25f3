"""The graph agent over random histories: what stands is what a plain fold of the canonical chain says, to the last byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import codec
from streams import topics
from streams.agents.graph import GraphAgent
from streams.core.block import BlockRef
from tests.facts import digest
from tests.fakes import MemoryState, record_of
from tests.transactions import CONTRACT, USDC, chain_transaction, log, number, transfer_log

GENESIS = BlockRef(0, digest("genesis"), bytes(32))
AGENTS = [bytes([n]) * 20 for n in (1, 2, 3)]
Block = tuple[BlockRef, list[dict[str, Any]]]


def registered(agent: bytes, n: int) -> dict[str, Any]:
    return log(CONTRACT, "Registered(uint256,string,address)", n, agent, data=encode(["string"], [f"u{n}"]))


@st.composite
def transactions(draw: st.DrawFn) -> dict[str, Any]:
    """What a transaction of one of the agents may be; its place is given later."""
    agent, peer = draw(st.sampled_from(AGENTS)), bytes([draw(st.integers(1, 6))]) * 20
    amount = draw(st.integers(0, 3)) * 10 ** draw(st.integers(0, 20))
    logs = draw(st.sampled_from([[], [transfer_log(USDC, agent, peer, amount)], [registered(agent, amount % 3)]]))
    return {
        "agent": agent, "sender": agent, "to": peer, "value": number(amount), "status": draw(st.sampled_from([1, 1, 0])),
        "gas_used": draw(st.sampled_from([21_000, 2_000_000])), "logs": logs,
        "role": draw(st.sampled_from(["SENDER", "SENDER", "SENDER", "COUNTERPARTY"])),
    }  # fmt: skip


def block_of(parent: BlockRef, contents: list[dict[str, Any]], salt: object) -> Block:
    ref = BlockRef(parent.number + 1, digest(salt, parent.hash), parent.hash)
    time = 1_700_000_000 + 50_000 * ref.number
    return ref, [
        chain_transaction(block=ref.record(), index=i, timestamp=time, hash=digest(ref, i), **tx)
        for i, tx in enumerate(contents)
    ]


@dataclass
class Partition:
    """A graph agent with what the runtime and the topics would keep around it."""

    max_edges: int = 4
    state: MemoryState = field(default_factory=MemoryState)
    tables: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.agent = GraphAgent(0, self.state, self.max_edges)

    def take(self, emissions: Any) -> None:
        for emit in emissions:
            if emit.value is None:
                self.tables.pop((emit.topic, emit.key), None)
                continue
            value = codec().encode(emit.type, emit.value)
            assert codec().decode(value) == (emit.type, emit.value)
            self.tables[emit.topic, emit.key] = value

    def apply(self, block: Block) -> None:
        self.take(self.agent.apply(block[0], [record_of(topics.TRANSACTIONS, "ChainTransaction", tx) for tx in block[1]]))

    def revert(self, block: Block) -> None:
        self.take(self.agent.revert(block[0], [record_of(topics.TRANSACTIONS, "ChainTransaction", tx) for tx in block[1]]))

    def commit(self) -> None:
        self.take(self.agent.emit_before_commit())

    @property
    def all(self) -> tuple[Any, ...]:
        return dict(self.state.content), dict(self.tables), self.agent.state_digest()


def straight(chain: list[Block]) -> Partition:
    """The canonical chain alone, each block once."""
    partition = Partition()
    for block in chain:
        partition.apply(block)
    partition.commit()
    return partition


contents = st.lists(transactions(), max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["block", "block", "block", "undo", "restart"]), contents, st.integers(1, 3)), max_size=12
    )
)
def test_any_history_leaves_what_the_canonical_chain_leaves(steps: list[tuple[str, list[dict[str, Any]], int]]) -> None:
    chain: list[Block] = []
    partition = Partition()
    for salt, (name, drawn, depth) in enumerate(steps):
        if name == "block":
            chain.append(block_of(chain[-1][0] if chain else GENESIS, drawn, salt))
            partition.apply(chain[-1])
        elif name == "undo":
            for _ in range(min(depth, len(chain))):
                partition.revert(chain.pop())
        else:
            partition.commit()
            partition.restart()
    partition.commit()
    assert partition.all == straight(chain).all


@settings(max_examples=40, deadline=None)
@given(st.lists(contents, min_size=1, max_size=4))
def test_each_event_carries_what_a_plain_fold_of_its_edge_says(blocks: list[list[dict[str, Any]]]) -> None:
    chain: list[Block] = []
    for drawn in blocks:
        chain.append(block_of(chain[-1][0] if chain else GENESIS, drawn, len(chain)))
    rows = [codec().decode(value)[1] for (topic, _), value in straight(chain).tables.items() if topic == topics.EDGES]
    rows.sort(key=lambda row: (row["block"]["number"], row["transaction_index"], row["ordinal"]))
    seen: dict[tuple[bytes, bytes, str], dict[str, Any]] = {}
    reputation: dict[bytes, float] = {}
    for row in rows:
        name = row["source"], row["target"], row["kind"]
        assert row["events"] == (seen[name]["events"] if name in seen else 0) + 1
        assert row["first"] == (seen[name]["first"] if name in seen else row["timestamp"])
        seen[name] = row
        if row["ordinal"] == 0:
            before = reputation.get(row["source"], 0.5)
            reputation[row["source"]] = 0.9 * before + 0.1 * row["succeeded"]
            assert abs(row["standing"]["reputation"] / 1e12 - reputation[row["source"]]) < 1e-9


def test_edges_beyond_the_limit_count_for_others() -> None:
    partition, chain = Partition(max_edges=3), list[Block]()
    for n in range(6):
        drawn = [{"agent": AGENTS[0], "sender": AGENTS[0], "to": bytes([n + 10]) * 20, "value": b"\x01"}]
        chain.append(block_of(chain[-1][0] if chain else GENESIS, drawn, n))
        partition.apply(chain[-1])
    partition.commit()
    rows = [codec().decode(value)[1] for (topic, _), value in partition.tables.items() if topic == topics.EDGES]
    assert sorted(row["target"] for row in rows) == [b"", b"", b"", *(bytes([n + 10]) * 20 for n in range(3))]
    assert max(row["events"] for row in rows if row["target"] == b"") == 3
    profile = codec().decode(partition.tables[topics.REGISTRY, AGENTS[0]])[1]
    assert (profile["edges"], profile["standing"]["transactions"]) == (3, 6)
    for block in reversed(chain):
        partition.revert(block)
    partition.commit()
    assert partition.all == ({}, {}, bytes(32))

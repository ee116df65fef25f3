"""What a comparison finds, in how many questions, and that it must not find what is not there."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest

from streams.core.presence import Fact, Presence
from streams.ports.stores import StoredMemory
from streams.serving.sync.compare import compare
from streams.serving.sync.findings import Findings
from streams.serving.sync.partner import PartnerError
from tests.unit.serving.sync.sides import Deployment, Lie, agent_of, ask, twins
from tests.unit.serving.world import upsert


async def found(here: Deployment, there: Deployment, lie: Lie | None = None, limit: int = 1_000) -> Findings:
    async with ask(here.world) as one, ask(there.world, "there", lie) as other:
        return await compare(one, other, limit)


async def test_equal_ones_say_equal_in_a_handful_of_questions() -> None:
    here, there = await twins()
    findings = await found(here, there)
    assert (findings.verdict, findings.compared_at, findings.divergence) == ("equal", 6, None)
    assert findings.stores is not None
    assert findings.stores.equal
    assert max(findings.requests) <= 6


async def test_what_commands_did_is_no_difference() -> None:
    here, there = await twins()
    fact = upsert(agent_of(1), here.world.blocks[2], 1, "did 1 at 2")
    await here.store.apply([{**fact, "op": "DELETE", "cause": b"\x07" * 32, "memory": None, "block": None}])
    assert (await found(here, there)).verdict == "equal"


async def test_a_side_that_is_behind_is_equal_as_far_as_it_goes() -> None:
    here, there = await twins()
    await there.blocks(3)
    findings = await found(here, there)
    assert (findings.verdict, findings.compared_at) == ("behind", 6)
    assert (await found(there, here)).verdict == "ahead"


async def test_a_row_that_was_altered_is_named_with_its_block() -> None:
    here, there = await twins()
    key = next(key for key, row in here.store.rows.items() if row.memory["block"]["number"] == 4 and key[0] == agent_of(2))
    row = here.store.rows[key]
    here.store.rows[key] = replace(row, memory={**row.memory, "content": b"paid the mint twice"})
    findings = await found(here, there)
    assert (findings.verdict, findings.divergence) == ("differs", None)
    assert findings.stores is not None
    assert (findings.stores.first_block, findings.stores.stretch) == (4, (4, 4))
    (agent,) = findings.stores.agents
    assert (agent.agent, agent.side) == ("0x" + agent_of(2).hex(), "both")
    (memory,) = agent.memories
    assert (memory.memory_id, memory.side, memory.block) == ("0x" + key[1].hex(), "both", 4)


async def test_a_dropped_agent_is_named() -> None:
    here, there = await twins()
    for key in [key for key in here.store.rows if key[0] == agent_of(3)]:
        del here.store.rows[key]
    findings = await found(here, there)
    assert findings.stores is not None
    (agent,) = findings.stores.agents
    assert (agent.agent, agent.side, agent.erased) == ("0x" + agent_of(3).hex(), "there", None)
    assert [memory.block for memory in sorted(agent.memories, key=lambda one: one.block)] == [1, 2, 3, 4, 5, 6]
    assert findings.stores.first_block == 1


async def test_a_block_the_store_lost_is_found() -> None:
    here, there = await twins()
    for key in [key for key, row in here.store.rows.items() if row.memory["block"]["number"] == 5]:
        del here.store.rows[key]
    findings = await found(here, there)
    assert findings.stores is not None
    assert findings.stores.first_block == 5
    assert len(findings.stores.agents) == 5
    assert {memory.side for agent in findings.stores.agents for memory in agent.memories} == {"there"}


async def test_another_branch_is_found_and_stores_are_compared_below_it() -> None:
    here, there = await twins(4)
    await here.blocks(3, fork=0)
    await there.blocks(5, fork=1)
    findings = await found(here, there)
    assert findings.verdict == "forked"
    assert findings.divergence is not None
    assert (findings.divergence.kind, findings.divergence.after, findings.divergence.at) == ("branch", 4, 5)
    assert findings.compared_at == 4
    assert findings.stores is not None
    assert findings.stores.equal


async def test_a_log_that_says_something_else_of_the_same_block() -> None:
    here, there = await twins(3)
    for one, text in ((here, 2), (there, 3)):
        await one.grow(lambda ref, agents=text: [upsert(agent_of(n), ref, n, "did") for n in range(agents)])
        await one.blocks(2)
    findings = await found(here, there)
    assert findings.verdict == "differs"
    assert findings.divergence is not None
    assert (findings.divergence.kind, findings.divergence.after, findings.divergence.at) == ("log", 3, 4)


async def test_the_first_block_is_found_in_logarithmically_many_questions() -> None:
    here, there = await twins(200, agents=1)
    for one, agents in ((here, 1), (there, 2)):
        await one.grow(lambda ref, agents=agents: [upsert(agent_of(n), ref, n, "did") for n in range(agents)])
        await one.blocks(200, agents=1)
    findings = await found(here, there)
    assert findings.divergence is not None
    assert findings.divergence.at == 201
    assert findings.stores is not None
    assert findings.stores.first_block == 201
    bisections = 2 * (math.log2(402) + 2)
    assert max(findings.requests) <= bisections + 12


async def test_agents_are_found_without_listing_all() -> None:
    here, there = await twins(1, agents=3_000)
    for key in [key for key in here.store.rows if key[0] in {agent_of(7), agent_of(2_000)}]:
        del here.store.rows[key]
    findings = await found(here, there)
    assert findings.stores is not None
    assert {agent.agent for agent in findings.stores.agents} == {"0x" + agent_of(n).hex() for n in (7, 2_000)}
    assert max(findings.requests) < 30
    here.store.rows.clear()
    findings = await found(here, there, limit=10)
    assert findings.stores is not None
    assert (len(findings.stores.agents), findings.stores.more) == (10, True)


async def test_rows_that_cannot_be_read_are_named() -> None:
    here, there = await twins()
    key = next(key for key in here.store.rows if key[0] == agent_of(2))
    here.store.rows[key] = StoredMemory({"id": b"nothing"}, Presence(frozenset({Fact(b"c" * 32, b"h" * 32, -5)})))  # type: ignore[typeddict-item]
    original = here.world.stored.of

    async def reading(agent: bytes, *asked: Any) -> Any:
        if agent == agent_of(2):
            await broken_store.get(agent, [])
        return await original(agent, *asked)

    broken_store = type(here.store)()
    broken_store.broken = True
    here.world.stored.of = reading  # type: ignore[method-assign]
    findings = await found(here, there)
    assert findings.stores is not None
    (agent,) = findings.stores.agents
    assert (agent.agent, agent.unreadable) == ("0x" + agent_of(2).hex(), "here")


FOREIGN = "0x" + "ab" * 32


def nodes(target: str, answer: Any) -> Any:
    """Another subtree below the root than the root's digest is of."""
    if "/children" in target:
        answer["children"][0]["digest"] = FOREIGN
        answer["children"][0]["count"] = 1
    return answer


def agents(target: str, answer: Any) -> Any:
    if "/agents?" in target:
        answer["agents"] = [{**one, "digest": FOREIGN} for one in answer["agents"]]
    return answer


def rows(target: str, answer: Any) -> Any:
    if "/rows" in target:
        answer["rows"] = answer["rows"][1:]
    return answer


def elsewhere(target: str, answer: Any) -> Any:
    """Memories that differ, but not where the blocks do."""
    if "/stretches/" in target:
        answer["digest"] = FOREIGN
    return answer


def endless(target: str, answer: Any) -> Any:
    return {"heights": list(range(40_000))} if target == "/v1/sync/checkpoints" else answer


def falling(target: str, answer: Any) -> Any:
    return {"heights": [3, 2]} if target == "/v1/sync/checkpoints" else answer


def other_block(target: str, answer: Any) -> Any:
    return {**answer, "number": answer["number"] + 1} if target.startswith("/v1/sync/checkpoints/") else answer


def other_snapshot(target: str, answer: Any) -> Any:
    return {**answer, "hash": FOREIGN} if target.startswith("/v1/sync/snapshots/") else answer


def shapeless(target: str, answer: Any) -> Any:
    return {**answer, "head": "; rm -rf /"} if target == "/v1/sync" else answer


def unfit_name(target: str, answer: Any) -> Any:
    return {**answer, "id": "../../v1/agents"} if "snapshots" in target else answer


LIES = [nodes, agents, rows, elsewhere, endless, falling, other_block, other_snapshot, shapeless, unfit_name]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_a_partner_that_lies_is_found_out(lie: Lie, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.serving.sync.compare.PAUSE", 0.0)
    here, there = await twins(2, agents=80)
    there.store.rows.pop(next(key for key, row in there.store.rows.items() if row.memory["block"]["number"] == 2))
    with pytest.raises(PartnerError):
        await found(here, there, lie)
    assert (await found(here, there)).verdict == "differs"  # honest, it is answered


async def test_several_comparisons_at_once_wait_for_each_other() -> None:
    """Each gateway makes one snapshot at a time."""
    here, there = await twins(3)
    all_ways = await asyncio.gather(found(here, there), found(there, here), found(here, here))
    assert {findings.verdict for findings in all_ways} == {"equal"}

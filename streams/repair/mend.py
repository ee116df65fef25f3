"""Decides what is wrong after a comparison, and mends this deployment's store.

What the other deployment said only names where to look. Evidence is the own log, whose markers a trusted key signed, and the
chain as the own node gives it, whose blocks are what their hashes say.
Invariants: nothing of the other's ends up in a store; a store is made what the own log says only where the log agrees with the
chain, or the chain cannot be asked; rows put in while their block left the chain are taken out again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from schemas.records import MemoryFact
from streams.agents.memory_rows import digest_of
from streams.core.block import BlockRef
from streams.errors import SourceError
from streams.ports.stores import MemoryStore
from streams.repair.chain_facts import ChainFacts
from streams.repair.log_facts import LogFacts, LoggedBlock, LoggedFacts
from streams.repair.outcome import AgentOutcome, LogOutcome, Outcome
from streams.repair.owned import OwnedRows
from streams.repair.rows import plan_agent
from streams.serving.sync.findings import AgentDifference, Divergence, Findings
from streams.serving.sync.partner import MovedError

LOOKED_AT = 256
"""Most blocks of an agent, or between two checkpoints, that the chain is asked for."""
PRODUCER = "monmouth producer          # takes what the log lacks from the chain, and leaves a wrong branch"
STATE = "monmouth rebuild --agent memory            # its workers stopped: its state, anew from the log"
ROWS = "monmouth rebuild --agent memory --stores   # its workers stopped: rows that cannot be read, anew from the log"
Ids = Callable[[bytes], Awaitable[list[bytes]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a repair works with. ``ids``: of the rows of an agent. ``digest_at``: the own checkpoint's, as 32 bytes.

    ``owned``: the rows as the owner of an agent's partition has it, whom that shuts out until it opens the partition anew.
    ``stands``: whether the block that was compared at is still part of the chain. ``chain`` None: it cannot be asked.
    """

    store: MemoryStore
    owned: Callable[[bytes], AbstractAsyncContextManager[OwnedRows]]
    ids: Ids
    log: LogFacts
    chain: ChainFacts | None
    digest_at: Callable[[int], Awaitable[bytes]]
    stands: Callable[[], Awaitable[bool]]
    partitions: int
    dry: bool = False


async def mend(findings: Findings, parts: Parts) -> Outcome:
    """What was found and done. Raises StoreError, LogIntegrityError, MovedError."""
    log = None if findings.divergence is None else await _log(findings.divergence, parts)
    agents: list[AgentOutcome] = []
    if findings.stores is not None and findings.compared_at is not None:
        at = BlockRef(findings.compared_at, _bytes(findings.compared_hash or ""), bytes(32))
        agents = await _agents(findings.stores.agents, at, parts)
    outcome = Outcome(log=log, agents=agents)
    return outcome.model_copy(update={"left": _left(findings, outcome, parts)})


def _left(findings: Findings, outcome: Outcome, parts: Parts) -> list[str]:
    left = []
    if findings.verdict == "behind" or (outcome.log is not None and outcome.log.fault == "here"):
        left.append(PRODUCER)
    if outcome.log is not None and outcome.log.fault == "state":
        left.append(STATE)
    if any(agent.cause == "unreadable" for agent in outcome.agents):
        left.append(ROWS)
    if any(agent.cause == "log" for agent in outcome.agents):
        left.append("the log here is not what the chain says: compare chain.agents and versions with the producer's")
    if any(agent.cause == "store" and not agent.mended for agent in outcome.agents) and parts.dry:
        left.append("monmouth sync repair       # without --dry-run")
    if any(agent.cause == "undecided" for agent in outcome.agents) or (outcome.log and outcome.log.fault == "undecided"):
        left.append("the chain could not be asked: is chain.rpc_url right, and its node up?")
    if findings.stores is not None and findings.stores.more:
        left.append("monmouth sync repair       # again: more agents differ than are named at a time")
    return left


async def _log(divergence: Divergence, parts: Parts) -> LogOutcome:
    if divergence.kind == "branch":
        return LogOutcome(fault=await _branch(divergence, parts), block=divergence.at)
    return await _said(divergence, parts)


async def _branch(divergence: Divergence, parts: Parts) -> str:
    """Whose branch is not the chain's, as the own node sees it."""
    try:
        true = None if parts.chain is None else await parts.chain.hash_at(divergence.at)
    except SourceError:
        true = None
    if true is None:
        return "undecided"
    if true == _bytes(divergence.here_hash):
        return "peer"
    return "here" if true == _bytes(divergence.there_hash) else "neither"


async def _said(divergence: Divergence, parts: Parts) -> LogOutcome:
    """Which log, or state, says something else of the same blocks than the chain."""
    after = -1 if divergence.after is None else divergence.after
    until = BlockRef(divergence.at, _bytes(divergence.here_hash), bytes(32))
    logged = await parts.log.of_blocks(after, until)
    asked, wrong = await _wrong_block(logged, parts)
    if wrong is not None:
        return LogOutcome(fault="here", block=wrong)
    facts = [fact for part in logged for block in part for fact in block.facts]
    before = bytes(32) if divergence.after is None else await parts.digest_at(divergence.after)
    made = (int.from_bytes(before, "little") + sum(map(digest_of, facts))) % (1 << 256)
    if made.to_bytes(32, "little") != await parts.digest_at(divergence.at):
        return LogOutcome(fault="state", block=after + 1)
    return LogOutcome(fault="peer" if asked else "undecided", block=divergence.at)


async def _wrong_block(logged: list[list[LoggedBlock]], parts: Parts) -> tuple[bool, int | None]:
    """Whether the chain told of all blocks, and the first one whose records are not those that a producer writes of it."""
    if parts.chain is None:
        return False, None
    for index, block in enumerate(logged[0][:LOOKED_AT]):
        try:
            said = await parts.chain.digests(block.ref.hash, parts.partitions)
        except SourceError:
            return False, None
        if said is None:
            return False, None
        if said != [part[index].digest for part in logged]:
            return True, block.ref.number
    return len(logged[0]) <= LOOKED_AT, None


async def _agents(differences: list[AgentDifference], at: BlockRef, parts: Parts) -> list[AgentOutcome]:
    outcomes = [AgentOutcome(agent=one.agent, cause="erased") for one in differences if one.erased is not None]
    damaged = [one for one in differences if one.erased is None]
    if not damaged:
        return outcomes
    logged = await parts.log.of_agents([_bytes(one.agent) for one in damaged], at)
    return outcomes + [await _agent(one, logged[_bytes(one.agent)], parts) for one in damaged]


async def _agent(difference: AgentDifference, facts: LoggedFacts, parts: Parts) -> AgentOutcome:
    agent = _bytes(difference.agent)
    if difference.unreadable in {"here", "both"}:
        return AgentOutcome(agent=difference.agent, cause="unreadable")
    plan = await plan_agent(parts.store, agent, await parts.ids(agent), facts.facts, facts.blocks)
    blocks = _bytes_of({memory.hash for memory in difference.memories} | {_hex(fact) for fact in (*plan.apply, *plan.revert)})
    agrees = await _chain_agrees(agent, [one for one in blocks if one in facts.blocks], facts.facts, parts)
    counts = {"lacked": len(plan.lacked), "altered": len(plan.altered), "extra": len(plan.extra)}
    if agrees is False:
        return AgentOutcome(agent=difference.agent, cause="log", checked=True, **counts)
    if not plan:
        return AgentOutcome(agent=difference.agent, cause="undecided" if agrees is None else "peer", checked=agrees is not None)
    if not parts.dry:
        await _carry_out(agent, facts, parts)
    return AgentOutcome(agent=difference.agent, cause="store", mended=not parts.dry, checked=agrees is not None, **counts)


async def _carry_out(agent: bytes, facts: LoggedFacts, parts: Parts) -> None:
    """Plans once more when nobody else writes, and writes."""
    async with parts.owned(agent) as rows:
        plan = await plan_agent(rows.store, agent, await parts.ids(agent), facts.facts, facts.blocks)
        await rows.exchange(plan.revert, plan.apply)
        if await parts.stands():
            return
        await rows.exchange(plan.apply, plan.revert)
        raise MovedError("the block that was compared at left the chain; what was mended was taken back", "Repair again.")


async def _chain_agrees(agent: bytes, blocks: list[bytes], facts: list[MemoryFact], parts: Parts) -> bool | None:
    """Whether the log's facts of these blocks are those of the chain; None if it cannot be asked, or does not know them."""
    if parts.chain is None:
        return None
    try:
        said = await parts.chain.of(sorted(blocks)[:LOOKED_AT], {agent})
    except SourceError:
        return None
    if any(found is None for found in said.values()):
        return None
    logged: dict[bytes, list[MemoryFact]] = {block: [] for block in said}
    for fact in facts:
        if fact["block"] is not None and fact["block"]["hash"] in logged:
            logged[fact["block"]["hash"]].append(fact)
    return said == logged


def _hex(fact: MemoryFact) -> str:
    return "" if fact["block"] is None else "0x" + fact["block"]["hash"].hex()


def _bytes_of(hashes: set[str]) -> list[bytes]:
    return [_bytes(one) for one in sorted(hashes) if one]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))

"""Documents that are found by what they mean, what they are related to, and a cache that is never stale."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.system import System
from streams.serving.client import AsyncClient
from streams.serving.wire import Context

WAIT = 20.0
DOCUMENTS = {
    "collateral": "The vault keeps wrapped staked ether as collateral at a ratio of 160 percent",
    "oracle": "Prices come from the median of three oracles, and a reading older than an hour is ignored",
    "bridge": "Transfers over the Optimism bridge take seven days to be withdrawn",
    "governance": "Proposal 42 lowers the protocol fee and was accepted by token holders in March",
    "gas": "Transactions are sent after midnight because the base fee is lowest then",
    "liquidation": "Positions are liquidated by a Dutch auction that begins at 105 percent",
    "multisig": "Four of seven signers must approve a withdrawal from the treasury",
    "audit": "The second audit found a reentrancy in the staking pool, which was repaired",
    "airdrop": "Early users claim their airdrop with a Merkle proof until December",
    "insurance": "A cover of two million dollars protects deposits against hacks of the contract",
    "lending": "Borrowing stable coins costs four percent a year while the pool is half empty",
    "nft": "The art collection lies in cold storage and is not for sale",
    "validator": "Our validators run three different clients so that no single bug halts them",
    "slippage": "Swaps of more than ten thousand dollars are split to keep slippage under half a percent",
    "tax": "Every sale is written into the ledger for the accountant with its cost basis",
    "keys": "The backup of the keys is engraved on steel and held by a notary in Zurich",
    "partners": "The market maker Wintergreen quotes our token on two exchanges",
    "research": "Restaking yields are modelled with a Monte Carlo simulation every Friday",
    "incident": "On the ninth of May a wrong nonce blocked the queue for six hours",
    "budget": "The grants committee may spend ninety thousand dollars each quarter",
}
QUESTIONS = {
    "collateral": "What backs the vault, and by how much?",
    "bridge": "How long until funds are back from Optimism?",
    "multisig": "How many people must agree to a treasury withdrawal?",
    "incident": "What happened on the ninth of May?",
    "keys": "Where is the backup of our keys?",
}
RELATIONS = (("oracle", "liquidation", "triggers"), ("audit", "validator", "concerns"), ("slippage", "gas", "costs"))
BEST = 3


async def documents(system: System, agent: bytes) -> dict[str, str]:
    """Stores the documents; memory id of each subject. Raises CheckError if one does not show."""
    async with system.async_client() as client:
        receipts = await asyncio.gather(
            *(client.store(agent, text, type="SEMANTIC", tags=[name], wait=WAIT) for name, text in DOCUMENTS.items())
        )
    expect(all(receipt.visible for receipt in receipts), "a document that was stored is not read within the time")
    return {name: receipt.memory_id for name, receipt in zip(DOCUMENTS, receipts, strict=True)}


async def find(system: System, agent: bytes) -> Metrics:
    """Documents, questions with one right answer each, relations between them. Raises CheckError."""
    ids = await documents(system, agent)
    async with system.async_client() as client:
        found = {name: await _answer(client, agent, text, ids[name]) for name, text in QUESTIONS.items()}
        missed = [name for name, place in found.items() if place is None]
        expect(not missed, f"not among the first {BEST}: {', '.join(missed)}")
        for source, target, relation in RELATIONS:
            await client.link(agent, ids[source], ids[target], relation, wait=WAIT)
        listed = await client.retrieve(agent, amendments=True, limit=1_000)
        links = {
            (edge.source, edge.target, edge.relation) for item in listed.items for edge in item.edges if edge.kind == "LINK"
        }
    wanted = {(ids[source], ids[target], relation) for source, target, relation in RELATIONS}
    expect(wanted <= links, f"{len(wanted - links)} of {len(wanted)} relations are not there")
    first = sum(place == 1 for place in found.values())
    return {"documents": len(ids), "questions": len(found), "found first": first, "relations": len(wanted)}


async def _answer(client: AsyncClient, agent: bytes, question: str, memory_id: str) -> int | None:
    """The place of the right answer, from 1; waits a moment for its vector."""
    for _ in range(20):
        items = (await client.query_context(agent, question, BEST, min_similarity=-1.0)).items
        places = [number for number, item in enumerate(items, 1) if item.memory_id == memory_id]
        if places:
            return places[0]
        await asyncio.sleep(0.25)
    return None


async def cached(system: System, agents: Sequence[bytes], puts: int) -> Metrics:
    """``puts`` questions twice, then one whose answer has changed. Raises CheckError unless hits are hits and fresh."""
    questions = [(agents[n % len(agents)], f"what do I know of subject {n}?") for n in range(puts)]
    async with system.async_client() as client:
        before = await client.cache()
        expect(before.enabled, "the cache is off")
        first = [await client.query_context(*question) for question in questions]
        again = [await client.query_context(*question) for question in questions]
        after = await client.cache()
        hits = _hits(after.events) - _hits(before.events)
        expect([_ids(one) for one in first] == [_ids(one) for one in again], "a cached answer is another answer")
        expect(hits >= puts, f"{hits} hits, {puts} equal questions were asked at rest")
        agent = questions[0][0]
        receipt = await client.store(agent, "subject 0 was settled on Tuesday", wait=WAIT, importance=1.0)
        fresh = await client.query_context(agent, questions[0][1], min_similarity=-1.0, wait_for=receipt.write_token, wait=WAIT)
        expect(receipt.memory_id in _ids(fresh), "the answer does not have what was written before it was asked")
    return {"questions kept": puts, "hits": hits, "stale answers": 0, "bytes": after.bytes}


def _hits(events: dict[str, int]) -> int:
    return events.get("l1_hit", 0) + events.get("l2_hit", 0)


def _ids(context: Context) -> list[str]:
    return [item.memory_id for item in context.items]

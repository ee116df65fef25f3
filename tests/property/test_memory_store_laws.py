"""Facts form a set: the embedded memory store agrees with a dictionary, whatever comes, in any order, any number of times."""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings

from connectors.stores.lmdb_memory import LmdbMemoryStore
from schemas.defaults import plain_edge
from schemas.records import MemoryFact
from streams.ports.stores import Canonical, Concern, MemoryFilter, MemoryStore, StoredMemory
from tests.unit.stores.facts import ALICE, BOB, block, delete, h, upsert
from tests.unit.stores.reference import DictMemoryStore

AGENTS = (ALICE, BOB)
FILTERS = (
    MemoryFilter(),
    MemoryFilter(types=frozenset({"WORKING"}), since=1, limit=1),
    MemoryFilter(min_importance=0.5),
    MemoryFilter(after=(1, h(2))),
    MemoryFilter(forms=frozenset({"AMENDMENT"})),
)
CONCERNS = [Concern(h(n), ("s" * (n // 3), "p"), n % 3) for n in range(5)]


def stands(canonical: Canonical, row: StoredMemory) -> bool:
    return row.presence.live(canonical)


@st.composite
def facts(draw: st.DrawFn) -> MemoryFact:
    """Facts over few ids, causes and blocks, so that they meet. The memory is a function of its id, as content ids are."""
    n, agent = draw(st.integers(0, 4)), draw(st.sampled_from(AGENTS))
    at = draw(st.sampled_from([None, block(1), block(1, fork=1), block(2)]))
    cause = draw(st.integers(0, 2))
    if draw(st.booleans()):
        return delete(n, agent, at, cause)
    said = {"subject": "s" * (n // 3), "predicate": "p", "valid_from": n % 3} if n else {}
    edges = [plain_edge("SUPERSEDES", h((n + 1) % 5)), {**plain_edge("LINK", h(0)), "source": h(n)}] if n > 2 else []
    form = "AMENDMENT" if n == 4 else "MEMORY"
    kind = ("SEMANTIC", "WORKING")[n % 2]
    fact = upsert(n, agent, None, cause, timestamp=n // 2, type=kind, importance=n / 4, edges=edges, form=form, **said)
    return {**fact, "block": at}


batches = st.lists(st.tuples(st.booleans(), st.lists(facts(), max_size=5)), max_size=8)


async def picture(store: MemoryStore) -> list[object]:
    """All a reader can see, for two views of what is canonical."""
    undone = block(1)["hash"]
    seen: list[object] = [[a async for a in store.agents()]]
    for agent in AGENTS:
        seen.append(await store.get(agent, [h(n) for n in range(5)]))
        for canonical in (lambda _: True, lambda b: b != undone):
            seen.append(await store.live_ids(agent, canonical))
            seen += [await store.query(agent, wanted, canonical) for wanted in FILTERS]
            counts = partial(stands, canonical)
            seen += [await store.concerning(agent, [concern], counts) for concern in CONCERNS]
            seen.append(await store.concerning(agent, CONCERNS, counts))
    return seen


@given(batches)
@settings(max_examples=40, deadline=None)
def test_agrees_with_the_reference(steps: list[tuple[bool, list[MemoryFact]]]) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store, reference = LmdbMemoryStore(Path(folder)), DictMemoryStore()
            for adding, batch in steps:
                for one in (store, reference):
                    await (one.apply(batch) if adding else one.revert(batch))
            assert await picture(store) == await picture(reference)
            await store.close()

    asyncio.run(run())


@given(st.lists(facts(), max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_order_and_repetition_do_not_matter(given_facts: list[MemoryFact], data: st.DataObject) -> None:
    """Also across a restart: what a crash makes us read twice changes nothing."""
    shuffled = data.draw(st.permutations(given_facts + given_facts[: len(given_facts) // 2]))
    cut = data.draw(st.integers(0, len(shuffled)))

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            one = LmdbMemoryStore(Path(folder, "one"))
            await one.apply(given_facts)
            other = LmdbMemoryStore(Path(folder, "other"))
            await other.apply(shuffled[:cut])
            await other.close()
            other = LmdbMemoryStore(Path(folder, "other"))
            for fact in shuffled[cut:]:
                await other.apply([fact])
            assert await picture(one) == await picture(other)
            await one.close()
            await other.close()

    asyncio.run(run())


def identity(fact: MemoryFact) -> tuple[object, ...]:
    at = fact["block"]
    return fact["op"], fact["owner"], fact["memory_id"], fact["cause"], None if at is None else at["hash"]


@given(st.lists(facts(), max_size=8), st.lists(facts(), max_size=8))
@settings(max_examples=40, deadline=None)
def test_revert_is_the_inverse_of_apply(standing: list[MemoryFact], undone: list[MemoryFact]) -> None:
    there = {identity(fact) for fact in standing}
    undone = [fact for fact in undone if identity(fact) not in there]

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = LmdbMemoryStore(Path(folder))
            await store.apply(standing)
            before = await picture(store)
            await store.apply(undone)
            await store.revert(list(reversed(undone)))
            assert await picture(store) == before
            await store.close()

    asyncio.run(run())

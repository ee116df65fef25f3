"""The nodes of the settings: commands that ask them go on with another one where the first fails, and ask one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.chain.configured import ask_nodes, node_source
from connectors.chain.jsonrpc import JsonRpc
from streams.core.block import BlockRef
from streams.errors import SourceError
from streams.ports.chain import from_one_node
from streams.repair.chain_facts import ChainFacts
from streams.settings import ChainSettings
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.fake_node import FakeNode, serving

Pair = tuple[FakeNode, FakeNode, ChainSettings]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    blocks = chain(30)
    async with serving(ScriptedSource(blocks)) as (first, url), serving(ScriptedSource(blocks)) as (second, other):
        yield first, second, ChainSettings(rpc_url=url.rstrip("/"), rpc_urls=[other.rstrip("/")], verify="header")


async def served(node: JsonRpc) -> str:
    await node.call("eth_chainId")
    return node.name


async def test_the_next_node_is_asked_where_the_first_fails(pair: Pair) -> None:
    first, second, settings = pair
    assert await ask_nodes(settings, None, served) == settings.rpc_url
    first.status = 503
    assert await ask_nodes(settings, None, served) == settings.rpc_urls[0]
    second.status = 503
    with pytest.raises(SourceError):
        await ask_nodes(settings, None, served)


async def test_a_node_that_is_named_is_asked_alone(pair: Pair) -> None:
    first, second, settings = pair
    first.status = 503
    with pytest.raises(SourceError):
        await ask_nodes(settings, settings.rpc_url, served)
    source = node_source(settings, settings.rpc_url)
    with pytest.raises(SourceError):
        await source.head()
    await source.close()
    assert second.calls == []


async def test_what_is_asked_in_one_go_is_answered_by_one_node(pair: Pair) -> None:
    first, second, settings = pair
    source = node_source(settings)
    second.source.grow(3)
    heads: list[BlockRef] = []

    async def ask() -> tuple[BlockRef, BlockRef | None]:
        heads.append(await source.head())
        if len(heads) == 1:
            first.status = 503
        (at,) = await source.canonical([heads[-1].number])
        return heads[-1], at

    found, at = await from_one_node(source, None, ask)
    assert (found, at) == (second.source.head_ref, second.source.head_ref)
    assert heads[0] == first.source.head_ref
    await source.close()


async def test_a_node_of_another_chain_that_comes_to_lead_is_not_believed(pair: Pair) -> None:
    first, second, settings = pair
    source, number = node_source(settings), first.source.head_ref.number
    facts = ChainFacts(source, CHAIN_ID, frozenset())
    assert await facts.hash_at(number) == first.source.head_ref.hash
    first.status, second.source.id = 503, CHAIN_ID + 1
    with pytest.raises(SourceError, match=f"is of chain {CHAIN_ID + 1}, not {CHAIN_ID}"):
        await facts.hash_at(number)
    await source.close()

"""What agents do: every activity occurs, calldata decodes by the published call interface, notes and questions agree."""

from __future__ import annotations

from collections import Counter

import pytest
from eth_abi.abi import decode

from connectors.chain.devchain import DevChain, canonical, live_notes, sample_questions
from connectors.chain.devchain.contracts import HUB, ROUTER, TOKENS, VAULT
from connectors.chain.devchain.contracts.abi import selector
from streams.core.ids import chain_memory_id
from streams.decoding.agent_abi import AGENT_METHODS

SELECTORS = {key: method for method in AGENT_METHODS for key in (selector(method.signature), bytes.fromhex(method.alias or ""))}
SWAP = bytes.fromhex("38ed1739")
SWAP_TOPIC = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.fixture(scope="module")
def long_chain() -> DevChain:
    chain = DevChain(21, agents=10, transactions=20)
    chain.advance(60)
    return chain


def types_of(signature: str) -> list[str]:
    return signature[signature.index("(") + 1 : -1].split(",")


def test_every_agent_call_occurs_under_both_selectors_and_decodes(long_chain: DevChain) -> None:
    seen: Counter[bytes] = Counter()
    for built in long_chain.line():
        for transaction in built.block.transactions:
            if transaction.to == HUB:
                method = SELECTORS[transaction.data[:4]]
                assert len(decode(types_of(method.signature), transaction.data[4:])) == len(method.names)
                seen[transaction.data[:4]] += 1
    assert {SELECTORS[key].intent for key in seen} == {method.intent for method in AGENT_METHODS}
    store = next(method for method in AGENT_METHODS if method.intent == "memory_store")
    assert seen[selector(store.signature)] > 10
    assert seen[bytes.fromhex(store.alias or "")] > 10


def test_swaps_transfers_staking_and_words_occur(long_chain: DevChain) -> None:
    topics: Counter[str] = Counter()
    selectors: Counter[tuple[bytes, bytes]] = Counter()
    words = plain = 0
    for _, block, receipts in canonical(long_chain):
        for tx, receipt in zip(block["transactions"], receipts, strict=True):
            data, to = bytes.fromhex(tx["input"][2:]), bytes.fromhex(tx["to"][2:])
            selectors[to, data[:4]] += 1
            topics.update(log["topics"][0] for log in receipt["logs"])
            if to not in (HUB, ROUTER, VAULT) and to not in {token.address for token in TOKENS}:
                plain += not data
                words += bool(data) and data.decode().isprintable()
    assert selectors[ROUTER, SWAP] > 20
    assert topics[SWAP_TOPIC] > 20
    assert topics[TRANSFER_TOPIC] > 100
    assert sum(selectors[token.address, bytes.fromhex("a9059cbb")] for token in TOKENS) > 20
    assert sum(selectors[token.address, bytes.fromhex("095ea7b3")] for token in TOKENS) > 5
    assert all(selectors[VAULT, bytes.fromhex(key)] for key in ("a694fc3a", "2e1a7d4d", "5c19a95c"))
    assert all(selectors[ROUTER, bytes.fromhex(key)] for key in ("e8e33700", "baa2abde"))
    assert plain > 20
    assert words > 10


def test_a_swap_pays_what_the_pool_owes(long_chain: DevChain) -> None:
    """Recomputed from the logs: Sync of the pool before and Swap, with the 0.3 % fee."""
    reserves: dict[str, tuple[int, int]] = {}
    checked = 0
    for _, _, receipts in canonical(long_chain):
        for receipt in receipts:
            for log in receipt["logs"]:
                numbers = [int(log["data"][2:][i : i + 64], 16) for i in range(0, len(log["data"]) - 2, 64)]
                if log["topics"][0] == SWAP_TOPIC and log["address"] in reserves:
                    checked += _check_swap(reserves[log["address"]], numbers)
            for log in receipt["logs"]:
                if len(log["data"]) == 2 + 128 and len(log["topics"]) == 1:
                    reserves[log["address"]] = (int(log["data"][2:66], 16), int(log["data"][66:], 16))
    assert checked > 20


def _check_swap(before: tuple[int, int], amounts: list[int]) -> int:
    in0, in1, out0, out1 = amounts
    paid, got, (source, target) = (in0, out1, before) if in0 else (in1, out0, before[::-1])
    assert got == paid * 997 * target // (source * 1000 + paid * 997)
    assert (source + paid) * (target - got) >= source * target
    return 1


def test_only_calls_meant_to_fail_fail(long_chain: DevChain) -> None:
    """A failing call is an overpaid transfer or a greedy swap; everything else succeeds on the state it was made for."""
    allowed = {(token.address, bytes.fromhex("a9059cbb")) for token in TOKENS} | {(ROUTER, SWAP)}
    failed = [
        (transaction.to, transaction.data[:4])
        for built in long_chain.line()
        for transaction, receipt in zip(built.block.transactions, built.block.receipts, strict=True)
        if not receipt.status
    ]
    assert failed
    assert set(failed) <= allowed


def fold(chain: DevChain) -> dict[bytes, tuple[bytes, str]]:
    """Live notes by an independent reading of the JSON: memory id to (agent, text)."""
    live: dict[bytes, tuple[bytes, str]] = {}
    for ref, block, receipts in canonical(chain):
        for index, (tx, receipt) in enumerate(zip(block["transactions"], receipts, strict=True)):
            data, sender = bytes.fromhex(tx["input"][2:]), bytes.fromhex(tx["from"][2:])
            method = SELECTORS.get(data[:4])
            if receipt["status"] != "0x1" or method is None or tx["to"] != "0x" + HUB.hex():
                continue
            if method.intent == "memory_store":
                _, content, importance, tags = decode(types_of(method.signature), data[4:])
                assert 0 <= importance <= 10_000
                assert tags
                live[chain_memory_id(chain.rules.chain_id, ref.hash, index, sender)] = (sender, content.decode())
            elif method.intent == "memory_forget":
                live.pop(data[4:36], None)
    return live


@pytest.mark.parametrize("which", ["chain", "long_chain"])
def test_live_notes_are_what_a_fold_of_the_canonical_chain_finds(which: str, request: pytest.FixtureRequest) -> None:
    chain = request.getfixturevalue(which)
    assert {i: (item.agent, item.note.content) for i, item in live_notes(chain).items()} == fold(chain)


def test_forgets_name_memories_that_lived(long_chain: DevChain) -> None:
    stored = {item.memory_id for built in long_chain.line() for item in built.stored}
    forgotten = {memory_id for built in long_chain.line() for memory_id in built.forgotten}
    assert forgotten
    assert forgotten <= stored


@pytest.mark.parametrize("which", ["chain", "long_chain"])
def test_questions_have_one_right_answer_that_lives(which: str, request: pytest.FixtureRequest) -> None:
    chain = request.getfixturevalue(which)
    live = fold(chain)
    questions = sample_questions(chain, 3)
    assert {question.agent for question in questions} == set(chain.agents)
    same: Counter[tuple[bytes, str]] = Counter((item.agent, item.note.question) for item in live_notes(chain).values())
    for question in questions:
        assert live[question.memory_id] == (question.agent, question.answer)
        assert question.text.endswith("?")
        assert same[question.agent, question.text] == 1
        block, index = chain.locate(question.transaction)
        assert chain_memory_id(chain.rules.chain_id, block.hash, index, question.agent) == question.memory_id


def test_final_questions_lie_in_final_blocks() -> None:
    chain = DevChain(8, agents=4, transactions=12, finality_depth=20)
    chain.advance(10)
    assert sample_questions(chain, final_only=True) == []
    chain.advance(30)
    questions = sample_questions(chain, final_only=True)
    assert questions
    assert all(chain.locate(question.transaction)[0].number <= chain.final.number for question in questions)
    chain.reorg(20)
    live = live_notes(chain)
    forgotten = {memory_id for built in chain.line() for memory_id in built.forgotten}
    assert all(question.memory_id in live or question.memory_id in forgotten for question in questions)


def test_a_question_with_two_right_answers_is_never_asked() -> None:
    chain = DevChain(14, agents=1, transactions=40)
    chain.advance(30)
    asked = Counter(item.note.question for item in live_notes(chain).values())
    assert max(asked.values()) > 1
    questions = sample_questions(chain, 1_000)
    assert len(questions) == sum(count == 1 for count in asked.values())
    assert {asked[question.text] for question in questions} == {1}

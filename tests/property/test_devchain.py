"""Any sequence of steps leaves a development chain sound, and an announced change is the whole truth about the head."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.chain.devchain import DevChain, Step, StepKind, play
from connectors.chain.devchain.log_filter import LogFilter

STEPS = st.lists(
    st.builds(Step, st.sampled_from(StepKind), depth=st.integers(0, 12), extra=st.integers(0, 3)), min_size=1, max_size=14
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, transactions=st.integers(0, 4), finality=st.integers(1, 10))
def test_steps_keep_the_chain_sound(steps: list[Step], transactions: int, finality: int) -> None:
    chain = DevChain(7, agents=3, transactions=transactions, finality_depth=finality)
    line, final = [chain.head], chain.head
    for step in steps:
        for change in play(chain, step):
            kept = len(line) - len(change.removed)
            assert tuple(line[kept:]) == change.removed
            assert line[kept - 1].ref == change.ancestor
            line[kept:] = change.added
            assert [built.block for built in chain.line()] == line
            assert line[final.number] is final
            final = chain.final or final
    check_line(chain)


def check_line(chain: DevChain) -> None:
    nonces: dict[bytes, int] = {}
    parent = bytes(32)
    for built in chain.line():
        block = built.block
        assert block.header.parent == parent
        assert chain.is_canonical(block)
        for index, transaction in enumerate(block.transactions):
            assert transaction.nonce == nonces.get(transaction.sender, 0)
            nonces[transaction.sender] = transaction.nonce + 1
            assert chain.locate(transaction.hash) == (block, index)
        parent = block.hash
    world = chain.world(chain.head.hash)
    assert world is not None
    assert all(world.ledger.nonce(sender) == nonce for sender, nonce in nonces.items())


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_removed_and_new_logs_fold_to_the_logs_of_the_chain(steps: list[Step]) -> None:
    chain = DevChain(3, agents=3, transactions=3)
    everything = LogFilter(frozenset(), ())
    live: list[tuple[str, str]] = []
    for step in steps:
        for change in play(chain, step):
            for block in change.removed:
                for log in everything.select(block):
                    live.remove((log["blockHash"], log["logIndex"]))
            live += [(log["blockHash"], log["logIndex"]) for block in change.added for log in everything.select(block)]
    expected = [(log["blockHash"], log["logIndex"]) for built in chain.line() for log in everything.select(built.block)]
    assert sorted(live) == sorted(expected)

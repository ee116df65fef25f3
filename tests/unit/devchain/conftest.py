"""One chain with a history of reorgs, made once: tests here only read it."""

from __future__ import annotations

import pytest

from connectors.chain.devchain import DevChain, ReorgPlan, play, script

SEED = 11


def lived_chain(seed: int = SEED, blocks: int = 60) -> DevChain:
    """A chain that went through every kind of reorg."""
    chain = DevChain(seed, agents=8, transactions=8)
    for step in script(seed, blocks, ReorgPlan(every=5, max_depth=9)):
        for _ in play(chain, step):
            pass
    return chain


@pytest.fixture(scope="session")
def chain() -> DevChain:
    return lived_chain()

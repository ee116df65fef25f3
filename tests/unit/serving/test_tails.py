"""The gateway's views of topics: the ones there are, one order, and finality as the chain's view has it."""

from __future__ import annotations

import pytest

from streams.serving.tails import Tails
from streams.settings import Settings
from streams.signing import Signer, Verifier
from tests.steps import block, step_new

NAMES = ["chain", "roots", "sessions", "edges", "progress", "erasures", "access"]


class Recorded:
    """A tail that notes what is done to it."""

    def __init__(self, name: str, done: list[str]) -> None:
        self.name = name
        self.done = done

    def start(self) -> None:
        self.done.append(f"start {self.name}")

    async def stop(self) -> None:
        self.done.append(f"stop {self.name}")


@pytest.fixture
def tails() -> Tails:
    return Tails(Settings(), Verifier([Signer(bytes(32)).public]), lambda _step, _at: None, lambda _tip: None)


async def test_every_view_starts_and_stops_in_one_order(tails: Tails) -> None:
    assert tails._all == tuple(getattr(tails, name) for name in NAMES)
    done: list[str] = []
    tails._all = tuple(Recorded(name, done) for name in NAMES)  # type: ignore[assignment]
    tails.start()
    await tails.stop()
    assert done == [f"start {name}" for name in NAMES] + [f"stop {name}" for name in NAMES]


def test_edges_learn_what_is_final_from_the_chain(tails: Tails) -> None:
    assert tails._final() is None
    genesis = block(0, 0, bytes(32))
    tails.chain.view.apply(step_new(0, genesis))
    tails.chain.view.apply(step_new(1, block(1, 0, genesis.hash), final=genesis))
    assert tails._final() == 0

"""The same seed and the same steps give the same chain, byte for byte."""

from __future__ import annotations

import pytest

from connectors.chain.devchain import DevChain, ReorgPlan, Step, StepKind, canonical, sample_questions, script
from streams.errors import ConfigurationError
from tests.unit.devchain.conftest import SEED, lived_chain

FIRST_HASHES = (
    "8571d658a5b8fb1612fb4e6a15899660a4eb5c4134cb11b8921fa830ff46c0a3",
    "c452b92de6da1249c394b879f3d4be8a8e6786fc24564b775bea96079bbcf4da",
)


def test_two_runs_are_equal(chain: DevChain) -> None:
    again = lived_chain()
    assert again.reorg_log == chain.reorg_log
    assert list(canonical(again)) == list(canonical(chain))
    assert sample_questions(again) == sample_questions(chain)


def test_hashes_do_not_drift_between_releases() -> None:
    chain = DevChain(1)
    chain.advance(2)
    assert tuple(built.block.hash.hex() for built in chain.line())[:2] == FIRST_HASHES


def test_another_seed_is_another_chain(chain: DevChain) -> None:
    other = lived_chain(SEED + 1, 5)
    assert other.at(0).hash != chain.at(0).hash
    assert not set(other.agents) & set(chain.agents)


def test_a_block_does_not_depend_on_how_many_are_made_at_once() -> None:
    one, many = DevChain(3, transactions=4), DevChain(3, transactions=4)
    for _ in range(5):
        one.advance()
    many.advance(5)
    assert one.head.hash == many.head.hash


def test_scripts_are_values() -> None:
    plan = ReorgPlan(every=4, max_depth=5)
    steps = list(script(9, 200, plan))
    assert steps == list(script(9, 200, plan))
    assert steps != list(script(10, 200, plan))
    assert {step.kind for step in steps} == set(StepKind)
    depths = [step.depth for step in steps if step.kind is not StepKind.ADVANCE]
    assert set(depths) >= {1, 5}
    assert max(depths) == 5
    assert sum(step.kind is StepKind.ADVANCE for step in steps) == 200
    assert steps[0].kind is steps[-1].kind is StepKind.ADVANCE


def test_no_plan_no_reorgs() -> None:
    assert list(script(9, 3, None)) == [Step(StepKind.ADVANCE)] * 3


@pytest.mark.parametrize("plan", [{"every": 0}, {"max_depth": 33}, {"max_depth": 0}, {"kinds": ()}])
def test_an_impossible_plan_is_refused(plan: dict) -> None:
    with pytest.raises(ConfigurationError, match="cannot be followed"):
        ReorgPlan(**plan)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"agents": 0}, {"transactions": 2_001}, {"slot": 0}, {"finality_depth": 0}])
def test_an_impossible_chain_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match="cannot be made"):
        DevChain(**wrong)

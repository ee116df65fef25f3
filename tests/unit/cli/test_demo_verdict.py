"""The demo's verdict: yes only if everything is equal, every proof holds and at least one comparison was made."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from schemas.records import ChainTransaction, LatticeRoot, MemoryFact
from streams.agents.memory_facts import transaction_facts
from streams.cli.demo import demo, run
from streams.cli.demo.ask import Asked
from streams.cli.demo.check import Verdict, canonical_records, compare
from streams.cli.demo.observe import Observation
from streams.cli.demo.processes import Children
from streams.cli.demo.run import Show, _summary
from streams.cli.demo.stage import Stage
from streams.cli.demo.system import System
from streams.decoding.nl.parser import default_reader
from streams.errors import SourceError
from streams.oracle import Oracle
from streams.settings import Settings
from streams.vault.sealing import open_keys
from tests.chains import ScriptedSource, chain
from tests.facts import upsert
from tests.fakes import DictMemoryStore


class Run:
    """A right outcome over a small chain: roots as published, memories as stored."""

    def __init__(self, settings: Settings, source: ScriptedSource) -> None:
        self.settings, self.source = settings, source
        self.store = DictMemoryStore()
        self.roots: dict[bytes, LatticeRoot] = {}

    @classmethod
    async def make(cls, tmp_path: Path) -> Run:
        run = cls(Settings(state_dir=tmp_path), ScriptedSource(chain(4, transactions=6)))
        reader = default_reader()
        records: list[ChainTransaction] = [r async for r in canonical_records(run.source, run.settings, run.source.head_ref)]
        facts = [fact for record in records for fact in transaction_facts(record, reader.read(record))]
        await run.store.apply(facts)
        keys = open_keys(run.settings)
        oracle: Oracle[MemoryFact] = Oracle(lambda fact: [fact], keys.leaf_secret)
        for agent, state in oracle.fold(facts).world().agents.items():
            run.roots[agent] = {
                "agent": agent,
                "count": state.count,
                "lattice": bytes(state.lattice),
                "checksum": state.checksum,
                "merkle_root": state.merkle_root,
                "block": None,
            }
        return run

    async def verdict(self) -> Verdict:
        return await compare(self.source, self.settings, self.source.head_ref, self.roots, self.store)


@pytest.fixture
async def outcome(tmp_path: Path) -> Run:
    return await Run.make(tmp_path)


async def test_a_right_outcome_agrees(outcome: Run) -> None:
    verdict = await outcome.verdict()
    assert verdict.agreed
    assert (verdict.agents, verdict.memories, verdict.transactions) == (5, 30, 30)
    assert str(verdict).endswith(": agree")


@pytest.mark.parametrize("field", ["merkle_root", "checksum", "lattice"])
async def test_one_altered_byte_in_one_root_is_seen(outcome: Run, field: str) -> None:
    agent = sorted(outcome.roots)[2]
    value = outcome.roots[agent][field]  # type: ignore[literal-required]
    outcome.roots[agent][field] = bytes([value[0] ^ 1]) + value[1:]  # type: ignore[literal-required]
    verdict = await outcome.verdict()
    assert not verdict.agreed
    assert {difference.agent for difference in verdict.differences} <= {agent, None}
    assert "DIFFER" in str(verdict)


async def test_a_missing_and_a_strange_root_are_seen(outcome: Run) -> None:
    agent = min(outcome.roots)
    outcome.roots[bytes(20)] = {**outcome.roots[agent], "agent": bytes(20)}
    del outcome.roots[agent]
    assert {difference.agent for difference in (await outcome.verdict()).differences} >= {agent, bytes(20)}


@pytest.mark.parametrize("kind", ["missing", "extra"])
async def test_one_stored_memory_too_few_or_too_many_is_seen(outcome: Run, kind: str) -> None:
    agent = max(outcome.store.rows)
    memory_id, row = next(iter(outcome.store.rows[agent].items()))
    if kind == "missing":
        del outcome.store.rows[agent][memory_id]
    else:
        outcome.store.rows[agent][bytes(32)] = row
    (difference,) = (await outcome.verdict()).differences
    assert (difference.agent, difference.what) == (agent, "stored ids")


async def test_a_command_that_was_lost_or_never_given_is_seen(outcome: Run) -> None:
    agent = min(outcome.roots)
    commands = [upsert(agent, b"m" * 32, b"c" * 32)]
    lost = await compare(outcome.source, outcome.settings, outcome.source.head_ref, outcome.roots, outcome.store, commands)
    assert {difference.agent for difference in lost.differences} == {agent, None}
    assert lost.memories == 31
    await outcome.store.apply(commands)
    (difference,) = (await outcome.verdict()).differences
    assert (difference.agent, difference.what) == (agent, "stored ids")


async def test_a_chain_that_moved_is_no_verdict(outcome: Run) -> None:
    head = outcome.source.head_ref
    outcome.source.reorg(2, new=2)
    with pytest.raises(SourceError, match="the log's in"):
        await compare(outcome.source, outcome.settings, head, outcome.roots, outcome.store)


ANSWER = Asked(agent=bytes(20), question="what?", answer="that", citation="block 3", found=True, proven=True)


def summarised(tmp_path: Path, verdicts: Sequence[Verdict], *answers: Asked) -> tuple[bool, str]:
    text = io.StringIO()
    stage = Stage(Settings(state_dir=tmp_path), {})
    system = System(stage, None, Children(tmp_path, {}), Observation(2), asyncio.get_running_loop().create_future())  # type: ignore[arg-type]
    show = Show(Console(file=text, width=200), system, time.monotonic())
    show.verdicts += verdicts
    return _summary(show, list(answers)), text.getvalue()


async def test_the_summary_says_yes_only_if_all_agreed_and_all_was_proven(outcome: Run, tmp_path: Path) -> None:
    right = await outcome.verdict()
    outcome.roots.pop(min(outcome.roots))
    wrong = await outcome.verdict()
    agreed, text = summarised(tmp_path, [right, right], ANSWER)
    assert agreed
    assert "every digest agreed" in text
    unproven = replace(ANSWER, proven=False)
    for verdicts, answers in (([right, wrong, right], [ANSWER]), ([right], [ANSWER, unproven]), ([], [ANSWER])):
        agreed, text = summarised(tmp_path, verdicts, *answers)
        assert not agreed
        assert "NOT everything agreed" in text


@pytest.mark.parametrize(("agreed", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_is_the_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, agreed: bool, code: int) -> None:
    async def verdict(*_: object) -> bool:
        return agreed

    monkeypatch.setattr(run, "run", verdict)
    result = CliRunner().invoke(demo, ["--fast"], obj=Settings(state_dir=tmp_path))
    assert result.exit_code == code, result.output

"""The benchmark of many agents, with few of them: it ends, and what it reads is what it filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf.million.__main__ import main, run
from perf.million.chain import BATCH, agent_of, block_of, facts_of, question_of
from perf.million.resident import resident


def test_agents_and_memories_are_different_ones() -> None:
    facts = [fact for number in range(50) for fact in facts_of(number, block_of(number // BATCH), 3)]
    assert len({fact["memory_id"] for fact in facts}) == len({fact["cause"] for fact in facts}) == 150
    assert len({agent_of(number) for number in range(1_000)}) == 1_000
    assert block_of(1).parent == block_of(0).hash
    assert all(
        fact["memory"] and question_of(number).split()[0].encode() in fact["memory"]["content"]
        for number, fact in ((number, facts_of(number, block_of(0), 1)[0]) for number in range(8))
    )


def test_what_is_resident_grows_with_what_is_held() -> None:
    before = resident()["anonymous"]
    held = bytearray(b"\x01") * 30_000_000
    assert resident()["anonymous"] - before >= 0.9 * len(held)


def test_no_agents_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["--agents", "0"], ["--memories", "65"]):
        monkeypatch.setattr("sys.argv", ["perf.million", *words])
        with pytest.raises(SystemExit):
            main()


@pytest.mark.kafka
@pytest.mark.slow
def test_a_small_run_measures_everything(tmp_path: Path, broker: str, capsys: pytest.CaptureFixture[str]) -> None:
    figures = run(1_000, 2, tmp_path, broker, questions=50)
    assert figures["gateway, start"] > 0
    assert 0 < figures["p50"] <= figures["p99"]
    said = capsys.readouterr().out
    for name in ("resident, worker at rest", "resident, gateway", "disk, all", "context of one agent, p99"):
        assert name in said

"""The ten cases on one pipeline, and what the harness says when one fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from streams.cli.demo.course import CheckError, Metrics, expect
from streams.cli.demo.system import System
from tests.harness import CrossExExTestHarness, IntegrationTestConfig
from tests.harness.__main__ import FAILED, main, run
from tests.harness.cases import CASES, Bench

NOWHERE = cast("System", object())


@pytest.mark.kafka
@pytest.mark.model
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("name", [name for name, _ in CASES])
async def test_case(harness: CrossExExTestHarness, name: str) -> None:
    result = await harness.run_test(name)
    assert result.success, result.error
    assert result.metrics
    assert f"### {name}" in harness.generate_test_report()


@pytest.mark.parametrize("wrong", [["--agents", "4"], ["--transactions", "0"], ["--timeout", "0"]])
def test_a_system_that_the_tests_do_not_fit_in_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def of(*names: str, timeout: float = 5.0) -> CrossExExTestHarness:
    """A harness of these made-up cases, on nothing."""
    known = {"right": _right, "wrong": _wrong, "broken": _broken, "endless": _endless}
    cases = [(name, known[name]) for name in names]
    return CrossExExTestHarness(IntegrationTestConfig(timeout=timeout), system=NOWHERE, cases=cases)


async def _right(_: Bench) -> Metrics:
    return {"things": 3}


async def _wrong(_: Bench) -> Metrics:
    expect(False, "seven | eight\nis not nine")
    return {}


async def _broken(_: Bench) -> Metrics:
    raise ValueError("a defect")


async def _endless(_: Bench) -> Metrics:
    await asyncio.sleep(60)
    return {}


async def test_a_failed_case_is_reported_and_the_next_one_runs(tmp_path: Path) -> None:
    harness = of("wrong", "broken", "right")
    assert await run(harness, tmp_path / "report.md") == FAILED
    assert [(one.name, one.success, one.error) for one in harness.results] == [
        ("wrong", False, "seven | eight\nis not nine"),
        ("broken", False, "ValueError: a defect"),
        ("right", True, None),
    ]
    report = (tmp_path / "report.md").read_text()
    assert "1 of 3 passed." in report
    assert "| wrong | FAILED |" in report
    assert "Failed: seven \\| eight is not nine" in report
    assert "| passed | 33% |" in report
    assert "* things: 3" in report


async def test_a_case_without_end_fails() -> None:
    harness = of("endless", timeout=0.05)
    (result,) = await harness.run_integration_tests()
    assert result.error == "not done within 0 s"
    assert not harness.passed


async def test_only_a_whole_run_passes() -> None:
    harness = of("right", "wrong")
    assert (await harness.run_test("right")).success
    assert not harness.passed, "the other one has not run"
    assert await run(of("right"), None) == 0


def test_the_default_configuration() -> None:
    config: Any = IntegrationTestConfig.default()
    assert (config.timeout, config.agents, config.transactions, config.cache_mb) == (30.0, 10, 100, 1)
    assert config.monitoring and not config.errors
    assert len(CASES) == 10


def test_a_folder_that_cannot_be_used_is_said_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(tmp_path / "file" / "state"))
    assert main([]) == FAILED
    assert "cannot make" in capsys.readouterr().err


def test_expect_says_what_was_not() -> None:
    expect(True, "")
    with pytest.raises(CheckError, match="no rows"):
        expect(False, "no rows")

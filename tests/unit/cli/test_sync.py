"""``monmouth sync`` without a gateway: tokens, what is refused, and what findings look like as text."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.sync import sync
from streams.cli.sync.shown import show, show_outcome
from streams.errors import ConfigurationError
from streams.repair.outcome import AgentOutcome, LogOutcome, Outcome
from streams.serving.sync.findings import AgentDifference, Divergence, Findings, MemoryDifference, SideView, StoreFindings
from streams.serving.sync.partner import PartnerError
from streams.settings import Settings

AGENT, ID, HASH = "0x" + "a1" * 20, "0x" + "1d" * 32, "0x" + "bb" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


def test_the_token_is_made_once_for_its_owner_alone(settings: Settings) -> None:
    first, second = (CliRunner().invoke(sync, ["token"], obj=settings).output for _ in range(2))
    path = settings.path(settings.security.partner_token_file)
    assert first == second == path.read_text()
    assert len(first.strip()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("command", ["compare", "repair"])
def test_a_token_that_others_could_read_is_not_used(settings: Settings, tmp_path: Path, command: str) -> None:
    file = tmp_path / "other.token"
    file.write_text("t" * 43)
    file.chmod(0o644)
    words = [command, "--peer", "http://127.0.0.1:9", "--token-file", str(file)]
    found = CliRunner().invoke(sync, words, obj=settings)
    assert isinstance(found.exception, ConfigurationError)
    assert "open to others" in str(found.exception)
    assert "t" * 43 not in str(found.exception) + found.output


@pytest.mark.parametrize("url", ["ftp://there", "http://there/path", "there:8080"])
def test_what_is_no_gateway_is_refused(settings: Settings, url: str) -> None:
    found = CliRunner().invoke(sync, ["compare", "--peer", url], obj=settings)
    assert isinstance(found.exception, PartnerError)
    assert "is not the address of a gateway" in str(found.exception)


def test_a_gateway_that_is_away(settings: Settings) -> None:
    found = CliRunner().invoke(sync, ["compare", "--peer", "http://127.0.0.1:9", "--url", "http://127.0.0.1:9"], obj=settings)
    assert isinstance(found.exception, PartnerError)
    assert "no answer from http://127.0.0.1:9" in str(found.exception)


def test_findings_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    side = SideView(version="1.0", partitions=4, head=9, settled=None)
    memories = [MemoryDifference(memory_id=ID, side="there", block=3, hash=HASH)] * 21
    agents = [AgentDifference(agent=AGENT, side="both", erased="there", unreadable="both", memories=memories)]
    show(
        Findings(
            verdict="differs",
            here=side,
            there=side.model_copy(update={"head": None}),
            same_rules=False,
            compared_at=8,
            compared_hash=HASH,
            checkpoints=12,
            divergence=Divergence(kind="log", after=None, at=2, here_hash=HASH, there_hash=HASH),
            stores=StoreFindings(equal=False, stretch=(3, 3), first_block=3, agents=agents, more=True),
            requests=(7, 8),
        )
    )
    assert capsys.readouterr().out.splitlines() == [
        "different",
        "  here: log up to block 9, nothing taken in, 4 partitions, version 1.0",
        "  peer: an empty log, nothing taken in, 4 partitions, version 1.0",
        "  the two have other versions, or other registered agents (chain.agents): other memories are no damage",
        "  compared at block 8, 12 checkpoints in common, 7 + 8 requests",
        "logs: equal up to the beginning; the log says something else of the same block at block 2, the next one kept",
        "stores: 1+ agents differ, first at block 3",
        f"  {AGENT} on both sides, not the same: erased there, unreadable on both sides",
        *[f"    {ID} block 3, only at the peer"] * 20,
        "    and 1 more",
    ]


def test_outcomes_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    mended = AgentOutcome(agent=AGENT, cause="store", mended=True, lacked=2, extra=1)
    show_outcome(Outcome(log=LogOutcome(fault="peer", block=5), agents=[mended]))
    assert capsys.readouterr().out.splitlines() == [
        "block 5: the log here is what the chain says: the peer's is not",
        f"{AGENT} mended: the store here was not what the log says (2 lacked, 1 too many)",
        "nothing is left to do here",
    ]
    show_outcome(Outcome(left=["monmouth producer"]))
    assert capsys.readouterr().out == "to do: monmouth producer\n"

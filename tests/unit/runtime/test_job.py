"""Bounds of a worker: those of the settings, but for a stream agent that asks for less at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streams.runtime.job import Limits, job_of
from streams.settings import Settings
from tests.chainlog import SIGNER, VERIFIER
from tests.fakelog import FakeBroker
from tests.toys import Tally, factory


def limits(settings: Settings, poll_records: int | None = None, given: Limits | None = None) -> Limits:
    agent = replace(factory(Tally), poll_records=poll_records)
    return job_of(agent, FakeBroker(), settings, verifier=VERIFIER, signer=SIGNER, limits=given).limits


def test_they_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    assert limits(settings) == Limits()  # the defaults agree
    settings.worker.poll_records, settings.worker.poll_seconds = 100, 0.25
    settings.worker.state_mib, settings.worker.state_seconds = 2, 3.0
    assert limits(settings) == Limits(poll_records=100, poll_seconds=0.25, state_bytes=2 << 20, state_seconds=3.0)
    assert limits(settings, poll_records=60).poll_records == 60
    assert limits(settings, poll_records=600).poll_records == 100


def test_limits_that_are_given_count_instead(tmp_path: Path) -> None:
    given = Limits(poll_records=7)
    assert limits(Settings(state_dir=tmp_path), given=given) == given

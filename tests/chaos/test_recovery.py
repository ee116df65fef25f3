"""Two of the faults of ``tests.chaos.recovery`` on real processes: one that is healed, and one where that must not be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.settings import Settings
from tests.chaos.recovery import scene as scenes
from tests.chaos.recovery.faults import break_state, kill
from tests.chaos.recovery.scene import scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]


async def test_what_can_be_healed_is_and_of_what_cannot_it_says_so(
    kafka_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "PATIENCE", replace(scenes.PATIENCE, heal=12.0))
    kafka_settings.kafka.session_timeout_ms = 1_500
    async with scene(kafka_settings, limits=replace(scenes.LIMITS, patience=4)) as at:
        await kill(at)
        at.supervisor.incidents.open.clear()
        at.outcomes.clear()
        await break_state(at)

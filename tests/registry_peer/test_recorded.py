"""Our answers beside those of a real Apicurio, recorded by ``python -m tests.registry_peer --record``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.registry_peer.__main__ import RECORDED
from tests.registry_peer.calls import calls, faults
from tests.registry_peer.ours import answers


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    return json.loads(RECORDED.read_text())


async def test_ours_answers_as_apicurio_does_or_as_is_explained(theirs: dict[str, Any]) -> None:
    assert faults(await answers(), theirs) == []


def test_the_comparison_can_say_no(theirs: dict[str, Any]) -> None:
    plain = next(call.name for call in calls() if not call.known)
    explained = next(call.name for call in calls() if call.known)
    altered = {**theirs, plain: {**theirs[plain], "status": 500}}
    assert any(said.startswith(f"{plain}: ours") for said in faults(altered, theirs))
    assert any(said.startswith(f"{explained}: alike") for said in faults(theirs, theirs))


def test_there_are_about_fifty_calls_with_names_of_their_own() -> None:
    names = [call.name for call in calls()]
    assert len(set(names)) == len(names) >= 50

"""Programs that run for long get the quicker loop, and asyncio's own where they are told so."""

import asyncio
import sys

import pytest

from streams import loops


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="libuv's loop is not made for this system")
def test_the_quicker_loop_runs_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(loops.PLAIN, raising=False)
    assert loops.run(kind()) == "uvloop"


def test_asyncios_own_runs_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loops.PLAIN, "1")
    assert loops.run(kind()) == "asyncio"


@pytest.mark.parametrize("plain", [True, False])
def test_an_error_reaches_the_caller(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    async def fail() -> None:
        raise ValueError("said")

    if plain:
        monkeypatch.setenv(loops.PLAIN, "1")
    with pytest.raises(ValueError, match="said"):
        loops.run(fail())

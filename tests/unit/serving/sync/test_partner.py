"""What is taken from another machine is bounded, wherever it comes from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from streams.serving.sync import partner
from streams.serving.sync.partner import MovedError, PartnerError, over_http

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def machine(handler: Handler) -> AsyncIterator[str]:
    """Any server."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def asked(handler: Handler) -> Exception:
    async with machine(handler) as url, over_http("the peer", url, "t" * 43) as peer:
        with pytest.raises((PartnerError, MovedError)) as raised:
            await peer.summary()
    assert "t" * 43 not in str(raised.value)
    return raised.value


async def test_an_answer_without_end_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "LONGEST", 100_000)
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 100_000_000:
            await response.write(b" " * 65_536)
            sent += 65_536
        return response

    assert "longer than 100000 bytes" in str(await asked(endless))
    assert sent < 50_000_000


async def test_one_who_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "SECONDS", 0.1)

    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    assert "no answer from" in str(await asked(silent))


async def test_a_token_is_not_carried_elsewhere() -> None:
    paths: list[str] = []

    async def away(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.Response(status=307, headers={"location": "/elsewhere"})

    assert "answered 307" in str(await asked(away))
    assert paths == ["/v1/sync"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"version": "' + b"v" * 200 + b'"}', b"[" * 100_000])
async def test_answers_of_no_shape(body: bytes) -> None:
    async def odd(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    assert "contradicts itself, or is broken" in str(await asked(odd))


async def test_what_it_says_cannot_play_with_the_terminal() -> None:
    async def rude(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "x", "message": "\x1b[2Jgone\r\n" + "x" * 5_000, "hint": "\x07"}, status=503)

    said = str(await asked(rude))
    assert "gone" in said
    assert len(said) < 1_000
    assert all(character.isprintable() or character == "\n" for character in said)


async def test_what_was_overtaken_can_be_asked_again() -> None:
    async def late(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "not_settled", "message": "moved on", "hint": ""}, status=409)

    assert isinstance(await asked(late), MovedError)

"""The connector webhook against a local server of the true protocol that refuses, hangs, redirects and floods; its settings."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from connectors.webhook import DRAINED, Webhook, secret_of
from infra.broker.ports import free_port
from streams.errors import ConfigurationError, MonmouthError
from streams.policy import CircuitOpenError
from streams.ports.receiver import ReceiverError, ReceiverRefusedError
from streams.settings import Settings
from streams.webhook_settings import WebhookSettings
from tests.certificates import Authority
from tests.receiver import SECRET, Place, receiving

BODY = b'{"id":"t.memory.commands/0/7"}'
NAME = "t.memory.commands/0/7"


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with receiving() as found:
        yield found


def to(url: str, seconds: float = 30.0) -> Webhook:
    return Webhook(WebhookSettings(url=url, timeout_seconds=seconds), SECRET, now=lambda: 1_700_000_000.9)


async def post(place: Place, seconds: float = 30.0) -> MonmouthError | None:
    """What it raised."""
    webhook = to(place.url, seconds)
    try:
        await webhook.take(NAME, BODY)
    except MonmouthError as error:
        return error
    finally:
        await webhook.close()
    return None


async def test_what_is_sent_is_signed_with_its_time_and_says_which_record_it_is(place: Place) -> None:
    assert await post(place) is None
    (got,) = place.posts
    assert (got.raw, got.id, got.headers["Content-Type"]) == (BODY, NAME, "application/json")
    assert got.headers["X-Monmouth-Timestamp"] == "1700000000"
    assert got.genuine
    got.headers["X-Monmouth-Timestamp"] = "1700000001"
    assert not got.genuine


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_the_record_is_taken(place: Place, status: int) -> None:
    place.status = status
    assert await post(place) is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_it_may_be_taken_later(place: Place, status: int) -> None:
    place.status = status
    error = await post(place)
    assert isinstance(error, ReceiverError)
    assert error.passes
    assert str(status) in error.message
    assert len(place.posts) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422, 451])
async def test_it_is_refused_for_ever(place: Place, status: int) -> None:
    place.status = status
    error = await post(place)
    assert isinstance(error, ReceiverRefusedError)
    assert str(status) in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(place: Place, status: int) -> None:
    async def elsewhere(request: web.Request, _: bytes) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{place.url}&again"})

    place.answer = elsewhere
    assert isinstance(await post(place), ReceiverRefusedError)
    assert len(place.posts) == 1


async def test_nobody_listens() -> None:
    error = await post(Place(f"http://127.0.0.1:{free_port()}/hook"))
    assert isinstance(error, ReceiverError)
    assert error.passes


async def test_an_answer_that_does_not_come_ends_in_time(place: Place) -> None:
    over = asyncio.Event()

    async def silent(request: web.Request, _: bytes) -> web.Response:
        await over.wait()
        return web.Response()

    place.answer = silent
    error = await post(place, seconds=0.2)
    over.set()
    assert isinstance(error, ReceiverError)
    assert "within 0.2 s" in error.message


@pytest.mark.parametrize("chunk", [b"x" * 65_536, b"x"])
async def test_an_endless_answer_is_not_read_to_its_end_and_its_status_counts(place: Place, chunk: bytes) -> None:
    sent = 0

    async def endless(request: web.Request, _: bytes) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while sent < 1_000 * DRAINED:
                await answer.write(chunk)
                sent += len(chunk)
                if len(chunk) == 1:
                    await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        return answer

    place.answer = endless
    assert await post(place) is None
    assert sent < 500 * DRAINED


async def test_an_answer_is_not_unpacked(place: Place) -> None:
    async def bomb(request: web.Request, _: bytes) -> web.Response:
        return web.Response(body=gzip.compress(bytes(1 << 24)), headers={"Content-Encoding": "gzip"})

    place.answer = bomb
    assert await post(place) is None


async def test_what_speaks_no_http_may_pass() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        assert isinstance(await post(Place(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")), ReceiverError)


async def test_requests_share_connections_and_keep_no_cookie(place: Place) -> None:
    async def sweet(request: web.Request, _: bytes) -> web.Response:
        answer = web.Response(text="ok")
        answer.set_cookie("seen", "1")
        return answer

    place.answer = sweet
    webhook = to(place.url)
    for _ in range(5):
        await webhook.take(NAME, BODY)
    await webhook.close()
    assert len({each.peer for each in place.posts}) == 1
    assert not any("Cookie" in each.headers for each in place.posts)


async def test_no_more_requests_than_connections_and_those_that_wait_are_no_failures(place: Place) -> None:
    under_way = most = 0

    async def slow(request: web.Request, _: bytes) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return web.Response()

    place.answer = slow
    webhook = Webhook(WebhookSettings(url=place.url, connections=2), SECRET)
    await asyncio.gather(*(webhook.take(NAME, BODY) for _ in range(20)))
    await webhook.close()
    assert (most, len(place.posts)) == (2, 20)


async def test_five_failures_in_a_row_open_the_circuit_and_refusals_do_not(place: Place) -> None:
    webhook = to(place.url)
    place.status = 422
    for _ in range(8):
        with pytest.raises(ReceiverRefusedError):
            await webhook.take(NAME, BODY)
    place.status = 503
    for _ in range(5):
        with pytest.raises(ReceiverError):
            await webhook.take(NAME, BODY)
    with pytest.raises(CircuitOpenError) as shut:
        await webhook.take(NAME, BODY)
    await webhook.close()
    assert len(place.posts) == 13
    assert "hidden" not in str(shut.value)


async def test_no_message_tells_path_secret_or_body(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    said = []
    for status in (302, 404, 500):
        place.status = status
        said.append(str(await post(place)))
    said.append(str(await post(Place(f"http://127.0.0.1:{free_port()}/hook?key=hidden"))))
    told = "\n".join([*said, caplog.text])
    assert "127.0.0.1" in told
    assert not [word for word in ("hook", "hidden", SECRET.decode(), BODY.decode()) if word in told]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hook",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https://me:hidden@example.org/",
        "https://example.org:port/",
        "https://example.org/#hidden",
        "https://[::1/",
        "http://example.org/hidden",
        "http://169.254.169.254/hidden",
        "http://10.0.0.1/hidden",
        "http://localhost.example.org/hidden",
        "http://127.0.0.1@example.org/hidden",
    ],
)
async def test_an_address_to_which_nothing_is_sent(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        to(url)
    assert "webhook.url" in str(refused.value)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://example.org/hook", "http://localhost:9/", "http://[::1]:9/hook", "http://127.0.0.1:9"]
)
async def test_an_address_that_is_one(url: str) -> None:
    assert to(url).policy.name.startswith("webhook http")


async def test_a_certificate_that_nobody_vouches_for_gets_nothing_and_one_of_the_settings_authority_does(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*authority.issue("receiver"))
    async with receiving(server) as place:
        assert isinstance(await post(place), ReceiverError)
        assert place.posts == []
        webhook = Webhook(WebhookSettings(url=place.url, ca_file=authority.ca_file), SECRET)
        await webhook.take(NAME, BODY)
        await webhook.close()
        assert len(place.posts) == 1


async def test_certificates_that_are_none_are_an_error_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match="ca_file"):
            Webhook(WebhookSettings(url="https://example.org/", ca_file=tmp_path / file), SECRET)


def test_the_secret_comes_from_a_file_of_ones_own_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**fields: Any) -> bytes:
        return secret_of(Settings(state_dir=tmp_path, webhook=WebhookSettings(**fields)))

    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    (tmp_path / "secret").chmod(0o600)
    assert said(secret_file="secret") == said(secret=SECRET.decode()) == SECRET
    monkeypatch.setenv("MONMOUTH_WEBHOOK__SECRET", SECRET.decode())
    assert secret_of(Settings(state_dir=tmp_path)) == SECRET
    monkeypatch.delenv("MONMOUTH_WEBHOOK__SECRET")
    for fields in ({}, {"secret": "x" * 20, "secret_file": "secret"}, {"secret": "short"}, {"secret_file": "missing"}):
        with pytest.raises(ConfigurationError):
            said(**fields)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to others"):
        said(secret_file="secret")

"""Channels against local servers that speak the true protocols, and what they refuse."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
from aiohttp import web

from streams.errors import ConfigurationError, may_pass
from streams.ops.alerts.channels import Channel, LogChannel, PagerDuty, Slack, Webhook, make_channel
from streams.ops.alerts.errors import ChannelError, RefusedEventError
from streams.ops.alerts.life import Event
from streams.ops.alerts.post import Poster, seconds_asked
from streams.ops.alerts.rules import AlertRule
from tests.certificates import Authority

RULE = AlertRule("Slow", "a > 1", severity="critical", description="Too <slow> & so on")
FIRING = Event(RULE, (("target", "x"),), "firing", 2.5, 100.0, 101.0)
RESOLVED = Event(RULE, (("target", "x"),), "resolved", 2.5, 100.0, 160.0)


@dataclass
class Receiver:
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    peers: set[object] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        return web.Response(
            status=self.status, headers={**self.headers, **({"Location": self.url} if self.status == 302 else {})}
        )

    def body(self, at: int = -1) -> Any:
        return json.loads(self.got[at][1])


@asynccontextmanager
async def receiving(status: int, tls: SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(status)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def posting() -> AsyncIterator[Poster]:
    poster = Poster()
    try:
        yield poster
    finally:
        await poster.close()


async def test_a_webhook_is_signed_over_the_very_bytes() -> None:
    async with receiving(204) as receiver, posting() as poster:
        await Webhook(receiver.url, b"secret", poster).send(FIRING)
        headers, body = receiver.got[0]
        expected = hmac.new(b"secret", body, sha256).hexdigest()
        assert headers["X-Monmouth-Signature"] == f"sha256={expected}"
        assert receiver.body()["labels"] == {"target": "x"}
        assert receiver.body()["key"] == "Slow,target=x"
        await Webhook(receiver.url, poster=poster).send(RESOLVED)
        assert "X-Monmouth-Signature" not in receiver.got[1][0]
        assert receiver.body()["state"] == "resolved"


async def test_slack_gets_text_that_is_no_markup() -> None:
    async with receiving(200) as receiver, posting() as poster:
        await Slack(receiver.url, poster).send(FIRING)
        assert receiver.body() == {
            "text": "[firing] critical Slow (target=x): a &gt; 1, value 2.5\nToo &lt;slow&gt; &amp; so on"
        }


async def test_pagerduty_is_triggered_and_resolved_under_one_key() -> None:
    async with receiving(202) as receiver, posting() as poster:
        channel = PagerDuty("R0UT1NG", "here", receiver.url, poster)
        await channel.send(FIRING)
        await channel.send(RESOLVED)
        trigger, resolve = receiver.body(0), receiver.body(1)
        assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
        assert trigger["dedup_key"] == resolve["dedup_key"]
        assert trigger["payload"]["severity"] == "critical"
        assert trigger["payload"]["source"] == "here"


async def test_a_key_that_is_too_long_for_pagerduty_stays_one_of_its_own() -> None:
    long = "x" * 300
    events = [
        Event(RULE, (("target", f"{long}{end}"),), state, 2.5, 100.0, 101.0) for end in "ab" for state in ("firing", "resolved")
    ]
    async with receiving(202) as receiver, posting() as poster:
        for event in events:
            await PagerDuty("R", "s", receiver.url, poster).send(event)
        keys = [receiver.body(at)["dedup_key"] for at in range(4)]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert {len(key) for key in keys} == {255}


@pytest.mark.parametrize(
    ("status", "passes"),
    [(302, False), (400, False), (401, False), (404, False), (410, False), (408, True), (429, True), (500, True), (503, True)],
)
async def test_a_receiver_that_did_not_take_it_is_an_error_that_hides_its_address(status: int, passes: bool) -> None:
    async with posting() as poster:
        async with receiving(status) as receiver:
            channels = (
                Webhook(receiver.url, poster=poster),
                Slack(receiver.url, poster),
                PagerDuty("R", "s", receiver.url, poster),
            )
            for channel in channels:
                with pytest.raises(ChannelError, match=str(status)) as refused:
                    await channel.send(FIRING)
                assert may_pass(refused.value) is passes
                assert isinstance(refused.value, RefusedEventError) is not passes
            assert len(receiver.got) == 3, "no redirect is followed"
        with pytest.raises(ChannelError) as away:
            await Slack(receiver.url, poster).send(FIRING)
        assert may_pass(away.value)
        assert "127.0.0.1" not in str(away.value)


@pytest.mark.parametrize("url", ["nonsense", "gopher://127.0.0.1/x", "http://"])
async def test_what_is_no_address_is_refused_for_good(url: str) -> None:
    async with posting() as poster:
        with pytest.raises(RefusedEventError):
            await Slack(url, poster).send(FIRING)


async def test_a_certificate_that_nobody_trusts_is_refused_for_good(tmp_path: Path) -> None:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(tmp_path).issue("hook"))
    async with receiving(200, context) as receiver, posting() as poster:
        with pytest.raises(RefusedEventError, match="Certificate"):
            await Webhook(receiver.url, poster=poster).send(FIRING)
        assert receiver.got == []


async def test_a_receiver_says_when_it_wants_to_be_asked_again() -> None:
    async with receiving(429) as receiver, posting() as poster:
        receiver.headers["Retry-After"] = "17"
        with pytest.raises(ChannelError) as refused:
            await Webhook(receiver.url, poster=poster).send(FIRING)
    assert refused.value.retry_after == 17


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("30", 30),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_when_to_ask_again_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert seconds_asked(text, 100.0) == seconds


async def test_all_events_go_over_one_connection() -> None:
    async with receiving(200) as receiver, posting() as poster:
        for _ in range(5):
            await Webhook(receiver.url, poster=poster).send(FIRING)
            await Slack(receiver.url, poster).send(FIRING)
        assert (len(receiver.got), len(receiver.peers)) == (10, 1)


def test_secrets_come_from_files_and_variables_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("R0UT1NG\n")
    monkeypatch.setenv("HOOK", "http://127.0.0.1/x")
    made: list[Channel] = [
        make_channel("a", {"type": "log"}, Poster()),
        make_channel("b", {"type": "slack", "url_env": "HOOK"}, Poster()),
        make_channel("c", {"type": "pagerduty", "routing_key_file": str(file)}, Poster()),
        make_channel("d", {"type": "webhook", "url": "http://127.0.0.1/x", "secret_env": "HOOK"}, Poster()),
    ]
    assert isinstance(made[0], LogChannel)
    assert made[1] == Slack("http://127.0.0.1/x")
    assert made[2] == PagerDuty("R0UT1NG", "monmouth")
    assert made[3] == Webhook("http://127.0.0.1/x", b"http://127.0.0.1/x")


EMAIL = {"type": "email", "host": "h", "port": 25, "sender": "s", "recipients": ["r"]}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "type is None"),
        ({"type": "pigeon"}, "type is 'pigeon'"),
        ({"type": "slack", "url": "http://x"}, "url_env or url_file"),
        ({"type": "slack", "url_env": "MONMOUTH_NOT_SET"}, "is empty"),
        ({"type": "pagerduty", "routing_key_file": "/nowhere"}, "cannot read"),
        ({"type": "webhook", "url": "http://x", "colour": "red"}, "colour"),
        ({**EMAIL, "security": "maybe"}, "security is"),
        ({**EMAIL, "user": "u", "security": "none", "password_env": "PATH"}, "in clear"),
        ({**EMAIL, "recipients": "ops@example.org"}, "no list of addresses"),
        ({**EMAIL, "recipients": []}, "no list of addresses"),
        ({**EMAIL, "ca_file": "/nowhere"}, "ca_file /nowhere"),
        ({**EMAIL, "user": "u"}, "password_env or password_file"),
    ],
)
def test_a_channel_that_is_wrong_is_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_channel("x", said, Poster())
    assert reason in refused.value.message
    assert "channel x" in refused.value.message

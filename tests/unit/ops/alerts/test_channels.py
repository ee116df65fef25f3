"""Channels against local servers that speak the true protocols, and what they refuse."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.broker.ports import free_port
from streams.errors import ConfigurationError
from streams.ops.alerts.channels import Channel, ChannelError, Email, LogChannel, PagerDuty, Slack, Webhook, make_channel
from streams.ops.alerts.expression import parse
from streams.ops.alerts.life import Event
from streams.ops.alerts.rules import Rule

RULE = Rule("Slow", "a > 1", parse("a > 1"), severity="critical", description="Too <slow> & so on")
FIRING = Event(RULE, (("target", "x"),), "firing", 2.5, 100.0, 101.0)
RESOLVED = Event(RULE, (("target", "x"),), "resolved", 2.5, 100.0, 160.0)


@dataclass
class Receiver:
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers={"Location": self.url} if self.status == 302 else None)

    def body(self, at: int = -1) -> Any:
        return json.loads(self.got[at][1])


@asynccontextmanager
async def receiving(status: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(status)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def test_a_webhook_is_signed_over_the_very_bytes() -> None:
    async with receiving(204) as receiver:
        await Webhook(receiver.url, b"secret").send(FIRING)
        headers, body = receiver.got[0]
        expected = hmac.new(b"secret", body, sha256).hexdigest()
        assert headers["X-Monmouth-Signature"] == f"sha256={expected}"
        assert receiver.body()["labels"] == {"target": "x"}
        assert receiver.body()["key"] == "Slow,target=x"
        await Webhook(receiver.url).send(RESOLVED)
        assert "X-Monmouth-Signature" not in receiver.got[1][0]
        assert receiver.body()["state"] == "resolved"


async def test_slack_gets_text_that_is_no_markup() -> None:
    async with receiving(200) as receiver:
        await Slack(receiver.url).send(FIRING)
        assert receiver.body() == {
            "text": "[firing] critical Slow (target=x): a &gt; 1, value 2.5\nToo &lt;slow&gt; &amp; so on"
        }


async def test_pagerduty_is_triggered_and_resolved_under_one_key() -> None:
    async with receiving(202) as receiver:
        channel = PagerDuty("R0UT1NG", "here", receiver.url)
        await channel.send(FIRING)
        await channel.send(RESOLVED)
        trigger, resolve = receiver.body(0), receiver.body(1)
        assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
        assert trigger["dedup_key"] == resolve["dedup_key"]
        assert trigger["payload"]["severity"] == "critical"
        assert trigger["payload"]["source"] == "here"


@pytest.mark.parametrize("status", [302, 400, 404, 500])
async def test_a_receiver_that_did_not_take_it_is_an_error_that_hides_its_address(status: int) -> None:
    async with receiving(status) as receiver:
        for channel in (Webhook(receiver.url), Slack(receiver.url), PagerDuty("R", "s", receiver.url)):
            with pytest.raises(ChannelError, match=str(status)):
                await channel.send(FIRING)
        assert len(receiver.got) == 3, "no redirect is followed"
    with pytest.raises(ChannelError) as refused:
        await Slack(receiver.url).send(FIRING)
    assert "127.0.0.1" not in str(refused.value)


class Mailbox:
    """A real SMTP server's handler. ``refusing``: answers recipients with 550."""

    def __init__(self) -> None:
        self.messages: list[tuple[list[str], Message]] = []
        self.refusing = False

    async def handle_RCPT(  # noqa: N802  (the library's name)  # noqa: PLR0917
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusing:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.messages.append((envelope.rcpt_tos, BytesParser().parsebytes(envelope.content)))
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    port = free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield box, port
    finally:
        server.stop()


async def test_email_is_a_message_of_its_own_to_each_recipient(mail: tuple[Mailbox, int]) -> None:
    box, port = mail
    await Email("127.0.0.1", port, "monmouth@example.org", ("a@example.org", "b@example.org"), "none").send(FIRING)
    ((recipients, message),) = box.messages
    assert recipients == ["a@example.org", "b@example.org"]
    assert message["Subject"] == FIRING.summary
    assert message["X-Monmouth-Alert"] == "Slow,target=x"
    assert "Too <slow>" in str(message.get_payload())


async def test_email_that_is_refused_or_goes_nowhere_is_an_error(mail: tuple[Mailbox, int]) -> None:
    box, port = mail
    box.refusing = True
    with pytest.raises(ChannelError, match="did not take it"):
        await Email("127.0.0.1", port, "m@example.org", ("a@example.org",), "none").send(FIRING)
    with pytest.raises(ChannelError):
        await Email("127.0.0.1", port, "m@example.org", ("a@example.org",), "starttls").send(FIRING)
    assert box.messages == []


def test_secrets_come_from_files_and_variables_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("R0UT1NG\n")
    monkeypatch.setenv("HOOK", "http://127.0.0.1/x")
    made: list[Channel] = [
        make_channel("a", {"type": "log"}),
        make_channel("b", {"type": "slack", "url_env": "HOOK"}),
        make_channel("c", {"type": "pagerduty", "routing_key_file": str(file)}),
        make_channel("d", {"type": "webhook", "url": "http://127.0.0.1/x", "secret_env": "HOOK"}),
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
        ({**EMAIL, "user": "u"}, "password_env or password_file"),
    ],
)
def test_a_channel_that_is_wrong_is_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_channel("x", said)
    assert reason in refused.value.message
    assert "channel x" in refused.value.message

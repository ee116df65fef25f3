"""E-mail against a real SMTP server: in clear, over STARTTLS and over TLS, with and without a login."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from socket import create_connection
from ssl import CERT_NONE, PROTOCOL_TLS_SERVER, SSLContext, create_default_context

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from infra.broker.ports import free_port
from streams.errors import may_pass
from streams.ops.alerts import mail
from streams.ops.alerts.errors import ChannelError, RefusedEventError
from streams.ops.alerts.life import Event
from streams.ops.alerts.mail import Email
from streams.ops.alerts.rules import AlertRule
from tests.certificates import Authority

RULE = AlertRule("Slow", "a > 1", severity="critical", description="Too <slow> & so on")
FIRING = Event(RULE, (("target", "x"),), "firing", 2.5, 100.0, 101.0)
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # it does not see TLS that was there before it
BOTH = ("a@example.org", "b@example.org")


class Mailbox:
    """A real SMTP server's handler. ``answers``: to recipients by name, if not 250; ``farewell``: to QUIT.

    ``takes``: seconds that the answer to each recipient takes.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[list[str], Message]] = []
        self.answers: dict[str, str] = {}
        self.encrypted: list[bool] = []
        self.farewell = "221 Bye"
        self.takes = 0.0

    async def handle_RCPT(  # noqa: N802  (the library's name)  # noqa: PLR0917
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.takes)
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.messages.append((envelope.rcpt_tos, BytesParser().parsebytes(envelope.content)))
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return self.farewell


def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, found: object) -> AuthResult:
    right = isinstance(found, LoginPassword) and (found.login, found.password) == (b"monmouth", b"right")
    return AuthResult(success=right, handled=False)


class FromTheStart(Controller):
    """TLS before the first word of SMTP."""

    def _trigger_server(self) -> None:
        """As there, but not by the server's own context, which is none of a client."""
        client = create_default_context()
        client.check_hostname, client.verify_mode = False, CERT_NONE
        with create_connection(("127.0.0.1", self.port), 10) as near, client.wrap_socket(near) as safe:
            safe.recv(1024)

    def factory(self) -> SMTP:
        return SMTP(self.handler, auth_required=True, auth_require_tls=False, authenticator=login)


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


@pytest.fixture
def serve(box: Mailbox) -> Iterator[Callable[[Callable[[int], Controller]], int]]:
    running: list[Controller] = []

    def start(make: Callable[[int], Controller]) -> int:
        port = free_port()
        running.append(make(port))
        running[-1].start()
        return port

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def plain(box: Mailbox, serve: Callable[[Callable[[int], Controller]], int]) -> Email:
    port = serve(lambda port: Controller(box, hostname="127.0.0.1", port=port))
    return Email("127.0.0.1", port, "monmouth@example.org", BOTH, "none")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls(authority: Authority) -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mail"))
    return context


@pytest.fixture(params=["starttls", "tls"])
def safe(
    request: pytest.FixtureRequest,
    box: Mailbox,
    serve: Callable[[Callable[[int], Controller]], int],
    authority: Authority,
    tls: SSLContext,
) -> Email:
    """To a server that demands an encrypted connection and a login."""

    def make(port: int) -> Controller:
        if request.param == "tls":
            return FromTheStart(box, hostname="127.0.0.1", port=port, ssl_context=tls)
        return Controller(
            box,
            hostname="127.0.0.1",
            port=port,
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=login,
        )

    ca_file = str(authority.ca_file)
    return Email("127.0.0.1", serve(make), "m@example.org", BOTH, request.param, "monmouth", "right", ca_file)


async def test_email_is_one_message_to_all_recipients(box: Mailbox, plain: Email) -> None:
    await plain.send(FIRING)
    ((recipients, message),) = box.messages
    assert tuple(recipients) == BOTH
    assert message["Subject"] == FIRING.summary
    assert message["X-Monmouth-Alert"] == "Slow,target=x"
    assert "Too <slow>" in str(message.get_payload())


async def test_it_is_encrypted_and_logged_in(box: Mailbox, safe: Email) -> None:
    await safe.send(FIRING)
    assert len(box.messages) == 1
    assert box.encrypted == [True]


async def test_a_login_that_is_wrong_is_refused_for_good_and_tells_no_password(box: Mailbox, safe: Email) -> None:
    with pytest.raises(RefusedEventError, match="answered 535") as refused:
        await replace(safe, password="wr0ng").send(FIRING)
    assert "wr0ng" not in str(refused.value) + repr(replace(safe, password="wr0ng"))
    assert box.messages == []


async def test_a_server_whose_certificate_nobody_trusts_is_told_nothing(box: Mailbox, safe: Email) -> None:
    with pytest.raises(RefusedEventError, match="SSLCertVerificationError"):
        await replace(safe, ca_file="").send(FIRING)
    assert box.messages == []


async def test_a_server_without_starttls_is_told_nothing(box: Mailbox, plain: Email) -> None:
    with pytest.raises(RefusedEventError, match="SMTPNotSupportedError"):
        await replace(plain, security="starttls").send(FIRING)
    assert box.messages == []


@pytest.mark.parametrize(("answer", "passes"), [("550 no such user", False), ("451 later", True)])
async def test_what_is_refused_may_pass_by_its_code_alone(box: Mailbox, plain: Email, answer: str, passes: bool) -> None:
    box.answers = dict.fromkeys(BOTH, answer)
    with pytest.raises(ChannelError, match=answer[:3]) as refused:
        await plain.send(FIRING)
    assert may_pass(refused.value) is passes
    assert box.messages == []


async def test_nobody_gets_a_second_copy_when_another_one_is_tried_again(box: Mailbox, plain: Email) -> None:
    box.answers = {"a@example.org": "451 later"}
    with pytest.raises(ChannelError) as refused:
        await plain.send(FIRING)
    assert may_pass(refused.value)
    box.answers = {}
    await plain.send(FIRING)
    later = replace(FIRING, state="resolved")
    await plain.send(later)
    assert [recipients for recipients, _ in box.messages] == [["b@example.org"], ["a@example.org"], list(BOTH)]


async def test_what_a_server_says_to_the_farewell_changes_nothing(box: Mailbox, plain: Email) -> None:
    box.farewell = "451 not yet"
    await plain.send(FIRING)
    await plain.send(FIRING)
    assert [recipients for recipients, _ in box.messages] == [list(BOTH)], "all had it"
    box.answers = {"a@example.org": "550 no such user"}
    with pytest.raises(RefusedEventError, match="550"):
        await plain.send(replace(FIRING, state="resolved"))


async def test_a_server_that_takes_its_time_with_each_recipient_is_cut_off(
    box: Mailbox, plain: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "LONGEST", 0.5)
    box.takes = mail.TIMEOUT - 2  # each answer comes in time
    with pytest.raises(ChannelError, match="did not take it") as refused:
        await plain.send(FIRING)
    assert may_pass(refused.value)
    assert box.messages == []


async def test_where_nobody_listens_may_pass() -> None:
    with pytest.raises(ChannelError) as refused:
        await Email("127.0.0.1", free_port(), "m@example.org", BOTH, "none").send(FIRING)
    assert may_pass(refused.value)

"""Alerts by e-mail (SMTP).

Assumes a server that gives each answer within ``TIMEOUT`` and all of them within ``LONGEST``. Invariants: a password goes over
an encrypted connection only; the server's certificate is verified; a recipient whose copy was taken gets no second one of the
same event when others are tried again, and what the server says to the farewell changes nothing of that; an answer of 5xx is a
RefusedEventError, everything else that goes wrong a ChannelError.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

from streams.ops.alerts.errors import ChannelError, RefusedEventError
from streams.ops.alerts.life import Event
from streams.ops.alerts.told import body_of, short_key

TIMEOUT = 10.0
LONGEST = 60.0
"""Seconds of one try. Each answer has its ``TIMEOUT``, and there is one for each recipient."""
SUBJECT_MOST = 200
KEY_MOST = 200
Answers = dict[str, tuple[int, bytes]]


@dataclass(slots=True)
class _Taken:
    """Who took the event that was tried last."""

    event: Event | None = None
    recipients: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Email:
    """SMTP. ``security``: starttls, tls or none. ``ca_file``: whose certificates are trusted in place of the system's."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    _taken: _Taken = field(default_factory=_Taken, init=False, compare=False, repr=False)

    async def send(self, event: Event) -> None:
        try:
            await asyncio.to_thread(self._send, event)
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(error.recipients) from None
        except smtplib.SMTPResponseException as error:
            raise self._wrong(f"answered {error.smtp_code}", final=error.smtp_code >= 500) from None
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
            raise self._wrong(f"cannot be used so: {type(error).__name__}", final=True) from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._wrong(f"did not take it: {type(error).__name__}", final=False) from None

    def _send(self, event: Event) -> None:
        if self._taken.event != event:
            self._taken.event, self._taken.recipients = event, set()
        left = [name for name in self.recipients if name not in self._taken.recipients]
        if not left:
            return
        with self._connection() as server:
            if self.user:
                server.login(self.user, self.password)
            refused = server.send_message(self._message(event), to_addrs=left)
            self._taken.recipients.update(set(left) - set(refused))
        if refused:
            raise self._refused(refused)

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Over TLS where that is asked for. It is cut off when the try has taken ``LONGEST``: nobody can stop a thread."""
        began = time.monotonic()
        tls = None if self.security == "none" else ssl.create_default_context(cafile=self.ca_file or None)
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=tls)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        end = threading.Timer(max(0.0, began + LONGEST - time.monotonic()), _cut, [server])
        end.daemon = True
        end.start()
        try:
            if self.security == "starttls":
                server.starttls(context=tls)
            yield server
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            end.cancel()
            server.close()

    def _message(self, event: Event) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(self.recipients)
        message["Subject"] = event.summary.replace("\n", " ")[:SUBJECT_MOST]
        message["Date"] = formatdate(event.at)
        message["X-Monmouth-Alert"] = short_key(event.key, KEY_MOST).replace("\n", " ")
        message.set_content(f"{event.rule.description}\n\n{json.dumps(body_of(event), indent=2)}\n")
        return message

    def _refused(self, answers: Answers) -> ChannelError:
        """It may pass if it may for any of them; who is refused for good is told nothing then, and so are those who took it."""
        return self._wrong(f"refused {_named(answers)}", final=all(code >= 500 for code, _ in answers.values()))

    def _wrong(self, what: str, *, final: bool) -> ChannelError:
        return (RefusedEventError if final else ChannelError)(f"email: {self.host}:{self.port} {what}")


def _cut(server: smtplib.SMTP) -> None:
    """Has whoever waits for an answer of the server read its end."""
    if server.sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(server.sock, socket.SHUT_RDWR)  # TLS has a farewell of its own, for which nobody waits


def _named(answers: Answers) -> str:
    found: Iterable[tuple[str, tuple[int, bytes]]] = sorted(answers.items())
    return ", ".join(f"{name} with {code}" for name, (code, _) in found)

"""Where alerts are told: log, generic webhook, Slack, PagerDuty (Events API v2), e-mail.

Secrets come from the environment or from files, never from the channels' file itself. Assumes receivers that answer within
``TIMEOUT``. Invariants: ``send`` raises ChannelError unless the receiver took the event; every attempt of one event carries the
same key, so a receiver can tell a repeat; what is sent holds metric names, labels and values, never settings.
Protocols: a webhook body is signed as ``X-Monmouth-Signature: sha256=HEX`` (HMAC-SHA256 over the bytes sent); Slack's incoming
webhooks take ``{"text": ...}`` and answer 200; PagerDuty's ``/v2/enqueue`` takes trigger and resolve under a ``dedup_key`` and
answers 202.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from streams.errors import Category, ConfigurationError, MonmouthError, Severity
from streams.ops.alerts.life import Event

TIMEOUT = 10.0
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
log = logging.getLogger("monmouth.alerts")


class ChannelError(MonmouthError):
    """A receiver did not take an event."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True


class Channel(Protocol):
    """One receiver."""

    async def send(self, event: Event) -> None:
        """Tells an event. Raises ChannelError."""


def body_of(event: Event) -> dict[str, Any]:
    """An event as JSON, the same for all channels that take any."""
    return {
        "key": event.key,
        "name": event.rule.name,
        "state": event.state,
        "gone": event.gone,
        "severity": event.rule.severity,
        "condition": event.rule.condition,
        "description": event.rule.description,
        "runbook": event.rule.runbook,
        "labels": dict(event.labels),
        "value": event.value,
        "since": event.since,
        "at": event.at,
    }


class LogChannel:
    """The process's own log."""

    async def send(self, event: Event) -> None:
        log.log(logging.INFO if event.state == "resolved" and not event.gone else logging.WARNING, "%s", event.summary)


class SilentChannel:
    """Takes what is already said where the log would say it again."""

    async def send(self, event: Event) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts ``body_of``; ``secret``: signs it."""

    url: str
    secret: bytes = b""

    async def send(self, event: Event) -> None:
        body = json.dumps(body_of(event), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Monmouth-Signature"] = f"sha256={hmac.new(self.secret, body, sha256).hexdigest()}"
        await _post("webhook", self.url, body, headers)


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook; its address is the secret."""

    url: str

    async def send(self, event: Event) -> None:
        text = f"{event.summary}\n{event.rule.description}".rstrip()
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        await _post("slack", self.url, json.dumps({"text": escaped}).encode(), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """Events API v2: a firing alert triggers an incident, a resolved one resolves it."""

    routing_key: str
    source: str
    url: str = PAGERDUTY

    async def send(self, event: Event) -> None:
        said: dict[str, Any] = {
            "routing_key": self.routing_key,
            "event_action": "resolve" if event.state == "resolved" else "trigger",
            "dedup_key": event.key[:255],
        }
        if event.state != "resolved":
            said["payload"] = {
                "summary": event.summary[:1024],
                "source": self.source,
                "severity": event.rule.severity,
                "custom_details": body_of(event),
            }
        await _post("pagerduty", self.url, json.dumps(said).encode(), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Email:
    """SMTP. ``security``: starttls, tls or none; a password goes over an encrypted connection only."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: str = "starttls"
    user: str = ""
    password: str = ""

    async def send(self, event: Event) -> None:
        try:
            await asyncio.to_thread(self._send, self._message(event))
        except (smtplib.SMTPException, OSError) as error:
            raise ChannelError(f"email: {self.host}:{self.port} did not take it: {type(error).__name__}") from None

    def _message(self, event: Event) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(self.recipients)
        message["Subject"] = event.summary.replace("\n", " ")[:200]
        message["Date"] = formatdate(event.at)
        message["X-Monmouth-Alert"] = event.key[:200].replace("\n", " ")
        message.set_content(f"{event.rule.description}\n\n{json.dumps(body_of(event), indent=2)}\n")
        return message

    def _send(self, message: EmailMessage) -> None:
        tls = ssl.create_default_context()
        if self.security == "tls":
            with smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=tls) as server:
                self._deliver(server, message)
            return
        with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT) as server:
            if self.security == "starttls":
                server.starttls(context=tls)
            self._deliver(server, message)

    def _deliver(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        if self.user:
            server.login(self.user, self.password)
        if refused := server.send_message(message):
            raise ChannelError(f"email: {self.host}:{self.port} refused {', '.join(refused)}")


async def _post(channel: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    try:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if not 200 <= answer.status < 300:
                raise ChannelError(f"{channel}: the receiver answered {answer.status}")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise ChannelError(f"{channel}: not told: {type(error).__name__}") from None  # the address may be a secret


def make_channel(name: str, said: Mapping[str, Any]) -> Channel:
    """A channel of the channels' file. Raises ConfigurationError."""
    fields = dict(said)
    kind = fields.pop("type", None)
    try:
        match kind:
            case "log":
                channel: Channel = LogChannel(**fields)
            case "webhook":
                secret = _secret(fields, "secret").encode() if {"secret_env", "secret_file"} & fields.keys() else b""
                channel = Webhook(secret=secret, **fields)
            case "slack":
                channel = Slack(url=_secret(fields, "url"), **fields)
            case "pagerduty":
                channel = PagerDuty(routing_key=_secret(fields, "routing_key"), **{"source": "monmouth", **fields})
            case "email":
                channel = _email(fields)
            case _:
                raise ConfigurationError(
                    f"channel {name}: type is {kind!r}", "Known types: log, webhook, slack, pagerduty, email."
                )
    except TypeError as error:
        raise ConfigurationError(f"channel {name}: {str(error).rpartition('__init__() ')[2]}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"channel {name}: {error.message}", error.hint) from None
    return channel


def _email(fields: dict[str, Any]) -> Email:
    password = _secret(fields, "password") if fields.get("user") else ""
    security = fields.get("security", "starttls")
    if security not in {"starttls", "tls", "none"}:
        raise ConfigurationError(f"security is {security!r}", "Say starttls, tls or none.")
    if password and security == "none":
        raise ConfigurationError("a password would go over the network in clear", "Set security to starttls or tls.")
    return Email(password=password, recipients=tuple(fields.pop("recipients", ())), **fields)


def _secret(fields: dict[str, Any], name: str) -> str:
    """``NAME_env`` or ``NAME_file`` of the fields, taken out of them."""
    variable, file = fields.pop(f"{name}_env", None), fields.pop(f"{name}_file", None)
    if (variable is None) == (file is None):
        raise ConfigurationError(f"give {name}_env or {name}_file", "Secrets are not written into this file.")
    try:
        found = os.environ.get(variable, "") if variable is not None else Path(file).read_text().strip()
    except (OSError, TypeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from None
    if not found:
        raise ConfigurationError(f"{variable or file} is empty")
    return found

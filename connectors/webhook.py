"""Records by POST to an address of the operator's choice, over one pool of connections and through one circuit.

Assumes a receiver may be wrong, slow or hostile. The status alone decides: 2xx took the record; 408, 425, 429 and 5xx may pass,
as what never came to an answer may; anything else, redirects among it, is a refusal. There is one try: what waits to be tried
again waits in the log. Invariants: no redirect is followed, no proxy asked, no cookie kept; of an answer's body no more than
``DRAINED`` bytes are read, and nothing is made of them; messages name the host, never path, secret or body.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from connectors.chain.jsonrpc import BUSY, public
from streams import wall
from streams.errors import ConfigurationError
from streams.near import is_near
from streams.policy import Terms, policy_for
from streams.pools import http_session
from streams.ports.receiver import ReceiverError, ReceiverRefusedError
from streams.private_file import read_secret
from streams.settings import Settings
from streams.webhook_settings import WebhookSettings
from streams.webhook_signature import signed

ID = "X-Monmouth-Id"
DRAINED = 65_536
DRAIN_SECONDS = 1.0
LEAST_SECRET = 16
TERMS = Terms(concurrent=None, call_seconds=None, tries=1)
"""Time is bounded by the session, the number of requests by ``webhook.connections``."""


class Webhook:
    """The receiver of the settings. Opens its connections with the first record; ``close`` when done."""

    def __init__(self, settings: WebhookSettings, secret: bytes, now: Callable[[], float] = wall.time_of_day) -> None:
        """Raises ConfigurationError."""
        self._url = _address(settings.url)
        self._secret = secret
        self._settings = settings
        self._now = now
        self._tls = _tls(settings.ca_file)
        self._session: aiohttp.ClientSession | None = None
        self._free = asyncio.Semaphore(settings.connections)
        self.name = public(settings.url)
        self.policy = policy_for(f"webhook {self.name}", TERMS)

    async def take(self, name: str, body: bytes) -> None:
        """Posts one record, and is done when the receiver said that it has it."""
        async with self._free:
            headers = {"Content-Type": "application/json", ID: name, **signed(self._secret, body, int(self._now()))}
            await self.policy.once(lambda: self._post(headers, body))

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, headers: Mapping[str, str], body: bytes) -> None:
        try:
            async with self._opened().post(
                self._url, data=body, headers=headers, allow_redirects=False, ssl=self._tls
            ) as answer:
                await _drain(answer)
        except TimeoutError:
            seconds = self._settings.timeout_seconds
            raise ReceiverError(f"{self.name} gave no answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # their words may hold the path
            raise ReceiverError(f"{self.name} was not reached: {type(error).__name__}") from None
        self._judge(answer.status)

    def _judge(self, status: int) -> None:
        if 200 <= status < 300:
            return
        if status in BUSY or status >= 500:
            raise ReceiverError(f"{self.name} answered {status}")
        said = "leads elsewhere, where nothing is sent" if 300 <= status < 400 else "refused it"
        raise ReceiverRefusedError(f"{self.name} answered {status}: it {said}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = http_session(
                "webhook",
                limit=self._settings.connections,
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "monmouth"},
            )
        return self._session


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Reads a short answer to its end, so that its connection serves again; that of a long or slow one is closed."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            left = DRAINED
            while left > 0:
                chunk = await answer.content.read(left)
                if not chunk:
                    return
                left -= len(chunk)
    answer.close()


def secret_of(settings: Settings) -> bytes:
    """What requests are signed with. Raises ConfigurationError."""
    said = settings.webhook
    text = said.secret.get_secret_value()
    if bool(text) == (said.secret_file is not None):
        raise ConfigurationError(
            "the webhook needs one secret to sign with",
            "Set webhook.secret_file to a file of mode 0600, or MONMOUTH_WEBHOOK__SECRET; the receiver knows the same one.",
        )
    if said.secret_file is not None:
        file = settings.path(said.secret_file)
        try:
            text = read_secret(file, "webhook.secret_file")
        except OSError as error:
            raise ConfigurationError(f"webhook.secret_file {file}: {error.strerror}") from None
    if len(text) < LEAST_SECRET:
        raise ConfigurationError(f"the secret of the webhook is shorter than {LEAST_SECRET} characters", "It can be guessed.")
    return text.encode()


def _address(url: str) -> str:
    """``url``, if records may go there. Raises ConfigurationError, which shows no more of it than its host."""
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:  # a port that is no number, half an IPv6 address
        wrong = True
    if wrong or parts.username or parts.password or parts.fragment:
        raise ConfigurationError(
            f"not the address of a receiver: {public(url)}" if url else "the webhook has no address",
            "Set webhook.url to https://host[:port]/path, without a login: the signature says who asks.",
        )
    if parts.scheme == "http" and not is_near(parts.hostname or ""):
        raise ConfigurationError(
            f"{parts.hostname} is another machine, and http is not encrypted", "Write https:// in webhook.url."
        )
    return url


def _tls(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError among it
        raise ConfigurationError(f"webhook.ca_file {ca_file}: {error.strerror or error}") from None

"""An external schema registry, by Confluent's REST API: registers schemas under the ids that records carry.

Assumes the ids are on the wire already: a registry that gives a schema another id is of no use to whoever decodes by it, so
that is an error, and never a mapping. Invariants: schemas are imported under their ids where the registry can do that; where it
counts by itself, a version that got another id is taken back; a subject that was left in import mode by one who was killed is
taken out of it by the next one, registered or not.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

from connectors.chain.jsonrpc import public
from streams.core.registry.compatibility import Level
from streams.core.registry.decide import Wanted
from streams.errors import Category, ConfigurationError, MonmouthError, Severity
from streams.near import demand_near
from streams.policy import Terms, policy_for
from streams.private_file import read_secret
from streams.settings import RegistrySettings

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
IMPORT = "IMPORT"
OK, NOT_FOUND, NO_SUBJECT = 200, 404, 40401
LONGEST_MESSAGE = 600
SECONDS = 30.0
MAX_ANSWER = 8 * 1024 * 1024
TERMS = Terms(call_seconds=None)
"""The session bounds time. All that is asked may be asked again: what is registered already is found so."""


class RegistryRefusedError(MonmouthError):
    """The registry did not take a schema, or not as it must be."""

    category = Category.EXTERNAL
    severity = Severity.HIGH


class RegistryAwayError(RegistryRefusedError):
    """The registry did not answer."""

    passes = True


class Answer(NamedTuple):
    """Of one request. ``code``: of the registry, 0 where it gave none."""

    status: int
    code: int
    body: Any

    @property
    def message(self) -> str:
        """What it said."""
        said = self.body.get("message") if isinstance(self.body, dict) else self.body
        return f"{said} (status {self.status})"[:LONGEST_MESSAGE]


class ExternalRegistry:
    """One registry; an asynchronous context."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Raises ConfigurationError."""
        parts = urlsplit(settings.url)
        if not settings.url.startswith(("http://", "https://")) or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError(
                f"not the address of a registry: {public(settings.url)}",
                "Set registry.url to http(s)://host:port[/path], and who asks to registry.user and registry.password.",
            )
        if settings.user and parts.scheme == "http" and not settings.allow_unencrypted:
            demand_near(
                [parts.hostname], "the login at registry.url", "Write https:// in registry.url", "registry.allow_unencrypted"
            )
        self.name = public(settings.url)
        self._url = settings.url.rstrip("/")
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._policy = policy_for(f"registry {self.name}", TERMS)

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(cafile=self._settings.ca_file) if self._settings.ca_file else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            auth=aiohttp.BasicAuth(self._settings.user, self._password()) if self._settings.user else None,
            headers={"Content-Type": MEDIA_TYPE, "Accept": f"{MEDIA_TYPE}, application/json"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def _password(self) -> str:
        file = self._settings.password_file
        try:
            return self._settings.password.get_secret_value() if file is None else read_secret(file, "registry password")
        except OSError as error:
            raise ConfigurationError(f"registry password {file} is not readable: {error.strerror}") from None

    async def register(self, wanted: Iterable[Wanted], level: Level, *, dry_run: bool = False) -> list[Wanted]:
        """Registers what is not registered yet, in that order; what that was, or would be. ``level``: of new subjects.

        Raises RegistryRefusedError for the first that is incompatible, or has or gets another id.
        """
        new = []
        for one in wanted:
            answer = await self._ask("POST", f"/subjects/{_quoted(one)}", {"schema": one.text})
            if answer.status == OK:
                self._demand_id(one, answer)
                if not dry_run:
                    await self._leave_import_mode(one)
                continue
            if answer.status != NOT_FOUND:
                raise self._refused(f"{one.subject} cannot be looked up", answer)
            if answer.code != NO_SUBJECT:
                await self._demand_compatible(one)
            if not dry_run:
                await self._add(one, level if answer.code == NO_SUBJECT else None)
            new.append(one)
        return new

    async def _demand_compatible(self, wanted: Wanted) -> None:
        """Against all versions, so that what is imported past the registry's own check has passed it too."""
        path = f"/compatibility/subjects/{_quoted(wanted)}/versions?verbose=true"
        answer = await self._ask("POST", path, {"schema": wanted.text})
        if answer.status != OK:
            raise self._refused(f"{wanted.subject} cannot be tested", answer)
        if not answer.body.get("is_compatible"):
            reasons = "; ".join(map(str, answer.body.get("messages") or ["no reason given"]))[:LONGEST_MESSAGE]
            raise RegistryRefusedError(
                f"{self.name} finds schema {wanted.id} incompatible with {wanted.subject}: {reasons}",
                "Look at the versions of that subject there: something else was registered under its name.",
            )

    async def _add(self, wanted: Wanted, level: Level | None) -> None:
        async with self._import_mode(wanted) as importing:
            body = {"schema": wanted.text, **({"id": wanted.id} if importing else {})}
            answer = await self._ask("POST", f"/subjects/{_quoted(wanted)}/versions", body)
        if answer.status != OK:
            raise self._refused(f"schema {wanted.id} cannot be registered for {wanted.subject}", answer)
        try:
            self._demand_id(wanted, answer)
        except RegistryRefusedError:
            gone = await self._ask("DELETE", f"/subjects/{_quoted(wanted)}/versions/latest")
            await self._ask("DELETE", f"/subjects/{_quoted(wanted)}/versions/{gone.body}?permanent=true")
            raise
        if level is not None:
            await self._ask("PUT", f"/config/{_quoted(wanted)}", {"compatibility": level})

    @asynccontextmanager
    async def _import_mode(self, wanted: Wanted) -> AsyncIterator[bool]:
        """Whether the subject takes ids meanwhile; afterwards its mode is what it was."""
        path = f"/mode/{_quoted(wanted)}"
        before = await self._ask("GET", path)
        if (await self._ask("PUT", f"{path}?force=true", {"mode": IMPORT})).status != OK:
            yield False
            return
        try:
            yield True
        finally:
            if before.status == OK and before.body["mode"] != IMPORT:
                await self._ask("PUT", f"{path}?force=true", {"mode": before.body["mode"]})
            else:
                await self._ask("DELETE", path)

    async def _leave_import_mode(self, wanted: Wanted) -> None:
        """If the subject is in it: nobody but this program puts it there, and whoever did was cut off."""
        path = f"/mode/{_quoted(wanted)}"
        found = await self._ask("GET", path)
        if found.status == OK and found.body["mode"] == IMPORT:
            await self._ask("DELETE", path)

    def _demand_id(self, wanted: Wanted, answer: Answer) -> None:
        found = answer.body.get("id") if isinstance(answer.body, dict) else None
        if found != wanted.id:
            raise RegistryRefusedError(
                f"{self.name} knows the schema of {wanted.subject} under id {found}; records carry id {wanted.id}",
                "Use a registry that has import mode, or one that nothing was registered in before; or point readers at the "
                "gateway's own, /registry.",
            )

    def _refused(self, what: str, answer: Answer) -> RegistryRefusedError:
        hint = "Check registry.user and registry.password." if answer.status in {401, 403} else "Is registry.url right?"
        return RegistryRefusedError(f"{self.name}: {what}: {answer.message}", hint)

    async def _ask(self, method: str, path: str, body: Any = None) -> Answer:
        return await self._policy.call(lambda: self._once(method, path, body))

    async def _once(self, method: str, path: str, body: Any) -> Answer:
        assert self._session is not None, "enter the context first"
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._session.request(method, f"{self._url}{path}", data=data, allow_redirects=False) as response:
                text = await response.content.read(MAX_ANSWER)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RegistryAwayError(
                f"no registry answers at {self.name} ({type(error).__name__})", "Is it up, and is registry.url right?"
            ) from None
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = text[:200].decode(errors="replace")
        return Answer(status, found.get("error_code", 0) if isinstance(found, dict) else 0, found)


def _quoted(wanted: Wanted) -> str:
    return quote(wanted.subject, safe="")

"""Asks one deployment's gateway what it holds. Nothing it says is believed beyond what it commits itself to.

Invariants: no answer is read past ``LONGEST`` bytes or awaited past ``SECONDS``; an answer of a wrong shape, beyond a limit, or
that does not hash to what was said before raises PartnerError; redirects are not followed, so a token goes nowhere else.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import TracebackType
from typing import Protocol, Self, TypeVar

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from streams.core.sync.digests import agent_digest
from streams.core.sync.tree import EMPTY, AgentTree, Node, makes
from streams.errors import Category, MonmouthError, Severity
from streams.pools import http_session
from streams.serving.client_errors import GatewayError
from streams.serving.transport import checked_url, demand_private, headers_with
from streams.serving.wire.base import ErrorBody
from streams.serving.wire.sync import (
    CHILDREN,
    AgentDigest,
    AgentsView,
    ChildrenView,
    KeptCheckpoint,
    KeptHeights,
    NodeView,
    RowsView,
    RowView,
    SnapshotView,
    StretchView,
    SyncSummary,
)

A = TypeVar("A", bound=BaseModel)
LONGEST = 2 * 1024 * 1024
SECONDS = 30.0
PATIENCE = 600.0
"""Seconds that a snapshot may take."""
POLL = 0.2
PAGES = 200
NOTHING = NodeView(digest="0x" + EMPTY.hex(), count=0)
NOT_KEPT = 404


class PartnerError(MonmouthError):
    """The other deployment cannot be compared with: it does not answer, breaks its word, or goes beyond limits."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM


class MovedError(MonmouthError):
    """Something was overtaken while it was compared; comparing again helps."""

    category = Category.PROCESSING
    severity = Severity.LOW
    passes = True


class BusyError(MovedError):
    """It makes a snapshot for somebody else just now."""


class Exchange(Protocol):
    """Sends a request; status and body of the answer. Raises PartnerError."""

    async def __call__(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]: ...

    async def close(self) -> None:
        """Closes what is open."""


class OverHttp:
    """An Exchange with the gateway at ``url``."""

    def __init__(self, url: str, token: str | None, allow_unencrypted: bool) -> None:
        try:
            self._url, self._headers = checked_url(url), headers_with(token)
            demand_private(self._url, self._headers, allow_unencrypted)
        except GatewayError as error:
            raise PartnerError(error.message, error.hint) from None
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        if self._session is None:
            self._session = http_session("partner", timeout=aiohttp.ClientTimeout(total=SECONDS), auto_decompress=False)
        try:
            async with self._session.request(
                method, self._url + target, data=body, headers=self._headers, allow_redirects=False
            ) as response:
                whole = bytearray()
                async for part in response.content.iter_chunked(65_536):
                    whole += part
                    if len(whole) > LONGEST:
                        raise PartnerError(
                            f"{self._url}: an answer is longer than {LONGEST} bytes", "Is it a Monmouth gateway?"
                        )
                return response.status, bytes(whole)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise PartnerError(
                f"no answer from {self._url}: {reason}", "Is the gateway running, and the address right?"
            ) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Partner:
    """One side of a comparison. ``name``: in errors and reports. ``requests``: how many were sent."""

    def __init__(self, name: str, exchange: Exchange) -> None:
        self.name = name
        self.requests = 0
        self._exchange = exchange

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.close()

    async def summary(self) -> SyncSummary:
        """Who it is."""
        return await self._ask(SyncSummary, "GET", "/v1/sync")

    async def heights(self) -> list[int]:
        """Heights of its checkpoints, rising."""
        heights = (await self._ask(KeptHeights, "GET", "/v1/sync/checkpoints")).heights
        if any(after <= before for before, after in pairwise(heights)):
            raise self._broken("its heights do not rise")
        return heights

    async def checkpoint(self, number: int) -> KeptCheckpoint:
        """One of them. Raises MovedError if it is not kept any more."""
        found = await self._ask(KeptCheckpoint, "GET", f"/v1/sync/checkpoints/{number}")
        if found.number != number:
            raise self._broken(f"asked for the checkpoint of block {number}, it gave that of {found.number}")
        return found

    async def open(self, number: int, block_hash: str) -> OpenSnapshot:
        """Its store as of a block, once it is digested."""
        body = orjson.dumps({"number": number, "hash": block_hash})
        try:
            async with asyncio.timeout(PATIENCE):
                view = await self._begun(body)
                name = view.id
                if not name.isalnum():
                    raise self._broken("its snapshot has no proper name")
                while not view.ready:
                    await asyncio.sleep(POLL)
                    view = await self._ask(SnapshotView, "GET", f"/v1/sync/snapshots/{name}")
        except TimeoutError:
            raise PartnerError(f"{self.name}: no snapshot within {PATIENCE:g} s", "See its gateway's log.") from None
        if view.root is None or (view.number, view.hash) != (number, block_hash):
            raise self._broken("its snapshot is of another block")
        return OpenSnapshot(self, name, view)

    async def _begun(self, body: bytes) -> SnapshotView:
        while True:
            try:
                return await self._ask(SnapshotView, "POST", "/v1/sync/snapshots", body)
            except BusyError:
                await asyncio.sleep(POLL)

    async def _ask(self, shape: type[A], method: str, target: str, body: bytes | None = None) -> A:
        self.requests += 1
        status, raw = await self._exchange(method, target, body)
        if 200 <= status < 300:
            try:
                return shape.model_validate_json(raw)
            except ValidationError as error:
                place = ".".join(str(part) for part in error.errors()[0]["loc"])
                raise self._broken(f"{shape.__name__}: {place or 'the answer'} is not what it must be") from None
        raise self._refused(status, raw)

    def _refused(self, status: int, raw: bytes) -> MonmouthError:
        try:
            said = ErrorBody.model_validate_json(raw)
        except ValidationError:
            return PartnerError(f"{self.name} answered {status}", "Is it a Monmouth gateway of a version that can compare?")
        message, hint = _line(said.message), _line(said.hint)
        if said.error == "rate_limited":
            return BusyError(f"{self.name}: {message}", hint)
        if said.error in {"not_kept", "not_settled", "not_visible_yet"} or (status == NOT_KEPT and "snapshot" in message):
            return MovedError(f"{self.name}: {message}", hint or "Compare again.")
        return PartnerError(f"{self.name}: {message}", hint)

    def _broken(self, fault: str) -> PartnerError:
        return PartnerError(f"{self.name} contradicts itself, or is broken: {fault}", "Nothing it said was used for a repair.")


class OpenSnapshot:
    """One side's store as of a block."""

    def __init__(self, partner: Partner, name: str, view: SnapshotView) -> None:
        self._partner = partner
        self._path = f"/v1/sync/snapshots/{name}"
        self.shift = view.shift
        self.root = view.root or NOTHING

    async def stretch(self, number: int) -> str:
        """Digest of all facts up to a stretch of blocks."""
        found = await self._partner._ask(StretchView, "GET", f"{self._path}/stretches/{number}")
        return found.digest

    async def children(self, prefix: str, node: NodeView) -> list[NodeView]:
        """The nodes below a node that was said before."""
        if node.count == 0:
            return [NOTHING] * CHILDREN
        children = (await self._partner._ask(ChildrenView, "GET", f"{self._path}/children?prefix={prefix}")).children
        if not makes(_node(node), [_node(child) for child in children]):
            raise self._partner._broken(f"the nodes below {prefix or 'the root'} are not those of the digest it gave")
        return children

    async def agents(self, prefix: str, node: NodeView) -> list[AgentDigest]:
        """The agents of a node of few, which was said before."""
        if node.count == 0:
            return []
        found = (await self._partner._ask(AgentsView, "GET", f"{self._path}/agents?prefix={prefix}")).agents
        pairs = {bytes.fromhex(one.agent[2:]): bytes.fromhex(one.digest[2:]) for one in found}
        tree = AgentTree(pairs.items())
        if len(pairs) != len(found) or any(not agent.hex().startswith(prefix) for agent in pairs):
            raise self._partner._broken(f"agents below {prefix} that do not belong there")
        if "0x" + tree.node(prefix).digest.hex() != node.digest:
            raise self._partner._broken(f"the agents below {prefix} are not those of the digest it gave")
        return found

    async def rows(self, agent: str, digest: str) -> Rows:
        """Memories of one agent, whose digest was said before."""
        rows: list[RowView] = []
        after = ""
        for _ in range(PAGES):
            target = f"{self._path}/agents/{agent}/rows" + (f"?after={after}" if after else "")
            page = await self._partner._ask(RowsView, "GET", target)
            if page.agent != agent or any(row.memory_id <= after for row in page.rows):
                raise self._partner._broken(f"memories that are not {agent}'s next ones")
            rows += page.rows
            if page.next is None:
                break
            after = page.next
        else:
            raise self._partner._broken(f"{agent} has more than {PAGES} pages of memories")
        if page.unreadable:
            return Rows([], erased=page.erased, unreadable=True)
        elements = [bytes.fromhex(fact.element[2:]) for row in rows for fact in row.facts]
        said = "0x" + agent_digest(bytes.fromhex(agent[2:]), elements).hex() if elements else ""
        if said != digest:
            raise MovedError(f"{self._partner.name}: memories of {agent} are not those of the digest it gave", "Compare again.")
        return Rows(rows, erased=page.erased)


class Rows:
    """Memories of one agent on one side."""

    def __init__(self, rows: list[RowView], *, erased: bool = False, unreadable: bool = False) -> None:
        self.rows = rows
        self.erased = erased
        self.unreadable = unreadable


def _node(view: NodeView) -> Node:
    return Node(bytes.fromhex(view.digest[2:]), view.count)


def _line(text: str) -> str:
    """What another machine said, fit for a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)[:300]


def over_http(name: str, url: str, token: str | None, *, allow_unencrypted: bool = False) -> Partner:
    """The gateway at ``url``. Raises PartnerError, also where the token would go to another machine in the clear."""
    return Partner(name, OverHttp(url, token, allow_unencrypted))

"""What the clients send and how they read the answer; no I/O. One function a route, with the names of the API.

An agent is 0x-hex or 20 bytes, a memory id 0x-hex or 32 bytes.
"""

from __future__ import annotations

import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeVar, Unpack
from urllib.parse import quote, urlencode

import orjson
from pydantic import BaseModel, ValidationError

from schemas.records import MemoryType
from streams.serving.addresses import to_hex
from streams.serving.client_errors import GatewayError, UnreadableError, error_of
from streams.serving.said import Ends, Name, Noted, Said, Taking, When
from streams.serving.wire import (
    CacheState,
    ChainState,
    Change,
    ChangeType,
    ConsistencyView,
    Context,
    DocumentView,
    EmbeddingView,
    EntryProofView,
    ErasureView,
    ErrorBody,
    Health,
    ImportView,
    IntentView,
    LogList,
    LogView,
    MemoryList,
    MemoryView,
    PackageView,
    ProofView,
    Ready,
    Receipt,
    RootView,
)
from streams.serving.wire.dashboard import AlertList, ComponentList, DashboardState, Exported, SeriesView
from streams.serving.wire.states import CheckpointView, StateView, SyncView, TransitionsView, VerificationView

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One request. ``also``: statuses besides 2xx that carry an answer; ``media_type``: of a body that is no JSON. A call may
    be sent twice: each is idempotent.
    """

    method: str
    path: str
    answer: type[A]
    params: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    also: frozenset[int] = frozenset()
    media_type: str | None = None

    @property
    def target(self) -> str:
        """Path and query string."""
        query = urlencode({name: value for name, value in self.params.items() if value is not None}, doseq=True)
        return f"{self.path}?{query}" if query else self.path

    def headed(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers of every request, and what this one says besides."""
        return headers if self.media_type is None else {**headers, "content-type": self.media_type}

    def read(self, status: int, body: bytes, retry_after: str | None = None, media_type: str | None = None) -> A:
        """The answer. ``retry_after``, ``media_type``: the headers, if there were any. Raises GatewayError."""
        if 200 <= status < 300 or status in self.also:
            try:
                return self.answer.model_validate_json(body)
            except ValidationError:
                raise UnreadableError(
                    f"{self.path} answered what this client cannot read", "Is it a Monmouth gateway?", status
                ) from None
        raise refusal(self.path, status, body, retry_after)


def refusal(path: str, status: int, body: bytes, retry_after: str | None = None) -> GatewayError:
    """What a status that is none of success says."""
    try:
        fault = ErrorBody.model_validate_json(body)
    except ValidationError:
        return UnreadableError(f"{path} answered {status}", "Is it a Monmouth gateway?", status)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return error_of(fault.error, fault.message, fault.hint, status, seconds)


def named(value: Name) -> str:
    """As it stands in a path."""
    return to_hex(value) if isinstance(value, bytes) else quote(value, safe="")


def agent_name(agent: Name) -> str:
    """The agent as answers name it."""
    return to_hex(agent) if isinstance(agent, bytes) else "0x" + agent.lower().removeprefix("0x")


def agent_path(agent: Name) -> str:
    return f"/v1/agents/{named(agent)}"


def _memory(agent: Name, memory_id: Name) -> str:
    return f"{agent_path(agent)}/memories/{named(memory_id)}"


def query_context(
    agent: Name,
    query: str | None = None,
    max_results: int = 10,
    *,
    min_similarity: float | None = None,
    max_tokens: int | None = None,
    window: Mapping[str, Any] | None = None,
    filter: Mapping[str, Any] | None = None,  # noqa: A002  (the API's name)
    cursor: str | None = None,
    order: str | None = None,
    render: str | None = None,
    truncate: bool | None = None,
    proofs: bool | None = None,
    **when: Unpack[When],
) -> Call[Context]:
    """A question, a window, or both. Says only what was given, so that an older gateway understands it."""
    body = {
        "query": query,
        "max_results": max_results,
        "min_similarity": min_similarity,
        "max_tokens": max_tokens,
        "window": window,
        "filter": filter,
        "cursor": cursor,
        "order": order,
        "render": render,
        "truncate": truncate,
        "proofs": proofs,
        **when,
    }
    given = {name: value for name, value in body.items() if value is not None}
    return Call("POST", f"{agent_path(agent)}/query", Context, body=orjson.dumps(given))


def store(agent: Name, data: str | bytes, **said: Unpack[Said]) -> Call[Receipt]:
    """A memory to keep. Has a command id in any case, so that sending it twice stores it once."""
    return Call("POST", f"{agent_path(agent)}/memories", Receipt, body=orjson.dumps(_remembered(data, said)))


def supersede(agent: Name, old: Ends, data: str | bytes, **said: Unpack[Said]) -> Call[Receipt]:
    """A memory to keep in the place of others."""
    body = _remembered(data, said) | {"supersedes": _ended(old)}
    return Call("POST", f"{agent_path(agent)}/memories/supersede", Receipt, body=orjson.dumps(body))


def merge(agent: Name, old: Ends, data: str | bytes, **said: Unpack[Said]) -> Call[Receipt]:
    """A memory to keep that says what others said."""
    body = _remembered(data, said) | {"merges": _ended(old)}
    return Call("POST", f"{agent_path(agent)}/memories/merge", Receipt, body=orjson.dumps(body))


def link(
    agent: Name, source: Name, target: Name, relation: str = "", *, strength: float = 1.0, **noted: Unpack[Noted]
) -> Call[Receipt]:
    """Two memories that belong together."""
    one = {"source": _id(source), "target": _id(target), "relation": relation, "strength": strength}
    body = _identified(noted) | {"links": [one]}
    return Call("POST", f"{agent_path(agent)}/memories/link", Receipt, body=orjson.dumps(body))


def invalidate(agent: Name, old: Ends, reason: str = "", **noted: Unpack[Noted]) -> Call[Receipt]:
    """Memories that are no longer true."""
    body = _identified(noted) | {"memories": _ended(old), "reason": reason}
    return Call("POST", f"{agent_path(agent)}/memories/invalidate", Receipt, body=orjson.dumps(body))


def _remembered(data: str | bytes, said: Said) -> dict[str, Any]:
    content = {"text": data} if isinstance(data, str) else {"content_base64": b64encode(data).decode()}
    plain = "text/plain" if isinstance(data, str) else "application/octet-stream"
    links = [{**link, "target": _id(link["target"])} for link in said.get("links", ())]
    labels = {"media_type": said.get("media_type") or plain, "tags": list(said.get("tags", ())), "links": links}
    return _identified(said) | content | labels


def _identified(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**fields, "command_id": fields.get("command_id") or str(uuid.uuid4())}


def _ended(old: Ends) -> list[dict[str, Any]]:
    pairs = old.items() if isinstance(old, Mapping) else [(one, None) for one in ([old] if isinstance(old, Name) else old)]
    return [{"memory_id": _id(memory_id), "until": until} for memory_id, until in pairs]


def _id(value: Name) -> str:
    return to_hex(value) if isinstance(value, bytes) else value


def retrieve(
    agent: Name,
    *,
    types: Iterable[MemoryType] = (),
    tags: Iterable[str] = (),
    min_importance: float = 0.0,
    since: int | None = None,
    until: int | None = None,
    max_age: int | None = None,
    limit: int = 100,
    amendments: bool = False,
    order: Literal["newest", "oldest"] | None = None,
    **when: Unpack[When],
) -> Call[MemoryList]:
    """Memories that match."""
    params = {
        "type": list(types),
        "tag": list(tags),
        "min_importance": min_importance,
        "since": since,
        "until": until,
        "max_age": max_age,
        "limit": limit,
        "amendments": amendments or None,
        "order": order,
        **when,
    }
    return Call("GET", f"{agent_path(agent)}/memories", MemoryList, params)


def get(agent: Name, memory_id: Name, **when: Unpack[When]) -> Call[MemoryView]:
    """One memory."""
    return Call("GET", _memory(agent, memory_id), MemoryView, {**when})


def forget(agent: Name, memory_id: Name, *, command_id: str | None = None, wait: float = 0.0) -> Call[Receipt]:
    """A memory to forget."""
    return Call("DELETE", _memory(agent, memory_id), Receipt, {"command_id": command_id or str(uuid.uuid4()), "wait": wait})


def watch(
    agent: Name, *, types: Iterable[ChangeType] = (), cursor: str | None = None, start: Literal["now", "beginning"] = "now"
) -> Call[Change]:
    """The change feed; its answer is a stream of events."""
    return Call("GET", f"{agent_path(agent)}/changes", Change, {"type": list(types), "cursor": cursor, "start": start})


def erasure(agent: Name) -> Call[ErasureView]:
    """What came of an erasure."""
    return Call("GET", f"{agent_path(agent)}/erasure", ErasureView)


def erase(agent: Name, *, wait: float = 0.0) -> Call[ErasureView]:
    """Everything of an agent, for good."""
    return Call("DELETE", agent_path(agent), ErasureView, {"wait": wait})


def root(agent: Name) -> Call[RootView]:
    """The published root."""
    return Call("GET", f"{agent_path(agent)}/root", RootView)


def agent_state(
    agent: Name,
    *,
    types: Iterable[MemoryType] = (),
    proofs: bool = False,
    limit: int = 100,
    wait_for: str | None = None,
    wait_for_block: int | str | None = None,
    wait: float | None = None,
) -> Call[StateView]:
    """Root and memories."""
    params = {"type": list(types), "proofs": str(proofs).lower(), "limit": limit}
    waiting = {"wait_for": wait_for, "wait_for_block": wait_for_block, "wait": wait}
    return Call("GET", f"{agent_path(agent)}/state", StateView, {**params, **waiting})


def verify_state(agent: Name, expected: str, block: int | None = None) -> Call[VerificationView]:
    """Whether a checksum or root is, or was, the agent's."""
    return Call("GET", f"{agent_path(agent)}/state/verification", VerificationView, {"expected": expected, "block": block})


def transitions(agent: Name, start: int, end: int | None = None, limit: int = 1_000) -> Call[TransitionsView]:
    """Changes of the root."""
    params = {"from": start, "to": end, "limit": limit}
    return Call("GET", f"{agent_path(agent)}/state/transitions", TransitionsView, params)


def sync(
    agent: Name,
    *,
    since: int | None = None,
    types: Iterable[MemoryType] = (),
    cursor: str | None = None,
    limit: int = 1_000,
    wait_for: str | None = None,
    wait_for_block: int | str | None = None,
    wait: float | None = None,
) -> Call[SyncView]:
    """A page for a replica."""
    params = {"since": since, "type": list(types), "cursor": cursor, "limit": limit}
    waiting = {"wait_for": wait_for, "wait_for_block": wait_for_block, "wait": wait}
    return Call("GET", f"{agent_path(agent)}/sync", SyncView, {**params, **waiting})


def checkpoint(agent: Name) -> Call[CheckpointView]:
    """Where the agent's partition stands."""
    return Call("GET", f"{agent_path(agent)}/checkpoint", CheckpointView)


def proof(agent: Name, memory_id: Name) -> Call[ProofView]:
    """Inclusion or absence."""
    return Call("GET", f"{_memory(agent, memory_id)}/proof", ProofView)


def proof_document(agent: Name, memory_id: Name) -> Call[DocumentView]:
    """The proof alone."""
    return Call("GET", f"{_memory(agent, memory_id)}/proof/document", DocumentView)


def export(agent: Name, *, format: str = "lines", compress: bool = False) -> Call[PackageView]:  # noqa: A002  (the API's name)
    """All live memories in one package."""
    return Call("GET", f"{agent_path(agent)}/export", PackageView, {"format": format, "compress": compress})


def export_file(agent: Name, *, format: str = "lines", compress: bool = False) -> Call[Exported]:  # noqa: A002  (the API's name)
    """The same as the file itself."""
    return _PackageFile("GET", f"{agent_path(agent)}/export", Exported, {"format": format, "compress": compress, "raw": True})


def import_package(agent: Name, package: bytes, **how: Unpack[Taking]) -> Call[ImportView]:
    """A file to take in, as it is."""
    return Call("POST", f"{agent_path(agent)}/import", ImportView, {**how}, package, media_type="application/octet-stream")


def logs() -> Call[LogList]:
    """Every log of final states."""
    return Call("GET", "/v1/logs", LogList)


def log(partition: int) -> Call[LogView]:
    """One log of final states."""
    return Call("GET", f"/v1/logs/{partition:d}", LogView)


def log_entry(partition: int, index: int, *, size: int | None = None) -> Call[EntryProofView]:
    """An entry with its proof."""
    return Call("GET", f"/v1/logs/{partition:d}/entries/{index:d}", EntryProofView, {"size": size})


def log_consistency(partition: int, first: int, first_root: str, *, size: int | None = None) -> Call[ConsistencyView]:
    """Proof that a log only grew."""
    params = {"first": first, "first_root": first_root, "size": size}
    return Call("GET", f"/v1/logs/{partition:d}/consistency", ConsistencyView, params)


def generate_embedding(text: str) -> Call[EmbeddingView]:
    """A text to its vector."""
    return Call("POST", "/v1/embeddings", EmbeddingView, body=orjson.dumps({"text": text}))


def parse_intent(transaction: Mapping[str, Any]) -> Call[IntentView]:
    """A transaction, as a node prints it, to its intent."""
    return Call("POST", "/v1/intents", IntentView, body=orjson.dumps(dict(transaction)))


def chain() -> Call[ChainState]:
    """Head, finality, reorganisations."""
    return Call("GET", "/v1/chain", ChainState)


def cache() -> Call[CacheState]:
    """Of the gateway's caches; the operator's."""
    return Call("GET", "/v1/cache", CacheState)


def resize_cache(size_mb: int, l1_entries: int | None = None) -> Call[CacheState]:
    """Another size of the cache, until the gateway starts again; the operator's."""
    return Call("PUT", "/v1/cache", CacheState, body=orjson.dumps({"size_mb": size_mb, "l1_entries": l1_entries}))


def dashboard() -> Call[DashboardState]:
    """Everything that the dashboard shows; the operator's, as the four below."""
    return Call("GET", "/api/dashboard", DashboardState)


def components() -> Call[ComponentList]:
    """Processes that report."""
    return Call("GET", "/api/components", ComponentList)


def alerts() -> Call[AlertList]:
    """What fires, and what did."""
    return Call("GET", "/api/alerts", AlertList)


def performance(metric: str, duration: str) -> Call[SeriesView]:
    """The history of one series."""
    return Call("GET", f"/api/performance/{quote(metric, safe='')}", SeriesView, {"duration": duration})


class _File(Call[Exported]):
    """A call whose answer is bytes."""

    def read(self, status: int, body: bytes, retry_after: str | None = None, media_type: str | None = None) -> Exported:
        if status == HTTPStatus.OK:
            return Exported(content=body)
        raise refusal(self.path, status, body, retry_after)


class _PackageFile(_File):
    """A package's file. Gateways of earlier versions do not know ``raw`` and answer with JSON that holds it."""

    def read(self, status: int, body: bytes, retry_after: str | None = None, media_type: str | None = None) -> Exported:
        if status != HTTPStatus.OK or (media_type or "").partition(";")[0].strip().lower() != "application/json":
            return super().read(status, body, retry_after, media_type)
        try:
            return Exported(content=b64decode(PackageView.model_validate_json(body).package_base64, validate=True))
        except ValueError:  # of pydantic and of base64
            raise UnreadableError(f"{self.path} answered no package", "Is it a Monmouth gateway?", status) from None


def export_dashboard(format: str) -> Call[Exported]:  # noqa: A002  (the API's name)
    """The dashboard as a file."""
    return _File("GET", f"/api/dashboard/export/{quote(format, safe='')}", Exported)


def live() -> Call[Ready]:
    """Whether the process serves at all."""
    return Call("GET", "/livez", Ready)


def ready() -> Call[Ready]:
    """Whether answers would be true."""
    return Call("GET", "/readyz", Ready)


def health() -> Call[Health]:
    """All probes; an unhealthy gateway answers too."""
    return Call("GET", "/health", Health, also=frozenset({503}))

"""JSON-RPC 2.0 over HTTP: single calls and batches, with limits on what comes back.

Assumes the far side may be wrong, slow or hostile. Invariants: the answer of a call is the one that carries its id; nothing
larger than the limit is read; a failure is a SourceError that names the node without credentials and what it said.
``Accept-Encoding: identity``: a node on the same host spends a quarter of its time on gzip otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from streams.errors import ConfigurationError, NotANodeError, SourceError
from streams.near import demand_near
from streams.policy import SourceOpenError, Terms, policy_for
from streams.pools import http_session

Call = tuple[str, list[Any]]
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
BUSY = (408, 425, 429)
"""HTTP statuses below 500 that a node may answer with: later it answers."""
NOT_A_NODE = "Is this the address of a node's JSON-RPC?"
MAX_ANSWER = 256 * 1024 * 1024
TERMS = Terms(open_seconds=5.0, concurrent=None, call_seconds=None, opened=SourceOpenError)
"""Time is bounded by the session, the number of calls by who asks. Every call is a question, so it may be asked again."""


class RpcError(SourceError):
    """The node answered a call with an error object: asking again gives it again."""

    passes = False

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.code = code


class BatchRefusedError(SourceError):
    """The node took none of a batch, or its answer is too large; smaller ones may pass."""

    passes = False


def public(url: str) -> str:
    """The address without user, password, path or query, which may hold keys."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
    except ValueError:  # a port that is no number, half an IPv6 address
        return "an unreadable address"


def demand_private_login(url: str) -> None:
    """Raises ConfigurationError if user or password in it would go beyond this machine in the clear."""
    parts = urlsplit(url)
    if parts.scheme in {"http", "ws"} and (parts.username or parts.password):
        demand_near(
            [parts.hostname or ""],
            f"the login in {public(url)}",
            "Write https:// or wss:// in the address of the node",
            "chain.allow_unencrypted",
        )


class JsonRpc:
    """One node. Opens its connections on the first call; ``close`` when done."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        max_answer: int = MAX_ANSWER,
        allow_unencrypted: bool = False,
        namesakes: int = 0,
    ) -> None:
        """``namesakes``: how many others there are whose addresses differ in what is not public alone."""
        if not public(url).startswith(("http://", "https://")) or not urlsplit(url).hostname:
            raise ConfigurationError(f"not a node address: {public(url)}", "Give it as http://host:port.")
        if not allow_unencrypted:
            demand_private_login(url)
        self._url = url
        self.name = public(url) + (f" ({namesakes + 1})" if namesakes else "")
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._max_answer = max_answer
        self.policy = policy_for(f"node {self.name}", TERMS)
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one call. Raises RpcError for an error answer, SourceError for anything else that went wrong."""
        (result,) = await self.batch([(method, list(params))])
        if isinstance(result, RpcError):
            raise result
        return result

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Results in the order of ``calls``, an RpcError where the node sent one. Raises SourceError."""
        if not calls:
            return []
        requests = {
            next(self._ids): {"jsonrpc": "2.0", "method": method, "params": params} for method, params in calls
        }  # fmt: skip
        body = [{"id": key, **request} for key, request in requests.items()]
        asked = orjson.dumps(body if len(body) > 1 else body[0])
        answer = await self.policy.call(lambda: self._post(asked))
        answers = answer if len(body) > 1 else [answer]
        if not isinstance(answers, list):
            raise BatchRefusedError(f"{self.name} did not answer the batch: {self._complaint(answers)}")
        return self._sort(list(requests), calls, answers)

    def _sort(self, ids: list[int], calls: Sequence[Call], answers: list[Any]) -> list[Any]:
        found: dict[int, Any] = {}
        for answer in answers:
            if (
                not isinstance(answer, dict)
                or not isinstance(answer.get("id"), int)
                or ("result" in answer) == ("error" in answer)
            ):
                raise NotANodeError(
                    f"{self.name} sent something that is no JSON-RPC answer: {self._complaint(answer)}", NOT_A_NODE
                )
            if answer["id"] in found:
                raise SourceError(f"{self.name} answered call {answer['id']} twice")
            found[answer["id"]] = answer
        if found.keys() != set(ids):
            raise SourceError(f"{self.name} answered other calls than those asked: {len(found)} answers to {len(ids)} calls")
        return [self._result(method, found[key]) for key, (method, _) in zip(ids, calls, strict=True)]

    def _result(self, method: str, answer: dict[str, Any]) -> Any:
        if "result" in answer:
            return answer["result"]
        error = answer["error"]
        if not isinstance(error, dict) or not isinstance(error.get("code"), int):
            raise SourceError(f"{self.name} sent an error without a code: {str(error)[:200]}")
        return RpcError(method, error["code"], str(error.get("message"))[:300])

    @staticmethod
    def _complaint(answer: Any) -> str:
        error = answer.get("error") if isinstance(answer, dict) else None
        return str(error or answer)[:200]

    async def _post(self, body: bytes) -> Any:
        if self._session is None:
            self._session = http_session("node", timeout=self._timeout, headers=HEADERS)
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                text = await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise SourceError(
                f"{self.name} does not answer: {reason}", "Is the node running, and is this its address?"
            ) from None
        if response.status != 200:
            said = f"{self.name} answered HTTP {response.status}: {text[:200].decode(errors='replace')!r}"
            raise SourceError(said) if response.status >= 500 or response.status in BUSY else NotANodeError(said, NOT_A_NODE)
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise NotANodeError(
                f"{self.name} sent something that is not JSON: {text[:80].decode(errors='replace')!r} ({len(text)} bytes)",
                NOT_A_NODE,
            ) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_chunked(1 << 20):
            size += len(chunk)
            if size > self._max_answer:
                response.close()
                raise BatchRefusedError(f"{self.name} sent more than {self._max_answer} bytes in one answer")
            chunks.append(chunk)
        return b"".join(chunks)

    async def close(self) -> None:
        """Closes the connections; safe to call twice."""
        if self._session is not None:
            await self._session.close()
            self._session = None

"""Reads and changes access control lists on the brokers, in requests of the protocol: the client library has no calls for them.

Assumes a login that may: DESCRIBE of the cluster to read, ALTER to change, which is its administrator's. Invariant: nothing is
removed but by name, so that what others were granted stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest
from aiokafka.protocol.api import Request

from infra.acls.grants import Grant
from infra.topics import TopicError, with_client
from streams.cluster.denials import denied
from streams.settings import KafkaSettings

RESOURCES = {2: "TOPIC", 3: "GROUP", 4: "CLUSTER", 5: "TRANSACTIONAL_ID", 6: "DELEGATION_TOKEN", 7: "USER"}
PATTERNS = {3: "LITERAL", 4: "PREFIXED"}
OPERATIONS = {
    2: "ALL",
    3: "READ",
    4: "WRITE",
    5: "CREATE",
    6: "DELETE",
    7: "ALTER",
    8: "DESCRIBE",
    9: "CLUSTER_ACTION",
    10: "DESCRIBE_CONFIGS",
    11: "ALTER_CONFIGS",
    12: "IDEMPOTENT_WRITE",
    13: "CREATE_TOKENS",
    14: "DESCRIBE_TOKENS",
    15: "TWO_PHASE_COMMIT",
}
PERMISSIONS = {2: "DENY", 3: "ALLOW"}
ANY = 1
DENIED, NO_AUTHORIZER = 31, 54
SETTLE_SECONDS = 15.0
POLL = 0.05
REQUEST_SIZE = 100
"""Grants changed in one request."""


class _CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """The library's own takes one at a time."""

    API_KEY = 30

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._rows = [_row(grant) for grant in grants]

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rows)


class _DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    API_KEY = 31

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._rows = [_row(grant) for grant in grants]

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._rows)


async def held(kafka: KafkaSettings) -> set[Grant]:
    """All grants on the brokers. Raises TopicError, ClusterAccessError."""
    return await with_client(kafka, _held)


async def add(kafka: KafkaSettings, grants: Sequence[Grant]) -> None:
    """Adds them, and waits until they hold; those that are there stay. Raises TopicError, ClusterAccessError."""
    for some in _portions(grants):
        answer = await with_client(kafka, partial(_send, _CreateAcls(some)))
        for code, message in answer.creation_responses:
            _demand_done(code, message)
    await _settle(kafka, lambda now: set(grants) <= now)


async def remove(kafka: KafkaSettings, grants: Sequence[Grant]) -> None:
    """Removes exactly these, and waits until they hold no more. Raises TopicError, ClusterAccessError."""
    for some in _portions(grants):
        answer = await with_client(kafka, partial(_send, _DeleteAcls(some)))
        for code, message, _matching in answer.filter_responses:
            _demand_done(code, message)
    await _settle(kafka, lambda now: not set(grants) & now)


async def _settle(kafka: KafkaSettings, done: Callable[[set[Grant]], bool]) -> None:
    """A broker follows the controller that took the change a moment later."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while not done(await held(kafka)):
        if asyncio.get_running_loop().time() > deadline:
            raise TopicError(f"grants changed, but not seen on a broker within {SETTLE_SECONDS:.0f} s", "Is every broker up?")
        await asyncio.sleep(POLL)


async def _send(request: Any, client: AIOKafkaAdminClient) -> Any:
    return await client._send_request(request)


async def _held(client: AIOKafkaAdminClient) -> set[Grant]:
    answer = await client._send_request(DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY))
    _demand_done(answer.error_code, answer.error_message)
    return {
        Grant(
            who,
            RESOURCES.get(kind, str(kind)),
            name,
            PATTERNS.get(pattern, str(pattern)),
            OPERATIONS.get(operation, str(operation)),
            PERMISSIONS.get(permission, str(permission)),
            host,
        )
        for kind, name, pattern, rows in answer.resources
        for who, host, operation, permission in rows
    }


def _demand_done(code: int, message: str | None) -> None:
    if code == DENIED:
        raise denied("ALTER or DESCRIBE", "the cluster, to see and give grants,")
    if code == NO_AUTHORIZER:
        raise TopicError(
            "the brokers have no authorizer: whoever reaches them may do everything",
            "Set authorizer.class.name (org.apache.kafka.metadata.authorizer.StandardAuthorizer) and super.users on each.",
        )
    if code:
        raise TopicError(f"the brokers refused: {message or for_code(code).__name__}")


def _row(grant: Grant) -> tuple[Any, ...]:
    return (
        _code(RESOURCES, grant.resource),
        grant.name,
        _code(PATTERNS, grant.pattern),
        grant.principal,
        grant.host,
        _code(OPERATIONS, grant.operation),
        _code(PERMISSIONS, grant.permission),
    )


def _code(names: dict[int, str], name: str) -> int:
    return next((code for code, known in names.items() if known == name), int(name) if name.isdigit() else 0)


def _portions(grants: Sequence[Grant]) -> Iterable[Sequence[Grant]]:
    return (grants[at : at + REQUEST_SIZE] for at in range(0, len(grants), REQUEST_SIZE))

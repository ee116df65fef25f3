"""Static membership: a member of a group that has a name, so that a restart within the session timeout moves no partition.

The client sends the name when it joins and not with its heartbeats, so a broker could not tell it apart from a member whose
session is over: of two processes with one name, each would join again and turn the other one out, for ever. Here heartbeats
carry the name, and the broker's word that another process holds it now is kept until somebody asks.
Assumes ``attach`` is called before the group is joined. Invariant: a consumer that was turned out never joins again.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatResponse_v1
from aiokafka.protocol.types import Int32, Schema, String

from streams.errors import InstanceFencedError

FENCED_INSTANCE_ID = 82
"""The protocol's error code; the client has no class for it."""


class _HeartbeatResponse(HeartbeatResponse_v1):  # type: ignore[misc]
    API_VERSION = 3


class _HeartbeatStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = HeartbeatRequest.API_KEY
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _Heartbeat(Request[_HeartbeatStruct]):  # type: ignore[misc]
    API_KEY = HeartbeatRequest.API_KEY

    def __init__(self, *fields: Any) -> None:
        self._fields = fields

    def build(self, request_struct_class: type[_HeartbeatStruct]) -> _HeartbeatStruct:
        return request_struct_class(*self._fields)


class Membership:
    """The name of one member, if it has one."""

    def __init__(self, group: str, instance: str | None) -> None:
        self.instance = instance
        self._group = group
        self._fenced = False

    def attach(self, coordinator: Any) -> None:
        """Watches what the client's ``coordinator`` says to the broker, and hears."""
        if self.instance is None:
            return
        send = coordinator._send_req

        async def named(request: Any) -> Any:
            if self._fenced:
                raise KafkaError("fenced")  # nobody hears: whoever polls next is told by ``check``
            if isinstance(request, HeartbeatRequest):
                request = _Heartbeat(self._group, coordinator.generation, coordinator.member_id, self.instance)
            answer = await send(request)
            if getattr(answer, "error_code", 0) == FENCED_INSTANCE_ID:
                self._fenced = True
            return answer

        coordinator._send_req = named

    def check(self) -> None:
        """Raises InstanceFencedError if another process has the name now."""
        if self._fenced:
            raise InstanceFencedError(
                f"another process joined {self._group} as {self.instance}; this one is out",
                "Give each worker a name of its own (MONMOUTH_KAFKA__INSTANCE_ID), or stop one of the two.",
            )

"""What a client was let in for and may not do: the brokers' authorisation errors, with topic, operation and remedy.

A topic that a client may neither read nor write is as if it were not there, unless it is asked for by name: ``demand_topics``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.errors import ClusterAccessError

Operation = Literal["READ", "WRITE", "DESCRIBE"]
HINT = "An administrator of the cluster grants it: `monmouth acls apply`; `monmouth acls print` shows what each program needs."


def denial(error: BaseException, operation: Operation) -> ClusterAccessError | None:
    """What the client's error says was denied; None if it is of another kind. ``operation``: what a topic was wanted for."""
    match error:
        case TopicAuthorizationFailedError():
            return denied(operation, f"topic {_named(error)}")
        case GroupAuthorizationFailedError():
            return denied("READ", f"group {_named(error)}")
        case TransactionalIdAuthorizationFailed():
            return denied("WRITE", f"transactional id {_named(error)}")
        case ClusterAuthorizationFailedError():
            return denied(operation, "the cluster")
    return None


def denied(operation: str, resource: str) -> ClusterAccessError:
    """The brokers do not allow it."""
    return ClusterAccessError(f"the brokers deny {operation} of {resource} to this program", HINT)


def hidden(*topics: str) -> ClusterAccessError:
    """The brokers show these topics neither to read nor to write."""
    return denied("READ and WRITE", f"topic {', '.join(sorted(topics))}")


async def demand_topics(client: AIOKafkaClient, topics: Collection[str]) -> None:
    """Asks a broker. Raises ClusterAccessError if any of ``topics`` is hidden from this client, rather than not there."""
    answer = await client.send(client.get_random_node(), MetadataRequest(list(topics)))
    unseen = [entry[1] for entry in answer.topics if entry[0] == TopicAuthorizationFailedError.errno]
    if unseen:
        raise hidden(*unseen)


def _named(error: BaseException) -> str:
    names: Any = error.args[0] if error.args else "(unnamed)"
    return str(names) if isinstance(names, str) else ", ".join(sorted(map(str, names)))

"""What an error of a Kafka client is called where a person reads it.

Words only: what an error means is told by its type, and nothing decides by what is said here.
"""

from __future__ import annotations

import re

from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.errors import MonmouthError

_HOST = re.compile(r"\('([^']+)', (\d+)")
BROKER_HINT = "Is the broker up? `monmouth infra status` tells."


def spoken(error: BaseException) -> str:
    """One line. aiokafka names the class in the text already, and brokers that it did not reach as a list of Python's."""
    if isinstance(error, KafkaConnectionError) and (hosts := _HOST.findall(str(error))):
        return f"no broker answers at {', '.join(dict.fromkeys(':'.join(host) for host in hosts))}"
    if isinstance(error, KafkaError):
        return str(error)
    if isinstance(error, MonmouthError):
        return error.message
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def hint(error: BaseException) -> str:
    """What to do about it; empty where that is not known."""
    return BROKER_HINT if isinstance(error, KafkaConnectionError) else ""


def missing(topic: str) -> str:
    """Of a topic that nobody has made."""
    return f"there is no topic {topic} yet; `monmouth topics apply` makes it"

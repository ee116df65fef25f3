"""Which hosts are this machine, and that what is secret or private goes to no other one in the clear.

One rule for every kind of connection: brokers, stores, registries, nodes. Assumes that a name other than ``localhost`` may lead
anywhere, whatever it resolves to now. Invariant: a refusal names the host and the settings that mend it, and nothing that was
to be kept secret.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from streams.errors import ConfigurationError


def is_near(host: str) -> bool:
    """Whether only this machine can be meant by it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host in it; empty if there is none, which is not near."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # half an IPv6 address
        return ""


def demand_near(
    hosts: Iterable[str], what: str, encrypt: str, allow: str, kind: type[ConfigurationError] = ConfigurationError
) -> None:
    """For what would be sent in the clear. Raises ``kind`` if one of ``hosts`` is another machine.

    ``what`` is not encrypted; ``encrypt``: what to do about it; ``allow``: the setting that says the network is one's own.
    """
    far = next((host for host in hosts if not is_near(host)), None)
    if far is not None:
        raise kind(
            f"{far or 'an unnamed host'} is another machine, and {what} is not encrypted",
            f"{encrypt}; on a network of its own, {allow}.",
        )

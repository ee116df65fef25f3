"""A provider: it asks one real thing how it is. Nothing that goes wrong with the asking becomes a success."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Protocol

from streams.errors import MonmouthError
from streams.ops.health.finding import Finding
from streams.policy import CircuitOpenError


class Provider(Protocol):
    """``name``: the component it speaks of. ``interval``: seconds between two looks; None: the usual."""

    name: str
    interval: float | None

    async def probe(self) -> Finding:
        """How it is now. May raise anything, which counts as failed; may be cancelled."""

    async def close(self) -> None:
        """Releases what it opened."""


async def ask(provider: Provider, timeout: float) -> Finding:
    """What the provider finds within ``timeout`` seconds; failed if it finds nothing, for whatever reason."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout):  # not wait_for, which may swallow the cancellation of whoever asks
            found = await provider.probe()
    except TimeoutError:
        found = Finding("failed", f"no answer within {timeout:g} s", down=True)
    except CircuitOpenError as error:  # that it is not asked is a consequence
        found = Finding("failed", error.why or error.message, down=True)
    except MonmouthError as error:
        found = Finding("failed", error.message, down=True)
    except Exception as error:  # whatever a client raises while its server is away; its text may name what is not for everybody
        found = Finding("failed", type(error).__name__, down=True)
    return replace(found, seconds=time.monotonic() - began)

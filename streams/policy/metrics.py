"""What policies measure."""

from __future__ import annotations

from prometheus_client import Counter

ATTEMPTS = Counter("monmouth_retry_attempts_total", "Calls that were tried again after a failure that may pass.", ["name"])

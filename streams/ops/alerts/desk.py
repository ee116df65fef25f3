"""What an operator does with alerts by hand: rules in and out, on and off, an alert declared over, what was.

Assumes the brokers and the rules file of the settings. Invariant: an alert is declared over in ops.alerts, where all that is
told is kept, so that the channels are told by the watch as of any other; the watch itself goes on as it did, also with other
rules, and tells of the alert again only when it fires anew, or when a watch that begins finds that it still holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streams.errors import ConfigurationError
from streams.ops.alerts.book import RuleBook
from streams.ops.alerts.channels import channel_tables, kinds_of
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.life import SILENCED
from streams.ops.alerts.logwatch import ALERTS, read_alerts
from streams.ops.alerts.records import HAND as BY_HAND
from streams.ops.alerts.records import silenced
from streams.ops.alerts.rules import AlertRule
from streams.ops.alerts.teller import GROUP
from streams.ops.reports import AlertRecord
from streams.ports.log import LogClient
from streams.runtime.kafka import KafkaClient
from streams.settings import OPS, Settings
from streams.wall import time_of_day

HAND = f"{GROUP}-hand"
"""Its transactional id is not the watch's, which it must not fence."""


class AlertDesk:
    """``client``: of the brokers, if not that of the settings."""

    def __init__(self, settings: Settings, client: LogClient | None = None) -> None:
        self._settings = settings
        self._client = client or KafkaClient(settings.kafka.as_role(OPS))

    @property
    def book(self) -> RuleBook:
        """The rules file. Raises ConfigurationError if the settings name none."""
        file = self._settings.ops.rules_file
        if file is None:
            raise ConfigurationError("the settings name no rules file", "Set ops.rules_file to the file that the watch reads.")
        return RuleBook(self._settings.path(file), self._shipped)

    def _shipped(self) -> list[AlertRule]:
        file = self._settings.ops.channels_file
        return default_rules(kinds_of(channel_tables(self._settings.path(file) if file else None)))

    async def firing(self) -> list[AlertRecord]:
        """What fires, by ops.alerts. Raises LogError."""
        return [record for record in (await read_alerts(self._client)).newest.values() if record.state == "firing"]

    async def resolve(self, name: str, labels: Mapping[str, str] | None = None) -> list[AlertRecord]:
        """Declares over what fires of a rule, where ``labels`` are among its own; what that was.

        Raises LogError, and ConfigurationError if nothing of the kind fires.
        """
        wanted = set((labels or {}).items())
        found = [one for one in await self.firing() if one.rule == name and wanted <= set(one.labels.items())]
        if not found:
            raise ConfigurationError(f"no alert {name} fires there", "See `monmouth alerts list`.")
        at_ms = round(1000 * time_of_day())
        over = [replace(record, state="resolved", at_ms=at_ms, summary=_by_hand(record)) for record in found]
        producer = self._client.producer(HAND, 0)
        try:
            await producer.start()
            await producer.begin()
            await producer.send({ALERTS: [(record.key, record.to_value()) for record in over]})
            await producer.commit()
        finally:
            await producer.close()
        return over


def _by_hand(record: AlertRecord) -> str:
    """Nobody is told of the end of what nobody was told of."""
    return f"[{SILENCED if silenced(record) else 'resolved'}] {BY_HAND}{record.summary.partition('] ')[2]}"

"""Registering the product's schemas: in the registry that gateways serve, and in an external one if the settings name it."""

from __future__ import annotations

from typing import NamedTuple

from connectors.registry import ExternalRegistry
from streams.core.registry.decide import Decision, RegistryError, Wanted, place
from streams.core.registry.table import Table
from streams.errors import ConfigurationError
from streams.serving.registry.log import RegistryLog
from streams.settings import Settings
from streams.subjects import LEVEL, own_subjects

SECONDS = 30.0


class Registered(NamedTuple):
    """How many schemas are new, or would be. ``external``: at the external registry, None without one."""

    own: int
    external: int | None


async def register_subjects(settings: Settings, *, dry_run: bool = False) -> Registered:
    """Once more changes nothing. The topics must be there.

    Raises ConfigurationError, RegistryRefusedError, UnavailableError.
    """
    wanted = own_subjects(settings.kafka.prefix)
    own = await _own(settings, wanted, dry_run=dry_run)
    if not settings.registry.url:
        return Registered(own, None)
    async with ExternalRegistry(settings.registry) as registry:
        return Registered(own, len(await registry.register(wanted, LEVEL, dry_run=dry_run)))


async def _own(settings: Settings, wanted: list[Wanted], *, dry_run: bool) -> int:
    def decide(table: Table) -> Decision:
        return place(table, wanted, LEVEL)

    log = RegistryLog(settings.kafka, SECONDS)
    try:
        if dry_run:
            return int(decide(await log.fresh()).answer)
        return int(await log.change(decide))
    except RegistryError as error:
        raise ConfigurationError(
            f"the schemas cannot be registered in {settings.kafka.prefix}schemas: {error.message}",
            "Something else was registered under their names or ids: delete it there, or use another kafka.prefix.",
        ) from None
    finally:
        await log.stop()

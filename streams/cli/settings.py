"""``monmouth settings``: every setting as the variable that sets it, with its value now and what it is for.

Invariant: what is secret is never printed, only whether it is set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from pydantic import BaseModel, SecretStr

from streams.settings import Settings

PREFIX = "MONMOUTH_"
NESTED = "__"


@click.command()
@click.argument("group", required=False)
@click.option("--changed", is_flag=True, help="Only those that differ from their default.")
@click.pass_obj
def settings(current: Settings, group: str | None, changed: bool) -> None:
    """List all settings, or those of one GROUP: the variable, its value now, what it is for.

    \b
    In monmouth.toml the same names stand in tables: MONMOUTH_KAFKA__BOOTSTRAP is bootstrap in [kafka].

    \b
    Examples:
      monmouth settings
      monmouth settings kafka
      monmouth settings --changed           what this environment sets
    """
    groups = [name for name, field in Settings.model_fields.items() if _is_group(field.annotation)]
    if group is not None and group not in groups:
        raise click.UsageError(f"no group {group}; there are {', '.join(groups)}")
    defaults = {variable: value for variable, value, _ in rows(Settings.model_construct())}
    for variable, value, text in rows(current):
        if group is not None and not variable.startswith(f"{PREFIX}{group.upper()}{NESTED}"):
            continue
        if not changed or value != defaults[variable]:
            click.echo(f"{variable}={value}" + (f"    {text}" if text else ""))


def rows(current: BaseModel, prefix: str = PREFIX) -> Iterator[tuple[str, str, str]]:
    """(variable, value, description) of each setting."""
    for name, field in type(current).model_fields.items():
        value, variable = getattr(current, name), prefix + name.upper()
        if isinstance(value, BaseModel):
            yield from rows(value, variable + NESTED)
        else:
            yield variable, _shown(value), field.description or ""


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    return "" if value is None else str(value)

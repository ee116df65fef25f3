"""The tables in docs/settings.md, from ``streams.settings``. To write them anew: ``python -m tests.settings_table``.

Invariant: a secret has no default to show.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streams.settings import Settings
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- written by python -m tests.settings_table -->\n"
HEAD = "| setting | default | may be | what it is for |\n|---|---|---|---|\n"
UNIT = re.compile(r"_(?:seconds|ms|mib|gib|mb|percent|port|blocks)$|\.(?:port|chain_id)$")
"""Endings of names that say what is counted."""
THINGS = re.compile(
    r"\b(?:seconds|blocks?|copies|partitions?|processes|series|events|records?|polls|looks|failures|memories|answers|tokens|requests|"
    r"vectors|share|cosine|schema id|fixed costs|yields|traced)\b",
    re.IGNORECASE,
)
"""What a number without one may count, as its text says."""


class Row(NamedTuple):
    name: str
    default: str
    may_be: str
    says: str

    def __str__(self) -> str:
        return f"| `{self.name}` | {self.default} | {self.may_be} | {self.says} |"


def groups(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, str, list[Row]]]:
    """(name, what it is, rows) of each group, the settings of no group first."""
    rows, below = [], []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            below.append((f"{prefix}{name}", kind))
        else:
            rows.append(Row(f"{prefix}{name}", _default(field), _may_be(field), field.description or ""))
    yield prefix.rstrip("."), " ".join((model.__doc__ or "").split()), rows
    for name, kind in below:
        yield from groups(kind, f"{name}.")


def says_of_what(row: Row) -> bool:
    """Whether a number says of what it is one, by the end of its name or in its text. True of what is no number."""
    return not _is_number(row.name) or bool(UNIT.search(row.name) or THINGS.search(row.says))


def _is_number(name: str) -> bool:
    model: Any = Settings
    *path, last = name.split(".")
    for part in path:
        model = model.model_fields[part].annotation
    kind = model.model_fields[last].annotation
    return bool({int, float} & {kind, *(get_args(kind) if isinstance(kind, UnionType) else ())})


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is None or "Secret" in str(field.annotation) or default in ("", [], {}):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{', '.join(map(str, default)) if isinstance(default, list) else default}`"


def _may_be(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    bounds = {name: getattr(one, name) for one in field.metadata for name in ("ge", "gt", "le") if hasattr(one, name)}
    least = f"from {bounds['ge']:,}" if "ge" in bounds else f"above {bounds['gt']:,}" if "gt" in bounds else ""
    return f"{least} to {bounds['le']:,}".strip() if "le" in bounds else least


def table() -> str:
    """As the page has it."""
    text = ""
    for name, says, rows in groups():
        text += f"\n## {name}\n\n{says}\n" if name else ""
        text += f"\n{HEAD}" + "".join(f"{row}\n" for row in rows)
    return text


def main() -> None:
    new = PAGE.read_text().partition(BEGIN)[0] + BEGIN + table()
    if "--print" in sys.argv:
        sys.stdout.write(new)
    else:
        Path(PAGE).write_text(new)


if __name__ == "__main__":
    main()

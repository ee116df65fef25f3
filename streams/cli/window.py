"""``--window`` on the command line."""

from __future__ import annotations

from typing import Any

import click

FORMS = "temporal:SECONDS, actions:COUNT, semantic:TAG,TAG or priority:LEAST"


class WindowType(click.ParamType):
    """KIND:VALUE to the shape that the gateway takes."""

    name = "window"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        kind, _, said = str(value).partition(":")
        try:
            match kind:
                case "temporal":
                    return {"kind": kind, "seconds": int(said)}
                case "actions":
                    return {"kind": kind, "count": int(said)}
                case "priority":
                    return {"kind": kind, "min_importance": float(said)}
                case "semantic" if tags := [tag for tag in said.split(",") if tag]:
                    return {"kind": kind, "tags": tags}
        except ValueError:
            pass
        return self.fail(f"{value!r} is no window; it looks like {FORMS}", param, ctx)

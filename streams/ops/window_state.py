"""Cells and minutes as bytes, as a table keeps them: JSON by columns, compressed, behind a byte that names the form.

Invariant: what is read equals what was written, bit for bit. What is no such bytes raises SchemaError: the state is derived, so
it can be made again from the topic of reports.
"""

from __future__ import annotations

from typing import Any

import orjson
import zstandard

from schemas.codec import SchemaError
from streams.ops.windows import USUAL, Cell, End, Growth, Level, Limits, Row, Summary

FORM = b"\x01"
MOST_BYTES = 64 * 1024 * 1024
"""Of a state that was unpacked."""


def cell_bytes(cell: Cell) -> bytes:
    """Of a cell."""
    rows = cell.ordered()
    names = sorted({key for row in rows for key in row.values})
    columns = [[row.at_ms, row.started_ms, row.whole, [row.values.get(name) for name in names]] for row in rows]
    return _packed({"names": names, "rows": columns})


def cell_of(value: bytes, limits: Limits = USUAL) -> Cell:
    """Its inverse. Raises SchemaError."""
    try:
        state = _unpacked(value)
        names = state["names"]
        return Cell(
            (
                Row(at_ms, started_ms, whole, {name: one for name, one in zip(names, values, strict=True) if one is not None})
                for at_ms, started_ms, whole, values in state["rows"]
            ),
            limits,
        )
    except (LookupError, TypeError, ValueError) as error:
        raise SchemaError(f"no cell: {error}") from None


def summary_bytes(summary: Summary) -> bytes:
    """Of a minute."""
    return _packed(
        {
            "ends": [[end.at_ms, end.started_ms, end.whole] for end in (summary.first, summary.last)],
            "rows": summary.rows,
            "growths": {key: [g.first, g.last, g.grown, g.begins, g.ends] for key, g in summary.growths.items()},
            "levels": {key: [v.count, v.total, v.low, v.high, v.last] for key, v in summary.levels.items()},
        }
    )


def summary_of_bytes(value: bytes) -> Summary:
    """Its inverse. Raises SchemaError."""
    try:
        state = _unpacked(value)
        first, last = (End(*end) for end in state["ends"])
        growths = {key: Growth(*parts) for key, parts in state["growths"].items()}
        levels = {key: Level(*parts) for key, parts in state["levels"].items()}
        return Summary(first, last, state["rows"], growths, levels)
    except (LookupError, TypeError, ValueError) as error:
        raise SchemaError(f"no minute: {error}") from None


def _packed(state: dict[str, Any]) -> bytes:
    return FORM + zstandard.ZstdCompressor(level=1).compress(orjson.dumps(state))


def _unpacked(value: bytes) -> Any:
    if value[:1] != FORM:
        raise SchemaError("a state of another form")
    try:
        return orjson.loads(zstandard.ZstdDecompressor().decompress(value[1:], max_output_size=MOST_BYTES))
    except zstandard.ZstdError as error:
        raise SchemaError(f"not compressed: {error}") from None

"""Writes the modules in ``schemas/compiled``: for each record type straight-line code that reads and writes it.

    python -m schemas.compiler

A general Avro library interprets a schema anew for each record; the code written here has the schema in it. It is kept in the
repository, where it can be read; a test says when it is older than its schema, and the codec then does not use it.
Knows what schemas of the product use: records, fixed, enums, arrays, maps, primitives, and unions of null and one other type.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.digest import schema_digest

ROOT = Path(__file__).parent
HEADER = '''"""{name} in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "{digest}"
'''
EXACT = {"bytes": "bytes", "fixed": "bytes", "string": "str", "int": "int", "long": "int", "boolean": "bool", "record": "dict"}
Schema = Any


class Names:
    """Named types seen so far, constants and functions of the module, and fresh variables."""

    def __init__(self) -> None:
        self.types: dict[str, Schema] = {}
        self.constants: list[str] = []
        self.functions: list[str] = []
        self._count = 0

    def fresh(self, stem: str) -> str:
        """A name that nothing else has."""
        self._count += 1
        return f"{stem}{self._count}"

    def resolve(self, schema: Schema) -> Schema:
        """The definition behind a name, or the schema itself."""
        if isinstance(schema, str):
            return self.types.get(schema.rpartition(".")[2], schema)
        if isinstance(schema, dict) and "name" in schema:
            self.types.setdefault(schema["name"], schema)
        return schema

    def constant(self, stem: str, value: str) -> str:
        """A module constant of this value."""
        name = self.fresh(stem)
        self.constants.append(f"{name} = {value}")
        return name


def kind_of(schema: Schema) -> str:
    """``optional`` for a union of null and one other type, else the Avro type. Raises ValueError for other unions."""
    if isinstance(schema, list):
        if len(schema) != 2 or schema[0] != "null":
            raise ValueError(f"a union must be of null and one other type: {schema}")
        return "optional"
    return str(schema["type"] if isinstance(schema, dict) else schema)


class Code:
    """Lines of one function body."""

    def __init__(self, names: Names, indent: int = 1) -> None:
        self.names = names
        self.lines: list[str] = []
        self.indent = indent

    def add(self, line: str) -> None:
        """Adds one line at the present indentation."""
        self.lines.append("    " * self.indent + line)


class Reader(Code):
    """Emits code that reads buffer ``b`` from ``p + self.at``, where ``at`` is known when the code is written."""

    at = 0

    def __init__(self, names: Names, indent: int = 1) -> None:
        super().__init__(names, indent)
        self._run: list[tuple[str, str]] = []
        self._run_start = ""

    def where(self, more: int = 0) -> str:
        """The present position, as an expression."""
        return f"p + {self.at + more}" if self.at + more else "p"

    def read(self, schema: Schema, x: str) -> None:
        """Reads one value into variable ``x``."""
        schema = self.names.resolve(schema)
        if kind_of(schema) not in ("fixed", "double", "float", "record"):
            self.flush()
        getattr(self, "_" + kind_of(schema))(schema, x)

    def _of_known_size(self, x: str, form: str, size: int) -> None:
        """Notes a value that is read together with its neighbours."""
        if not self._run:
            self._run_start = self.where()
        self._run.append((x, form))
        self.at += size

    def flush(self) -> None:
        """Reads what was noted."""
        if len(self._run) == 1 and self._run[0][1].endswith("s"):
            ((x, form),) = self._run
            self.add(f"{x} = b[{self._run_start}:{self.where()}]")
        elif self._run:
            form = self.names.constant("RUN_", f"Struct('<{''.join(form for _, form in self._run)}')")
            self.add(f"{', '.join(x for x, _ in self._run)}, = {form}.unpack_from(b, {self._run_start})")
        self._run = []

    def settle(self) -> None:
        """Makes ``p`` the present position."""
        self.flush()
        if self.at:
            self.add(f"p += {self.at}")
            self.at = 0

    def _long(self, _: Schema, x: str) -> None:
        self._short_or(x, "VALUES", "read_long")

    _int = _long

    def _short_or(self, x: str, table: str, call: str) -> None:
        self.add(f"{x} = b[{self.where()}]")
        self.add(f"if {x} < 128: {x} = {table}[{x}]")
        self.add(f"else: {x}, p = {call}(b, {self.where()}); p -= {self.at + 1}")
        self.at += 1

    def _bytes(self, _: Schema, x: str) -> None:
        self._short_or("n", "LENGTHS", "read_length")
        self.add(f"s = {self.where()}; p = s + n; {x} = b[s:p]")
        self.at = 0

    def _string(self, schema: Schema, x: str) -> None:
        self._bytes(schema, x)
        self.lines[-1] += ".decode()"

    def _fixed(self, schema: Schema, x: str) -> None:
        self._of_known_size(x, f"{schema['size']}s", schema["size"])

    def _double(self, _: Schema, x: str) -> None:
        self._of_known_size(x, "d", 8)

    def _float(self, _: Schema, x: str) -> None:
        self._of_known_size(x, "f", 4)

    def _boolean(self, _: Schema, x: str) -> None:
        self.add(f"{x} = TRUTH[b[{self.where()}]]")
        self.at += 1

    def _enum(self, schema: Schema, x: str) -> None:
        table = self.names.constant("SYMBOLS_", repr({2 * i: symbol for i, symbol in enumerate(schema["symbols"][:64])}))
        self.add(f"{x} = {table}[b[{self.where()}]]")
        self.at += 1

    def _optional(self, schema: Schema, x: str) -> None:
        branch, start = self.names.fresh("u"), self.at + 1
        self.add(f"{branch} = b[{self.where()}]")
        self.add(f"if {branch} == 2:")
        self.at, self.indent = start, self.indent + 1
        self.read(schema[1], x)
        self.flush()
        self.indent -= 1
        back = start - self.at
        self.add(f"elif {branch} == 0: {x} = None" + (f"; p += {back}" if back else ""))
        self.add("else: raise UnusualError")

    def _record(self, schema: Schema, x: str) -> None:
        fields = [(field["name"], self.names.fresh("v")) for field in schema["fields"]]
        for field, (_, variable) in zip(schema["fields"], fields, strict=True):
            self.read(field["type"], variable)
        self.flush()
        items = ", ".join(f"'{name}': {variable}" for name, variable in fields)
        self.add(f"{x} = {{{items}}}")

    def _array(self, schema: Schema, x: str) -> None:
        self._items(x, "[]", schema["items"])

    def _map(self, schema: Schema, x: str) -> None:
        self._items(x, "{}", schema["values"])

    def _items(self, x: str, empty: str, item: Schema) -> None:
        function = self.names.fresh("_read")
        inner = Reader(self.names, 3)
        if empty == "{}":
            inner.read("string", "k")
        inner.read(item, "x")
        inner.flush()
        inner.settle()
        inner.add("out[k] = x" if empty == "{}" else "out.append(x)")
        body = "\n".join(inner.lines)
        self.names.functions.append(
            f"def {function}(b: bytes, p: int) -> tuple[Any, int]:\n    out: Any = {empty}\n    while True:\n"
            "        count, p = read_length(b, p)\n        if not count: return out, p\n"
            f"        for _ in range(count):\n{body}\n"
        )
        self.add(f"if b[{self.where()}]: {x}, p = {function}(b, {self.where()}); p -= {self.at + 1}")
        self.add(f"else: {x} = {empty}")
        self.at += 1


class Writer(Code):
    """Emits code that computes parts, which joined are the encoding.

    ``exact``: inside a union the general library takes values of just the right type, elsewhere whatever behaves like one.
    """

    exact = False

    def write(self, schema: Schema, x: str) -> list[str]:
        """Adds lines for the value in variable ``x``; returns its parts as expressions."""
        schema = self.names.resolve(schema)
        if self.exact and kind_of(schema) in EXACT:
            self.add(f"if type({x}) is not {EXACT[kind_of(schema)]}: raise UnusualError")
        parts: list[str] = getattr(self, "_" + kind_of(schema))(schema, x)
        return parts

    def _long(self, _: Schema, x: str) -> list[str]:
        return [f"SMALL[{x}] if 0 <= {x} < 4096 else write_long({x})"]

    def _int(self, _: Schema, x: str) -> list[str]:
        return [f"SMALL[{x}] if 0 <= {x} < 4096 else write_int({x})"]

    def _bytes(self, _: Schema, x: str) -> list[str]:
        size = self.names.fresh("n")
        self.add(f"{size} = len({x})")
        return [f"SMALL[{size}] if {size} < 4096 else write_long({size})", x]

    def _string(self, schema: Schema, x: str) -> list[str]:
        text = self.names.fresh("t")
        self.add(f"{text} = {x}.encode()")
        return self._bytes(schema, text)

    def _fixed(self, schema: Schema, x: str) -> list[str]:
        self.add(f"if len({x}) != {schema['size']}: raise UnusualError")
        return [x]

    def _double(self, _: Schema, x: str) -> list[str]:
        return [f"DOUBLE.pack({x})"]

    def _float(self, _: Schema, x: str) -> list[str]:
        return [f"FLOAT.pack({x})"]

    def _boolean(self, _: Schema, x: str) -> list[str]:
        return [f"TRUTH_BYTES[{x}]"]

    def _enum(self, schema: Schema, x: str) -> list[str]:
        table = self.names.constant("CODES_", repr({symbol: bytes([2 * i]) for i, symbol in enumerate(schema["symbols"][:64])}))
        return [f"{table}[{x}]"]

    def _optional(self, schema: Schema, x: str) -> list[str]:
        inner = Writer(self.names, self.indent + 1)
        inner.exact = True
        parts = inner.write(schema[1], x)
        variables = [self.names.fresh("o") for _ in parts]
        empty = "".join(f" = {variable}" for variable in variables[1:])
        self.add(f"if {x} is None: {variables[0]} = b'\\0'" + (f"; {empty[3:]} = b''" if empty else ""))
        self.add("else:")
        self.lines += inner.lines
        self.add(f"    {variables[0]} = b'\\2' + ({parts[0]})")
        for variable, part in zip(variables[1:], parts[1:], strict=True):
            self.add(f"    {variable} = {part}")
        return variables

    def _record(self, schema: Schema, x: str) -> list[str]:
        parts: list[str] = []
        for field in schema["fields"]:
            variable, name = self.names.fresh("v"), field["name"]
            self.add(f"{variable} = {x}['{name}']")
            parts += self.write(field["type"], variable)
        return parts

    def _array(self, schema: Schema, x: str) -> list[str]:
        self.add(f"if type({x}) is not list: raise UnusualError")
        return [self._joined(x, f"[{self._function(schema['items'])}(i) for i in {x}]")]

    def _map(self, schema: Schema, x: str) -> list[str]:
        self.add(f"if type({x}) is not dict: raise UnusualError")
        return [self._joined(x, f"[write_string(k) + {self._function(schema['values'])}(i) for k, i in {x}.items()]")]

    @staticmethod
    def _joined(x: str, items: str) -> str:
        return f"b''.join([write_long(len({x})), *{items}, b'\\0']) if {x} else b'\\0'"

    def _function(self, schema: Schema) -> str:
        """The name of a function that encodes one item."""
        schema = self.names.resolve(schema)
        if kind_of(schema) in ("string", "bytes") and not self.exact:
            return f"write_{kind_of(schema)}"
        function, inner = self.names.fresh("_write"), Writer(self.names)
        inner.exact = self.exact
        parts = inner.write(schema, "i")
        inner.add(f"return b''.join(({', '.join(parts)},))")
        self.names.functions.append("\n".join([f"def {function}(i: Any) -> bytes:", *inner.lines, ""]))
        return function


def compiled(schema: Schema) -> str:
    """The text of the module for a record schema. Raises ValueError for what this compiler does not know."""
    names = Names()
    reader, writer = Reader(names), Writer(names)
    reader.read(schema, "record")
    parts = ", ".join(writer.write(schema, "r"))
    header = HEADER.format(name=schema["name"], digest=schema_digest(schema))
    pieces = [
        *names.constants, "", "",
        *(f"{function}\n" for function in names.functions),
        "def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:", *reader.lines,
        f"    return record, {reader.where()}", "", "",
        "def write(prefix: bytes, r: Any) -> bytes:", *writer.lines, f"    return b''.join((prefix, {parts}))", "",
    ]  # fmt: skip
    return header + "\n".join(pieces)


def main() -> None:
    """Writes all modules anew."""
    for path in sorted(ROOT.glob("*.avsc")):
        (ROOT / "compiled" / f"{path.stem}.py").write_text(compiled(json.loads(path.read_text())))


if __name__ == "__main__":
    main()

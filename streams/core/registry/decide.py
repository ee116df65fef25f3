"""What may be done to the registry's table: each change as the rows to write, or a refusal with Confluent's error code.

Pure: nothing is changed here. The caller writes the rows, all or none, provided that nobody else wrote meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from streams.core.registry.avro import AvroError, Schema, parse
from streams.core.registry.compatibility import Fault, Level, refused
from streams.core.registry.table import EVERYWHERE, MODES, Key, Row, Table, Version

LATEST = "latest"
MOST = (1 << 31) - 1
MESSAGE_FAULTS = 5


class RegistryError(Exception):
    """A refusal. ``status``: of HTTP; ``code``: Confluent's."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Decision(NamedTuple):
    """``rows`` (None: a tombstone) to write, after which ``answer`` is true."""

    answer: Any
    rows: tuple[tuple[Key, Row | None], ...] = ()


class Wanted(NamedTuple):
    """A version to be placed under an id chosen elsewhere."""

    subject: str
    text: str
    id: int


def parsed(text: str) -> Schema:
    """Raises RegistryError 42201."""
    try:
        return parse(text)
    except AvroError as error:
        raise RegistryError(422, 42201, f"Invalid schema: {error}") from None


def register(table: Table, subject: str, text: str, *, number: int | None = None, schema_id: int | None = None) -> Decision:
    """Adds a version; the answer is its id. An equal live one is found instead. ``schema_id`` in mode IMPORT only."""
    mode = table.mode(subject)
    if mode == "READONLY":
        raise RegistryError(422, 42205, f"Subject {subject} is in read-only mode")
    schema = parsed(text)
    if mode == "IMPORT":
        return _import(table, Wanted(subject, text, schema_id or 0), number)
    same = _equal(table.versions(subject), schema)
    if same is not None and schema_id in {None, same.id}:
        return Decision(same.id)
    if schema_id is not None:
        raise RegistryError(422, 42205, f"Subject {subject} is not in import mode")
    _demand_compatible(table, subject, schema)
    return _added(table, subject, text, _next_number(table, subject), _id_for(table, schema))


def _import(table: Table, wanted: Wanted, number: int | None) -> Decision:
    subject, text, schema_id = wanted
    schema = parsed(text)
    if not schema_id:
        same = _equal(table.versions(subject), schema)
        if same is not None:
            return Decision(same.id)
        return _added(table, subject, text, _next_number(table, subject), _id_for(table, schema))
    _demand_free(table, schema_id, schema)
    found = [version for version in table.versions(subject, deleted=True) if version.number == number]
    if found and found[0].id != schema_id:
        raise RegistryError(422, 42205, f"Version {number} of subject {subject} has another schema")
    return _added(table, subject, text, number or _next_number(table, subject), schema_id)


def place(table: Table, wanted: Iterable[Wanted], level: Level) -> Decision:
    """Versions under ids chosen elsewhere, in that order, each compatible with those before; the answer: how many are new.

    ``level``: of their subjects, where none is set.
    """
    state, new = table.copy(), 0
    rows: dict[Key, Row | None] = {}
    for subject, text, schema_id in wanted:
        schema = parsed(text)
        same = _equal(state.versions(subject), schema)
        if same is not None and same.id == schema_id:
            continue
        if state.own_level(subject) is None:
            for key, row in set_level(subject, level).rows:
                state.take(key, row)
                rows[key] = row
        _demand_free(state, schema_id, schema)
        _demand_compatible(state, subject, schema)
        decision = _added(state, subject, text, _next_number(state, subject), schema_id)
        for key, row in decision.rows:
            state.take(key, row)
        rows.update(decision.rows)
        new += 1
    return Decision(new, tuple(rows.items()))


def _added(table: Table, subject: str, text: str, number: int, schema_id: int) -> Decision:
    rows: list[tuple[Key, Row | None]] = []
    key = Key("VERSION", number, subject)
    rows.append((key, Row(key, schema_id, text)))
    if schema_id > table.given:
        ids = Key("IDS", 0, EVERYWHERE)
        rows.append((ids, Row(ids, schema_id)))
    return Decision(schema_id, tuple(rows))


def _id_for(table: Table, schema: Schema) -> int:
    known = table.id_of(schema)
    if known is None and table.next_id > MOST:
        raise RegistryError(500, 50001, f"No ids are left: {table.given} was given")
    return table.next_id if known is None else known


def _demand_free(table: Table, schema_id: int, schema: Schema) -> None:
    if not 1 <= schema_id <= MOST:
        raise RegistryError(422, 42205, f"{schema_id} is no id")
    holders = table.holders(schema_id)
    if holders and holders[0].schema.canonical != schema.canonical:
        held = f"{holders[0].subject} version {holders[0].number}"
        raise RegistryError(422, 42205, f"Overwrite new schema with id {schema_id} is not permitted: it is that of {held}")


def _demand_compatible(table: Table, subject: str, schema: Schema) -> None:
    found = refused(table.level(subject), schema, [version.schema for version in table.versions(subject)])
    if found:
        details = ", ".join(map(str, found[:MESSAGE_FAULTS]))
        said = f'Schema being registered is incompatible with an earlier schema for subject "{subject}"'
        raise RegistryError(409, 409, f"{said}, details: [{details}]")


def _next_number(table: Table, subject: str) -> int:
    return max((version.number for version in table.versions(subject, deleted=True)), default=0) + 1


def _equal(versions: Sequence[Version], schema: Schema) -> Version | None:
    return next((version for version in reversed(versions) if version.schema.canonical == schema.canonical), None)


def look_up(table: Table, subject: str, text: str, *, deleted: bool = False) -> Version:
    """The version of ``subject`` with an equal schema."""
    _demand_subject(table, subject, deleted=deleted)
    found = _equal(table.versions(subject, deleted=deleted), parsed(text))
    if found is None:
        raise RegistryError(404, 40403, "Schema not found")
    return found


def versions_of(table: Table, subject: str, *, deleted: bool = False) -> list[Version]:
    """All, oldest first."""
    _demand_subject(table, subject, deleted=deleted)
    return table.versions(subject, deleted=deleted)


def version_of(table: Table, subject: str, number: str, *, deleted: bool = False) -> Version:
    """One by its number, ``latest`` or -1."""
    wanted = version_number(number)
    found = versions_of(table, subject, deleted=deleted)
    if wanted is None:
        return found[-1]
    for version in found:
        if version.number == wanted:
            return version
    raise RegistryError(404, 40402, f"Version {wanted} not found.")


def version_number(text: str) -> int | None:
    """None for the latest. Raises RegistryError 42202."""
    if text in {LATEST, "-1"}:
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text[:11]) <= MOST:
        return int(text)
    message = 'Allowed values are between [1, 2^31-1] and the string "latest"'
    raise RegistryError(422, 42202, f"The specified version '{text[:80]}' is not a valid version id. {message}")


def by_id(table: Table, schema_id: int) -> list[Version]:
    """Versions that have it."""
    found = table.holders(schema_id)
    if not found:
        raise RegistryError(404, 40403, f"Schema {schema_id} not found")
    return found


def compatibility(table: Table, subject: str, text: str, number: str | None) -> list[Fault]:
    """Why the schema would not be taken after that version, or at all if None; empty if it would."""
    schema, level = parsed(text), table.level(subject)
    if number is None:
        return refused(level, schema, [version.schema for version in table.versions(subject)])
    return refused(level, schema, [version_of(table, subject, number).schema])


def delete_subject(table: Table, subject: str, *, permanent: bool) -> Decision:
    """Deletes every version; ``permanent``: those that are deleted, for good. The answer: their numbers."""
    known = table.versions(subject, deleted=True)
    live = table.versions(subject)
    if not known:
        raise _no_subject(subject)
    _demand_writable(table, subject)
    if not permanent:
        if not live:
            message = f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
            raise RegistryError(404, 40404, message)
        return Decision([version.number for version in live], tuple(_deleted(version) for version in live))
    if live:
        raise RegistryError(404, 40405, f"Subject '{subject}' was not deleted first before being permanently deleted")
    gone: list[tuple[Key, Row | None]] = [(version.row(deleted=True).key, None) for version in known]
    for kind, held in (("CONFIG", table.own_level(subject)), ("MODE", table.own_mode(subject))):
        if held is not None:
            gone.append((Key(kind, 0, subject), None))
    return Decision([version.number for version in known], tuple(gone))


def delete_version(table: Table, subject: str, number: str, *, permanent: bool) -> Decision:
    """Deletes one version; ``permanent``: one that is deleted, for good. The answer: its number."""
    version = version_of(table, subject, number, deleted=number not in {LATEST, "-1"})
    _demand_writable(table, subject)
    name = f"Subject '{subject}' Version {version.number}"
    if not permanent:
        if version.deleted:
            raise RegistryError(404, 40406, f"{name} was soft deleted. Set permanent=true to delete permanently")
        return Decision(version.number, (_deleted(version),))
    if not version.deleted:
        raise RegistryError(404, 40407, f"{name} was not deleted first before being permanently deleted")
    return Decision(version.number, ((version.row(deleted=True).key, None),))


def _deleted(version: Version) -> tuple[Key, Row | None]:
    row = version.row(deleted=True)
    return row.key, row


def set_level(subject: str, level: str) -> Decision:
    """The answer: the level."""
    try:
        wanted = Level(level)
    except ValueError:
        message = f"Invalid compatibility level. Valid values are {', '.join(level.lower() for level in Level)}"
        raise RegistryError(422, 42203, message) from None
    key = Key("CONFIG", 0, subject)
    return Decision(str(wanted), ((key, Row(key, setting=wanted)),))


def clear_level(table: Table, subject: str) -> Decision:
    """The answer: the level that was set."""
    level = own_level(table, subject)
    return Decision(level, ((Key("CONFIG", 0, subject), None),) if table.own_level(subject) else ())


def own_level(table: Table, subject: str) -> str:
    """The level set for ``subject``."""
    level = table.own_level(subject)
    if level is None:
        if subject == EVERYWHERE:
            return str(table.level())
        raise RegistryError(404, 40408, f"Subject '{subject}' does not have subject-level compatibility configured")
    return str(level)


def set_mode(table: Table, subject: str, mode: str, *, force: bool) -> Decision:
    """The answer: the mode. IMPORT where versions live takes ``force``: what is imported is not compared with them."""
    if mode not in MODES:
        raise RegistryError(422, 42204, f"Invalid mode. Valid values are {', '.join(MODES)}")
    holds = table.versions(subject) if subject else table.subjects()
    if mode == "IMPORT" and holds and not force:
        raise RegistryError(422, 42205, "Cannot import since found existing subjects")
    key = Key("MODE", 0, subject)
    return Decision(mode, ((key, Row(key, setting=mode)),))


def clear_mode(table: Table, subject: str) -> Decision:
    """The answer: the mode that was set."""
    return Decision(own_mode(table, subject), ((Key("MODE", 0, subject), None),))


def own_mode(table: Table, subject: str) -> str:
    """The mode set for ``subject``."""
    mode = table.own_mode(subject)
    if mode is None:
        raise RegistryError(404, 40409, f"Subject '{subject}' does not have subject-level mode configured")
    return mode


def _demand_writable(table: Table, subject: str) -> None:
    if table.mode(subject) == "READONLY":
        raise RegistryError(422, 42205, f"Subject {subject} is in read-only mode")


def _demand_subject(table: Table, subject: str, *, deleted: bool) -> None:
    if not table.versions(subject, deleted=deleted):
        raise _no_subject(subject)


def _no_subject(subject: str) -> RegistryError:
    return RegistryError(404, 40401, f"Subject '{subject}' not found.")

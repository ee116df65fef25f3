"""Confluent's schema registry REST API, version 1, below ``/registry``: what their clients ask, with their error codes.

Who may do what is decided before (``gate``). References, contexts, and schemas of other kinds than Avro are refused by name.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from streams.core.registry import decide
from streams.core.registry.decide import RegistryError
from streams.core.registry.table import EVERYWHERE, Version
from streams.serving.faults import UnavailableError
from streams.serving.registry.log import SchemaRegistry
from streams.serving.registry.shape import MEDIA_TYPE, PREFIX, error_body

AVRO = "AVRO"
APICURIO = "/apis/registry/v3"
"""Where Apicurio's deserialisers, the ones for Java that Maven Central has, ask for the schema of an id."""
LONGEST_SUBJECT = 249 + len("-value")
MANY = 1_000
"""Schemas in one list at most, as they ask for by default."""

Answer = Callable[[Request, SchemaRegistry], Awaitable[Any]]


def registry_routes() -> Mount:
    """The routes, to be mounted in an application whose services are in its state."""
    one = "/subjects/{subject}"
    table: list[tuple[str, str, Answer]] = [
        ("GET", "/", _always({})),
        ("GET", "/contexts", _always(["."])),
        ("GET", "/subjects", _subjects),
        ("POST", one, _look_up),
        ("DELETE", one, _delete_subject),
        ("GET", f"{one}/versions", _versions),
        ("POST", f"{one}/versions", _register),
        ("GET", one + "/versions/{version}", _version),
        ("DELETE", one + "/versions/{version}", _delete_version),
        ("GET", one + "/versions/{version}/schema", _version_text),
        ("GET", one + "/versions/{version}/referencedby", _referenced_by),
        ("GET", "/schemas", _schemas),
        ("GET", "/schemas/types", _always([AVRO])),
        ("GET", "/schemas/ids/{id}", _by_id),
        ("GET", "/schemas/ids/{id}/schema", _text_by_id),
        ("GET", "/schemas/ids/{id}/versions", _versions_by_id),
        ("GET", "/schemas/ids/{id}/subjects", _subjects_by_id),
        ("POST", "/compatibility" + one + "/versions", _test),
        ("POST", "/compatibility" + one + "/versions/{version}", _test),
        ("GET", "/config", _level),
        ("PUT", "/config", _set_level),
        ("DELETE", "/config", _clear_level),
        ("GET", "/config/{subject}", _level),
        ("PUT", "/config/{subject}", _set_level),
        ("DELETE", "/config/{subject}", _clear_level),
        ("GET", "/mode", _mode),
        ("PUT", "/mode", _set_mode),
        ("GET", "/mode/{subject}", _mode),
        ("PUT", "/mode/{subject}", _set_mode),
        ("DELETE", "/mode/{subject}", _clear_mode),
        ("GET", APICURIO + "/ids/contentIds/{id}", _text_by_id),
        ("GET", APICURIO + "/ids/contentIds/{id}/references", _always([])),
    ]
    return Mount(PREFIX, routes=[Route(path, _served(answer), methods=[method]) for method, path, answer in table])


def _answer(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type=MEDIA_TYPE)


def _served(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            return _answer(await answer(request, request.app.state.services.registry))
        except RegistryError as error:
            return _answer(error_body(error.code, error.message), error.status)
        except UnavailableError as error:
            return _answer(error_body(50002, error.message), HTTPStatus.INTERNAL_SERVER_ERROR)

    return serve


def _always(value: Any) -> Answer:
    async def answer(request: Request, log: SchemaRegistry) -> Any:  # noqa: ARG001  (there is nothing to ask)
        return value

    return answer


async def _subjects(request: Request, log: SchemaRegistry) -> Any:
    table, prefix = await log.fresh(), request.query_params.get("subjectPrefix", "")
    found = table.subjects(deleted=_flag(request, "deleted") or _flag(request, "deletedOnly"))
    if _flag(request, "deletedOnly"):
        found = [name for name in found if not table.versions(name)]
    return [name for name in found if name.startswith(prefix)]


async def _look_up(request: Request, log: SchemaRegistry) -> Any:
    text = (await _sent(request))["schema"]
    return _shown(decide.look_up(await log.fresh(), _subject(request), text, deleted=_flag(request, "deleted")))


async def _delete_subject(request: Request, log: SchemaRegistry) -> Any:
    subject, permanent = _subject(request), _flag(request, "permanent")
    return await log.change(lambda table: decide.delete_subject(table, subject, permanent=permanent))


async def _versions(request: Request, log: SchemaRegistry) -> Any:
    found = decide.versions_of(await log.fresh(), _subject(request), deleted=_flag(request, "deleted"))
    return [version.number for version in found]


async def _register(request: Request, log: SchemaRegistry) -> Any:
    subject, sent = _subject(request), await _sent(request)
    number, schema_id = (None if sent.get(key) in {None, -1, 0} else sent[key] for key in ("version", "id"))
    register = functools.partial(decide.register, subject=subject, text=sent["schema"], number=number, schema_id=schema_id)
    return {"id": await log.change(register)}


async def _version(request: Request, log: SchemaRegistry) -> Any:
    return _shown(await _asked(request, log))


async def _version_text(request: Request, log: SchemaRegistry) -> Any:
    return json.loads((await _asked(request, log)).text)


async def _referenced_by(request: Request, log: SchemaRegistry) -> Any:
    await _asked(request, log)
    return []


async def _delete_version(request: Request, log: SchemaRegistry) -> Any:
    subject, number, permanent = _subject(request), request.path_params["version"], _flag(request, "permanent")
    return await log.change(lambda table: decide.delete_version(table, subject, number, permanent=permanent))


async def _schemas(request: Request, log: SchemaRegistry) -> Any:
    table, prefix, newest = await log.fresh(), request.query_params.get("subjectPrefix", ""), _flag(request, "latestOnly")
    deleted = _flag(request, "deleted")
    found: list[Version] = []
    for subject in table.subjects(deleted=deleted):
        if subject.startswith(prefix):
            found += table.versions(subject, deleted=deleted)[-1 if newest else 0 :]
    offset, limit = _number(request, "offset", 0), _number(request, "limit", MANY)
    return [_shown(version) for version in found[offset : offset + min(limit, MANY)]]


async def _by_id(request: Request, log: SchemaRegistry) -> Any:
    return {"schema": (await _held(request, log))[0].text}


async def _text_by_id(request: Request, log: SchemaRegistry) -> Any:
    return json.loads((await _held(request, log))[0].text)


async def _versions_by_id(request: Request, log: SchemaRegistry) -> Any:
    return [{"subject": version.subject, "version": version.number} for version in await _visible(request, log)]


async def _subjects_by_id(request: Request, log: SchemaRegistry) -> Any:
    return sorted({version.subject for version in await _visible(request, log)})


async def _test(request: Request, log: SchemaRegistry) -> Any:
    text = (await _sent(request))["schema"]
    found = decide.compatibility(await log.fresh(), _subject(request), text, request.path_params.get("version"))
    if _flag(request, "verbose"):
        return {"is_compatible": not found, "messages": [str(fault) for fault in found]}
    return {"is_compatible": not found}


async def _level(request: Request, log: SchemaRegistry) -> Any:
    table, subject = await log.fresh(), _subject(request)
    if subject and _flag(request, "defaultToGlobal"):
        return {"compatibilityLevel": str(table.level(subject))}
    return {"compatibilityLevel": decide.own_level(table, subject)}


async def _set_level(request: Request, log: SchemaRegistry) -> Any:
    subject, level = _subject(request), (await _body(request)).get("compatibility")
    return {"compatibility": await log.change(lambda _: decide.set_level(subject, str(level)))}


async def _clear_level(request: Request, log: SchemaRegistry) -> Any:
    subject = _subject(request)
    return {"compatibilityLevel": await log.change(lambda table: decide.clear_level(table, subject))}


async def _mode(request: Request, log: SchemaRegistry) -> Any:
    table, subject = await log.fresh(), _subject(request)
    if not subject or _flag(request, "defaultToGlobal"):
        return {"mode": table.mode(subject)}
    return {"mode": decide.own_mode(table, subject)}


async def _set_mode(request: Request, log: SchemaRegistry) -> Any:
    subject, mode, force = _subject(request), (await _body(request)).get("mode"), _flag(request, "force")
    return {"mode": await log.change(lambda table: decide.set_mode(table, subject, str(mode), force=force))}


async def _clear_mode(request: Request, log: SchemaRegistry) -> Any:
    subject = _subject(request)
    return {"mode": await log.change(lambda table: decide.clear_mode(table, subject))}


def _shown(version: Version) -> dict[str, Any]:
    return {"subject": version.subject, "version": version.number, "id": version.id, "schema": version.text}


async def _asked(request: Request, log: SchemaRegistry) -> Version:
    number, deleted = request.path_params["version"], _flag(request, "deleted")
    return decide.version_of(await log.fresh(), _subject(request), number, deleted=deleted)


async def _held(request: Request, log: SchemaRegistry) -> list[Version]:
    """Versions of an id. What is known under it never changes, so only what is not known waits for the end of the topic."""
    schema_id = request.path_params["id"]
    if not (schema_id.isascii() and schema_id.isdigit() and len(schema_id) <= len(str(decide.MOST))):
        raise RegistryError(404, 404, "HTTP 404 Not Found")
    known = log.table.holders(int(schema_id))
    return known or decide.by_id(await log.fresh(), int(schema_id))


async def _visible(request: Request, log: SchemaRegistry) -> list[Version]:
    await log.fresh()
    return [version for version in await _held(request, log) if _flag(request, "deleted") or not version.deleted]


def _subject(request: Request) -> str:
    subject: str = request.path_params.get("subject", EVERYWHERE)
    if len(subject) > LONGEST_SUBJECT or not subject.isprintable() or subject.startswith(":"):
        raise RegistryError(422, 42208, f"The specified subject '{subject[:80]}' is not a valid.")
    return subject


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _number(request: Request, name: str, missing: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else missing


async def _body(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RegistryError(400, 400, "The body is no JSON object")
    return found


async def _sent(request: Request) -> dict[str, Any]:
    """A body that holds an Avro schema."""
    sent = await _body(request)
    kind = sent.get("schemaType") or AVRO
    if kind != AVRO:
        raise RegistryError(422, 42201, f"Invalid schema type {str(kind)[:80]}: this registry holds {AVRO} alone")
    if sent.get("references"):
        raise RegistryError(422, 42201, "Invalid schema: references are not taken here; put the types into the schema itself")
    if not isinstance(sent.get("schema"), str) or not sent["schema"].strip():
        raise RegistryError(422, 42201, "Invalid schema: Empty schema")
    for key in ("id", "version"):
        if not isinstance(sent.get(key, 0) or 0, int) or isinstance(sent.get(key), bool):
            raise RegistryError(422, 42201, f"{key} is no number")
    return sent

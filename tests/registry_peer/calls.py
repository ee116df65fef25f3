"""Calls that any registry of Confluent's REST API takes, in an order that makes sense, and what of their answers is compared.

Ids are compared by their order of first appearance, since two registries begin to count where they like.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

Ask = Callable[[str, str, Any], tuple[int, Any]]
"""(method, path, body) to (status, decoded answer)."""


def record(*fields: tuple[Any, ...], name: str = "Peer", namespace: str = "tests", **rest: Any) -> str:
    """A record; a field is (name, type[, default])."""
    shown = [dict(zip(("name", "type", "default"), field, strict=False)) for field in fields]
    return json.dumps({"type": "record", "name": name, "namespace": namespace, "fields": shown, **rest})


LONG = ("a", "long")
ONE = record(LONG)
WITH_DEFAULT = record(LONG, ("b", "string", ""))
WITHOUT = record(LONG, ("c", "string"))
RETYPED = record(("a", "string"))
WIDENED = record(("a", "double"), ("b", "string", ""))
FEWER = record(("b", "string", ""))
REORDERED = json.dumps(dict(reversed(list(json.loads(ONE).items()))), indent=3)
FULL_NAME = json.dumps({"type": "record", "name": "tests.Peer", "fields": [{"name": "a", "type": "long"}]})
SHADES = json.dumps({"type": "enum", "name": "Shade", "symbols": ["LIGHT", "DARK"]})
SHADES_MORE = json.dumps({"type": "enum", "name": "Shade", "symbols": ["LIGHT", "DARK", "GREY"]})
SHADES_OPEN = json.dumps({"type": "enum", "name": "Shade", "symbols": ["LIGHT"], "default": "LIGHT"})
UNION = record(LONG, ("b", ["null", "string"], None))


SUBJECT = "/subjects/peer-value"
TEST = "/compatibility/subjects/peer-value/versions"


@dataclass(frozen=True)
class Call:
    """``known``: how Apicurio differs here and why, or nothing."""

    name: str
    method: str
    path: str
    schema: str | None = None
    body: dict[str, Any] | None = None
    known: str = ""


def calls() -> Iterator[Call]:
    """All of them, in their order: each part goes on from what those before have left."""
    yield from _levels_of_all()
    yield from _nothing_there()
    yield from _registered()
    yield from _versions()
    yield from _compatible()
    yield from _elsewhere()
    yield from _level_of_one()
    yield from _deleted()


def _levels_of_all() -> Iterator[Call]:
    yield Call(
        "types",
        "GET",
        "/schemas/types",
        known="Only Avro is on our wire; Confluent's documentation lists what a registry supports.",
    )
    yield Call("set the level of all", "PUT", "/config", body={"compatibility": "BACKWARD"})
    yield Call("the level of all", "GET", "/config")
    yield Call("a level that is none", "PUT", "/config", body={"compatibility": "SIDEWAYS"})
    yield Call("the mode of all", "GET", "/mode")


def _nothing_there() -> Iterator[Call]:
    yield Call("a subject that is not there", "GET", f"{SUBJECT}/versions")
    yield Call("its latest version", "GET", f"{SUBJECT}/versions/latest")
    yield Call("looking up in it", "POST", SUBJECT, ONE)
    yield Call("an id that is not there", "GET", "/schemas/ids/99999999")
    yield Call("no schema", "POST", f"{SUBJECT}/versions", '{"type": "nothing"}')
    yield Call("no JSON", "POST", f"{SUBJECT}/versions", "{")


def _registered() -> Iterator[Call]:
    yield Call("the first version", "POST", f"{SUBJECT}/versions", ONE)
    yield Call("the same again", "POST", f"{SUBJECT}/versions", ONE)
    yield Call("the same in another layout", "POST", f"{SUBJECT}/versions", REORDERED)
    yield Call("the same with a full name", "POST", f"{SUBJECT}/versions", FULL_NAME)
    yield Call("looking it up", "POST", SUBJECT, ONE)
    yield Call("looking it up in another layout", "POST", SUBJECT, REORDERED)
    yield Call("looking up another", "POST", SUBJECT, WIDENED)
    yield Call("one that cannot read it", "POST", f"{SUBJECT}/versions", WITHOUT)
    yield Call("one of another type", "POST", f"{SUBJECT}/versions", RETYPED)
    yield Call("one with a default", "POST", f"{SUBJECT}/versions", WITH_DEFAULT)
    yield Call("one that promotes", "POST", f"{SUBJECT}/versions", WIDENED)


def _versions() -> Iterator[Call]:
    yield Call("versions", "GET", f"{SUBJECT}/versions")
    yield Call("version 1", "GET", f"{SUBJECT}/versions/1")
    yield Call("latest", "GET", f"{SUBJECT}/versions/latest")
    yield Call("the text of latest", "GET", f"{SUBJECT}/versions/latest/schema")
    yield Call("version 9", "GET", f"{SUBJECT}/versions/9")
    yield Call(
        "version 0",
        "GET",
        f"{SUBJECT}/versions/0",
        known="Confluent's documentation: 422 with 42202 for a version that is no valid one.",
    )
    yield Call(
        "version x",
        "GET",
        f"{SUBJECT}/versions/x",
        known="Confluent's documentation: 422 with 42202 for a version that is no valid one.",
    )


def _compatible() -> Iterator[Call]:
    yield Call("subjects", "GET", "/subjects")
    yield Call("is one readable", "POST", f"{TEST}/latest", FEWER)
    yield Call("is one not", "POST", f"{TEST}/latest", WITHOUT)
    yield Call("is one not, against all", "POST", TEST, RETYPED)
    yield Call("against version 9", "POST", f"{TEST}/9", FEWER)


def _elsewhere() -> Iterator[Call]:
    yield Call("the same schema elsewhere", "POST", "/subjects/second-value/versions", ONE)
    yield Call("an enum", "POST", "/subjects/shade-value/versions", SHADES)
    yield Call("an enum with more", "POST", "/subjects/shade-value/versions", SHADES_MORE)
    yield Call("an enum with fewer and a default", "POST", "/subjects/shade-value/versions", SHADES_OPEN)


def _level_of_one() -> Iterator[Call]:
    yield Call(
        "a level of one subject that has none",
        "GET",
        "/config/second-value",
        known="Confluent's documentation: 404 with 40408, unless defaultToGlobal is asked for.",
    )
    yield Call("set it", "PUT", "/config/second-value", body={"compatibility": "FULL_TRANSITIVE"})
    yield Call("the level of one subject", "GET", "/config/second-value")
    yield Call("full: a union", "POST", "/subjects/second-value/versions", UNION)
    yield Call("full: a field less", "POST", "/subjects/second-value/versions", record(("b", ["null", "string"], None)))
    yield Call("level none", "PUT", "/config/second-value", body={"compatibility": "NONE"})
    yield Call("anything goes", "POST", "/subjects/second-value/versions", RETYPED)
    yield Call("clear the level", "DELETE", "/config/second-value")


def _deleted() -> Iterator[Call]:
    yield Call(
        "permanent before soft",
        "DELETE",
        f"{SUBJECT}/versions/1?permanent=true",
        known="Same code; Confluent's documentation knows 404 here, and no 409.",
    )
    yield Call("delete version 1", "DELETE", f"{SUBJECT}/versions/1")
    yield Call("versions after it", "GET", f"{SUBJECT}/versions")
    yield Call(
        "delete it again",
        "DELETE",
        f"{SUBJECT}/versions/1",
        known="Same code; Confluent's documentation knows 404 here, and no 409.",
    )
    yield Call("delete version 9", "DELETE", f"{SUBJECT}/versions/9")
    yield Call(
        "delete the subject",
        "DELETE",
        SUBJECT,
        known="Version 1 was deleted before: Confluent deletes and tells the versions that live.",
    )
    yield Call("subjects after it", "GET", "/subjects")
    yield Call("deleted subjects too", "GET", "/subjects?deleted=true")
    yield Call("delete it for good", "DELETE", f"{SUBJECT}?permanent=true")
    yield Call("it is gone", "GET", f"{SUBJECT}/versions")


COMPARED = ("subject", "version", "is_compatible", "compatibility", "compatibilityLevel", "mode")


@dataclass
class Seen:
    """Of one answer, in a form that two registries can share."""

    status: int
    error_code: int | None
    said: Any


def drive(ask: Ask) -> dict[str, dict[str, Any]]:
    """All calls in order; what was seen, by name."""
    ids: dict[int, int] = {}
    return {call.name: asdict(_seen(ids, *ask(call.method, call.path, _sent(call)))) for call in calls()}


def _sent(call: Call) -> Any:
    return {"schema": call.schema} if call.schema is not None else call.body


def _seen(ids: dict[int, int], status: int, body: Any) -> Seen:
    if isinstance(body, dict) and "error_code" in body:
        return Seen(status, body["error_code"], None)
    if isinstance(body, dict):
        kept = {key: body[key] for key in COMPARED if key in body}
        if "id" in body:
            kept["id"] = ids.setdefault(body["id"], len(ids) + 1)
        if "schema" in body:
            kept["schema"] = json.loads(body["schema"])
        return Seen(status, None, kept or body)
    return Seen(status, None, sorted(body) if isinstance(body, list) and all(isinstance(one, str) for one in body) else body)


def faults(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Calls that differ without an explanation, or are explained and do not differ."""
    found = []
    for call in calls():
        differs = ours[call.name] != theirs[call.name]
        if differs and not call.known:
            found.append(f"{call.name}: ours {ours[call.name]}, theirs {theirs[call.name]}")
        if call.known and not differs:
            found.append(f"{call.name}: alike, though said to differ: {call.known}")
    return found

"""The description of the REST interface: what FastAPI makes of the routes, completed by what is true of all of them.

Invariant: what it says of errors comes from the classes that are raised, so a new refusal is described the moment it exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from streams.errors import Category
from streams.serving.faults import Refusal
from streams.serving.gate import OPEN, Gate
from streams.serving.services import Services

AGENT = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
HASH = "0x5ca1ab1e" + "00" * 28
SCHEME = "HTTPBearer"
ALSO = {
    422: [("invalid", "A field or parameter is missing, unknown or out of its range; the message names it.")],
    404: [("not_found", "There is no such route, or nothing of that name is live.")],
    405: [("method_not_allowed", "The route exists, for another method.")],
    500: [("internal", "A defect; the gateway's log has the details.")],
    503: [(category.value, "A part behind the gateway failed.") for category in Category] + [("not_ready", "See /health.")],
}
REQUESTS: dict[str, Any] = {
    "query_context": {"query": "what did I swap last?", "max_results": 5},
    "store": {"text": "prefers low slippage on swaps", "importance": 0.8, "tags": ["taste"], "wait": 5},
    "generate_embedding": {"text": "swapped ETH for DAI"},
    "parse_intent": {"from": AGENT, "to": "0x" + "33" * 20, "value": "0xde0b6b3a7640000", "input": "0x"},
}
"""Bodies to send, by operation."""


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` with summaries, names of errors, examples and what opens which door."""
    errors = _errors()
    scheme = document["components"]["securitySchemes"][SCHEME]
    scheme["description"] = (
        "A token of an agent, which opens what is below /v1/agents/AGENT and what is shared; or the operator's."
    )
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation, errors)
    return document


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1, as ``/openapi.json`` of a gateway serves it; nothing needs to run behind it."""
    from streams.serving.app import create_app  # noqa: PLC0415  (which imports this module)

    return create_app(cast("Services", _Nothing())).openapi()


class _Nothing:
    """Stands for parts that a description does not use."""

    gate = Gate(None)


def _complete(path: str, operation: dict[str, Any], errors: dict[int, list[tuple[str, str]]]) -> None:
    first = operation["description"].split("\n\n")[0].replace("\n", " ")
    operation["summary"] = first.partition(". ")[0].removesuffix(".")
    if path in OPEN:
        operation["security"] = []
        del operation["responses"]["401"], operation["responses"]["403"]
    for status, response in operation["responses"].items():
        body = response.get("content", {}).get("application/json", {})
        if int(status) < 400 or body.get("schema", {}).get("$ref") != "#/components/schemas/ErrorBody":
            continue
        names = errors[int(status)]
        response["description"] = " ".join(f"`{name}`: {meaning}" for name, meaning in names)
        body["example"] = {"error": names[0][0], "message": names[0][1], "hint": "What to do about it."}
        if status in {"429", "503"}:
            response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    example = REQUESTS.get(operation["operationId"])
    if example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example


def _errors() -> dict[int, list[tuple[str, str]]]:
    """Names and meanings by status."""
    found: dict[int, dict[str, str]] = {}
    for kind in _refusals():
        meaning = (kind.__doc__ or "").split("``")[0].strip().split("\n")[0]
        found.setdefault(kind.status, {}).setdefault(kind.error, meaning)
    for status, names in ALSO.items():
        for name, meaning in names:
            found.setdefault(status, {})[name] = meaning
    return {status: list(names.items()) for status, names in found.items()}


def _refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for below in kind.__subclasses__():
        yield below
        yield from _refusals(below)

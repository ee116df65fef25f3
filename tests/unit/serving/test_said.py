"""What clients let be said is what the gateway takes: every key of every typed dictionary, and no method takes others."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from streams.serving import said
from streams.serving.async_client import AsyncClient
from streams.serving.client import Client
from streams.serving.described import openapi_document
from streams.serving.graph.client import AsyncGraph, Graph
from streams.serving.wire import ImportRequest, LinkRequest, OpenRequest, QueryRequest, SessionTermsRequest, StoreRequest
from streams.serving.wire.context import SessionQueryRequest
from streams.serving.wire.packages import ImportTerms
from streams.serving.wire.shared import SharedQueryRequest

SPELT = {"types": "type", "tags": "tag", "session_id": "id", "seeds": "seed"}
"""Names that a parameter of the route has in the singular, or shorter."""


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        (said.Said, StoreRequest),
        (said.Linking, LinkRequest),
        (said.Asking, QueryRequest),
        (said.Budget, SessionQueryRequest),
        (said.SharedAsking, SharedQueryRequest),
        (said.SessionTerms, SessionTermsRequest),
        (said.Opening, OpenRequest),
        (said.Taking, ImportTerms),
    ],
    ids=lambda found: found.__name__,
)
def test_what_is_said_in_a_body_is_a_field_of_the_request(typed: Any, model: Any) -> None:
    fields = set(model.model_fields) | ({"strength"} if typed is said.Linking else set())  # of each of its links
    assert {SPELT.get(name, name) if name == "session_id" else name for name in typed.__annotations__} <= fields


def test_a_file_in_a_body_is_taken_as_one_beside_it() -> None:
    assert set(ImportRequest.model_fields) - {"package_base64"} == set(said.Taking.__annotations__) - {"wait"}


@pytest.mark.parametrize(
    ("typed", "method", "path"),
    [
        (said.When, "get", "/v1/agents/{agent}/memories/{memory_id}"),
        (said.Wanting, "get", "/v1/agents/{agent}/memories"),
        (said.Forgetting, "delete", "/v1/agents/{agent}/memories/{memory_id}"),
        (said.Stating, "get", "/v1/agents/{agent}/state"),
        (said.Replicating, "get", "/v1/agents/{agent}/sync"),
        (said.Taking, "post", "/v1/agents/{agent}/import"),
        (said.Listing, "get", "/v1/agents/{agent}/sessions/{session_id}/memories"),
        (said.Closing, "delete", "/v1/agents/{agent}/sessions/{session_id}"),
        (said.Merging, "post", "/v1/agents/{agent}/sessions/{session_id}/merge/{other_id}"),
        (said.SharedWanting, "get", "/v1/agents/{agent}/shared/{owner}/memories"),
        (said.Around, "get", "/v1/graph/{node}/neighbours"),
        (said.Counted, "get", "/v1/graph/{node}/edges"),
        (said.AsOf, "get", "/v1/graph/{node}/path/{other}"),
        (said.Capable, "get", "/v1/graph/identities"),
        (said.Patterned, "get", "/v1/graph/patterns"),
        (said.Ranked, "get", "/v1/graph/top"),
    ],
    ids=lambda found: getattr(found, "__name__", str(found)),
)
def test_what_is_said_in_a_query_is_a_parameter_of_the_route(typed: Any, method: str, path: str) -> None:
    parameters = {one["name"] for one in document()["paths"][path][method]["parameters"]}
    assert {SPELT.get(name, name) for name in typed.__annotations__} <= parameters


@pytest.mark.parametrize("kind", [Client, AsyncClient, Graph, AsyncGraph])
def test_no_method_of_a_client_takes_names_that_a_type_checker_does_not_know(kind: type) -> None:
    """With ``**more: Any`` a misspelt name is found when the gateway refuses it, or never."""
    seen = 0
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        for parameter in inspect.signature(method).parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                assert str(parameter.annotation).startswith("Unpack["), f"{name}(**{parameter.name})"
                seen += 1
    assert seen > 5


def document(found: list[dict[str, Any]] = []) -> dict[str, Any]:  # noqa: B006  (made once)
    if not found:
        found.append(openapi_document())
    return found[0]

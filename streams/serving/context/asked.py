"""From the shape of a question to what is asked of the finder."""

from __future__ import annotations

from dataclasses import replace

from streams.core.moment import Moment
from streams.serving.context.request import EVERYTHING, ContextRequest, Only
from streams.serving.context.window import Actions, Priority, Semantic, Temporal, Window
from streams.serving.wire.context import (
    ActionsWindow,
    ContextFilter,
    PriorityWindow,
    QueryRequest,
    SemanticWindow,
    SessionQueryRequest,
    TemporalWindow,
    Terms,
)


def request_of(agent: bytes, wanted: QueryRequest, when: Moment) -> ContextRequest:
    """The request; what has no order there is sorted here, so that equal questions are equal."""
    return replace(
        _request(agent, wanted, when),
        query=wanted.query,
        window=None if wanted.window is None else window_of(wanted.window),
        cursor=wanted.cursor,
    )


def zone_request_of(agent: bytes, zone: frozenset[bytes], wanted: SessionQueryRequest, when: Moment) -> ContextRequest:
    """The same about a session. ``zone``: its marks."""
    return replace(_request(agent, wanted, when), query=wanted.query, zone=zone)


def _request(agent: bytes, wanted: Terms, when: Moment) -> ContextRequest:
    return ContextRequest(
        agent=agent,
        max_results=wanted.max_results,
        min_similarity=wanted.min_similarity,
        max_tokens=wanted.max_tokens,
        only=EVERYTHING if wanted.filter is None else only_of(wanted.filter),
        order=wanted.order,
        render=wanted.render,
        truncate=wanted.truncate,
        when=when,
    )


def window_of(shape: TemporalWindow | ActionsWindow | SemanticWindow | PriorityWindow) -> Window:
    """The window."""
    match shape:
        case TemporalWindow():
            return Temporal(shape.seconds, shape.size)
        case ActionsWindow():
            return Actions(shape.count, shape.size)
        case SemanticWindow():
            return Semantic(tuple(sorted(set(shape.tags))), shape.size)
        case PriorityWindow():
            return Priority(shape.min_importance, shape.size)


def only_of(shape: ContextFilter) -> Only:
    """The filter."""
    return Only(
        types=None if shape.types is None else tuple(sorted(set(shape.types))),
        tags=None if shape.tags is None else tuple(sorted(set(shape.tags))),
        min_importance=shape.min_importance,
        since=shape.since,
        until=shape.until,
    )

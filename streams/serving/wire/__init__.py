"""Shapes of requests and answers: what the routes take and give, and what the Python client returns.

Addresses, ids and hashes are 0x-hex strings; timestamps unix seconds; opaque content is base64.
"""

from streams.serving.wire.base import (
    CONTENT_LIMIT,
    LIST_LIMIT,
    QUERY_LIMIT,
    RESULTS_LIMIT,
    TAGS_LIMIT,
    WAIT_LIMIT,
    Answer,
    AsOf,
    Block,
    ErrorBody,
    Text,
    Wire,
)
from streams.serving.wire.changes import CHANGE_TYPES, Change, ChangeType, FeedEnd
from streams.serving.wire.context import Context, ContextFilter, ContextItem, Omitted, QueryRequest, WindowShape
from streams.serving.wire.language import EmbeddingRequest, EmbeddingView, FeaturesView, Guess, IntentView
from streams.serving.wire.memories import Citation, MemoryList, MemoryView, Receipt, StoreRequest, text_of
from streams.serving.wire.packages import ImportRequest, ImportView, PackageView
from streams.serving.wire.proofs import ConsistencyView, EntryProofView, LogEntry, LogList, LogView, ProofView, RootView
from streams.serving.wire.standing import CacheState, ChainState, Component, Health, Ready, ReorgView, TopQuestion

__all__ = [
    "CHANGE_TYPES",
    "CONTENT_LIMIT",
    "LIST_LIMIT",
    "QUERY_LIMIT",
    "RESULTS_LIMIT",
    "TAGS_LIMIT",
    "WAIT_LIMIT",
    "Answer",
    "AsOf",
    "Block",
    "CacheState",
    "ChainState",
    "Change",
    "ChangeType",
    "Citation",
    "Component",
    "ConsistencyView",
    "Context",
    "ContextFilter",
    "ContextItem",
    "EmbeddingRequest",
    "EmbeddingView",
    "EntryProofView",
    "ErrorBody",
    "FeaturesView",
    "FeedEnd",
    "Guess",
    "Health",
    "ImportRequest",
    "ImportView",
    "IntentView",
    "LogEntry",
    "LogList",
    "LogView",
    "MemoryList",
    "MemoryView",
    "Omitted",
    "PackageView",
    "ProofView",
    "QueryRequest",
    "Ready",
    "Receipt",
    "ReorgView",
    "RootView",
    "StoreRequest",
    "Text",
    "TopQuestion",
    "WindowShape",
    "Wire",
    "text_of",
]

"""Counters of the embedding backends."""

from __future__ import annotations

from prometheus_client import Counter

TEXTS = Counter("monmouth_embedding_texts_total", "Texts for which a vector was asked.")
HITS = Counter("monmouth_embedding_cache_hits_total", "Texts whose vector was not computed: cached, or twice in one batch.")

"""The product's own schemas as subjects of a registry.

A topic with one type of record has the subject ``TOPIC-value`` (Confluent's TopicNameStrategy); one with several has a subject
of each, ``TOPIC-NAMESPACE.RECORD`` (their TopicRecordNameStrategy), since versions of one subject must follow each other. Keys
are plain bytes and have none. Invariant: every id that a record in the topics can carry is the id of a version here.
"""

from __future__ import annotations

import json

from schemas.codec import ROOT
from streams.core.registry.compatibility import Level
from streams.core.registry.decide import Wanted
from streams.topics import TOPICS, TopicSpec, physical

LEVEL = Level.BACKWARD_TRANSITIVE
"""What is kept for ever must be readable for ever."""


def own_subjects(prefix: str) -> list[Wanted]:
    """Each schema once, by ascending id, then its other subjects: so an empty registry that counts gives the same ids."""
    versions: dict[str, dict[str, str]] = json.loads((ROOT / "ids.json").read_text())
    texts = {name: {int(key): (ROOT / file).read_text() for key, file in files.items()} for name, files in versions.items()}
    found: dict[int, list[Wanted]] = {}
    for spec in TOPICS.values():
        for record in spec.records:
            for schema_id, text in texts[record].items():
                found.setdefault(schema_id, []).append(Wanted(_subject(prefix, spec, text), _plain(text), schema_id))
    first = [found[schema_id][0] for schema_id in sorted(found)]
    return first + [wanted for schema_id in sorted(found) for wanted in found[schema_id][1:]]


def _subject(prefix: str, spec: TopicSpec, text: str) -> str:
    topic, schema = physical(prefix, spec.name), json.loads(text)
    return f"{topic}-value" if len(spec.records) == 1 else f"{topic}-{schema['namespace']}.{schema['name']}"


def _plain(text: str) -> str:
    """Without layout: it is sent and kept many times."""
    return json.dumps(json.loads(text), separators=(",", ":"))

"""Weights of the signals, as fitted or set; see ``weights.json`` for the command that made them and ``perf/locomo`` for how."""

from __future__ import annotations

import json
from importlib.resources import files
from types import MappingProxyType

from streams.retrieval.signals import SIGNALS

SET = MappingProxyType({"dense_linked": 0.04, "words_linked": 0.08})
"""Weights that are set: what is fitted on holds no links."""
_TABLE = json.loads((files("streams.retrieval") / "weights.json").read_text())
WEIGHTS = MappingProxyType({name: SET.get(name, float(_TABLE["weights"].get(name, 0.0))) for name in SIGNALS})

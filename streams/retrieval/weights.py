"""Weights of the signals, as fitted; see ``weights.json`` for the command that made them and ``perf/locomo`` for how."""

from __future__ import annotations

import json
from importlib.resources import files
from types import MappingProxyType

from streams.retrieval.signals import SIGNALS

_TABLE = json.loads((files("streams.retrieval") / "weights.json").read_text())
WEIGHTS = MappingProxyType({name: float(_TABLE["weights"].get(name, 0.0)) for name in SIGNALS})

"""The conversations as memories, the way a developer who imports a chat would store them, and their vectors.

A turn is one memory: content ``NAME: what was said [shares CAPTION OF THE PICTURE]``, tag the speaker, session the session,
timestamp the session's time and one second more for each turn, agent one per conversation. Vectors are kept in
``.monmouth/locomo`` by digest of text and model; nothing of the data is kept in the repository.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from blake3 import blake3

from perf.measure import ROOT
from schemas.defaults import plain_memory
from schemas.records import Memory
from streams.core.canonical_text import canonical_text
from streams.ports.embedder import Embedder

DATA = ROOT.parent / "shared" / "data" / "locomo" / "locomo-dev5.json"
CACHE = ROOT / ".monmouth" / "locomo"
_SESSION = re.compile(r"session_(\d+)")


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    evidence: tuple[str, ...]
    category: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """``turns``: ids as the data name them, in order, beside ``memories``; ``sessions``: number of each turn's session."""

    name: str
    turns: list[str]
    memories: list[Memory]
    sessions: list[int]
    questions: list[Question]

    @property
    def agent(self) -> bytes:
        return self.memories[0]["agent"]

    @property
    def turn_of(self) -> dict[bytes, str]:
        return {memory["id"]: turn for memory, turn in zip(self.memories, self.turns, strict=True)}


def text_of_turn(turn: dict[str, str]) -> str:
    """What is stored of a turn."""
    picture = f" [shares {turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return f"{turn['speaker']}: {turn['text']}{picture}"


def load(path: Path) -> list[Conversation]:
    """All conversations of a LoCoMo file."""
    return [_conversation(sample) for sample in json.loads(path.read_text())]


def _conversation(sample: dict) -> Conversation:
    name, talk = sample["sample_id"], sample["conversation"]
    agent = blake3(b"locomo" + name.encode()).digest()[:20]
    numbers = sorted(int(match[1]) for key in talk if (match := _SESSION.fullmatch(key)))
    turns, memories, sessions = [], [], []
    for number in numbers:
        started = _time(talk[f"session_{number}_date_time"])
        for place, turn in enumerate(talk[f"session_{number}"]):
            memory_id = blake3(agent + turn["dia_id"].encode()).digest()
            memory: Memory = {
                **plain_memory(memory_id, agent, "EPISODIC", "IMPORT", started + place),
                "content": text_of_turn(turn).encode(),
                "tags": [f"author:{turn['speaker']}"],
                "session": blake3(agent + number.to_bytes(4)).digest()[:16],
            }
            turns.append(turn["dia_id"])
            memories.append(memory)
            sessions.append(number)
    asked = [Question(str(qa["question"]), tuple(qa.get("evidence", [])), qa["category"]) for qa in sample["qa"]]
    return Conversation(name, turns, memories, sessions, asked)


def _time(said: str) -> int:
    """Of "1:56 pm on 8 May, 2023"."""
    moment = dt.datetime.strptime(said.strip(), "%I:%M %p on %d %B, %Y")  # noqa: DTZ007  (UTC is set below)
    return int(moment.replace(tzinfo=dt.UTC).timestamp())


class Vectors:
    """Vectors of texts, computed once and kept."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._file = CACHE / f"{embedder.model_hash.hex()[:16]}-{embedder.backend}.npz"
        self._known: dict[str, np.ndarray] = {}
        if self._file.exists():
            with np.load(self._file) as held:
                self._known = dict(zip(held["keys"].tolist(), held["rows"], strict=True))

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Rows in the order of ``texts``, embedded as the product does."""
        plain = [canonical_text(text) or "" for text in texts]
        keys = [blake3(text.encode()).hexdigest() for text in plain]
        missing = {key: text for key, text in zip(keys, plain, strict=True) if key not in self._known}
        if missing:
            rows = self.embedder.embed(list(missing.values()))
            self._known |= dict(zip(missing, rows, strict=True))
            CACHE.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, keys=np.array(list(self._known)), rows=np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys])

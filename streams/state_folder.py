"""One state folder, one log: what keeps the stores of two pipelines apart.

Local state and stores know nothing of the log they were filled from, so rows of one pipeline would pass for memories of
another. Invariant: the first process that keeps or reads state in a folder notes the topic prefix there, and none with
another prefix gets past ``claim``.
"""

from __future__ import annotations

from pathlib import Path

from streams.errors import ConfigurationError
from streams.private_file import make_once
from streams.settings import Settings

NOTE = Path("topics.prefix")


def claim(settings: Settings) -> None:
    """Raises ConfigurationError if the state folder belongs to the topics of another prefix, or cannot be used."""
    prefix, note = settings.kafka.prefix, settings.path(NOTE)
    try:
        make_once(note, lambda: f"{prefix}\n")
        found = note.read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{note} is not usable: {error}", "Name a folder that you may write: --state-dir.") from None
    if found != prefix:
        raise ConfigurationError(
            f"{settings.state_dir} holds the state of the topics {found}*, not of {prefix}*",
            "Give each topic prefix a state folder of its own: --state-dir FOLDER, or MONMOUTH_STATE_DIR.",
        )

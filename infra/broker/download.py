"""One jar from the Maven repositories that jgo is configured for, or from the machine's own Maven cache.

Each artifact is asked for alone and by its exact version: resolving several together would let one's managed versions
replace another's pinned ones. What comes back is unverified; the caller compares hashes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext

from infra.broker.errors import JarsUnavailableError

TIMEOUT = 60  # seconds without a byte
Download = Callable[[str, Path, int], Path]
"""(coordinate, empty scratch folder, attempt number) to the file. Raises JarsUnavailableError."""


def fetch(coordinate: str, scratch: Path, attempt: int) -> Path:
    """The jar ``group:artifact:version`` as a file inside ``scratch``. Only attempt 0 looks in the local Maven cache."""
    group, artifact, version = coordinate.split(":")
    time.sleep(attempt)
    context = MavenContext(
        repo_cache=scratch,
        local_repos=[] if attempt else [default_maven_repo()],
        timeout=TIMEOUT,
    )
    context.remote_repos.update(GlobalSettings.load().repositories)
    try:
        found: Path = context.project(group, artifact).at_version(version).artifact().resolve()
        if not found.is_relative_to(scratch):
            scratch.mkdir(parents=True, exist_ok=True)
            found = Path(shutil.copyfile(found, scratch / found.name))
    except requests.RequestException as error:
        raise JarsUnavailableError(f"the repository does not answer ({type(error).__name__})") from None
    except RuntimeError:
        raise JarsUnavailableError("no repository has it") from None
    return found

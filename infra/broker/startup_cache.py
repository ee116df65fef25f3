"""The Java runtime's ahead-of-time cache: a restart takes one second instead of three.

It is recorded by the first run as a by-product and written when that run ends, so it delays no start. Invariant: a cache is
used only for the Java build, options and jars it was made with (its name says which) and only if its bytes still have the
hash in its name; anything else is ignored and recorded again.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from infra.broker.jars import JarFolder
from infra.broker.java import Java

CHECK_TIMEOUT = 30  # seconds


class StartupCache:
    """Caches of the broker with ``java``, ``options`` and ``jars``, kept beside the jars."""

    def __init__(self, jars: JarFolder, java: Java, options: Sequence[str]) -> None:
        self._jars = jars
        self._folder = jars.path
        self._java = java
        self._options = tuple(options)
        text = "\0".join([java.build, *options, jars.fingerprint])
        self._key = hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self) -> Path | None:
        """A cache that fits, or None. Removes one that was damaged."""
        for path in sorted(self._folder.glob(f"broker-{self._key}-*.aot")):
            if path.name == self._name(path):
                return path
            path.unlink(missing_ok=True)
        return None

    def adopt(self, recorded: Path) -> bool:
        """Take over what a run that ended well wrote to ``recorded``; False, and nothing kept, if Java itself refuses it."""
        try:
            if not recorded.is_file() or not self._accepted(recorded):
                return False
            final = self._folder / self._name(recorded)
            fresh = final.with_suffix(".new")
            shutil.copyfile(recorded, fresh)
            fresh.replace(final)
            for old in self._folder.glob("broker-*.aot"):
                if old != final:
                    old.unlink(missing_ok=True)
            return True
        except OSError:  # a cache is a comfort: a full disk here must not spoil a stop that went well
            return False
        finally:
            with suppress(OSError):
                recorded.unlink(missing_ok=True)

    def _accepted(self, recorded: Path) -> bool:
        java = [str(self._java.path), *self._options, "-XX:AOTMode=on", f"-XX:AOTCache={recorded}"]
        command = [*java, "-cp", self._jars.class_path, "-version"]
        try:
            return (
                subprocess.run(command, cwd=self._folder, capture_output=True, timeout=CHECK_TIMEOUT, check=False).returncode
                == 0
            )
        except (OSError, subprocess.SubprocessError):
            return False

    def _name(self, path: Path) -> str:
        with path.open("rb") as file:
            return f"broker-{self._key}-{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}.aot"

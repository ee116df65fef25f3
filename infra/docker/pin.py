"""Prints the images of images.txt with the digests that their tags have now, as lines of an .env file.

    python3 infra/docker/pin.py > .env

Needs docker with buildx, and its login where a registry asks for one. Look at what changed before you replace an .env that is
in use. Invariant: a line is printed only with a digest of 64 hex digits, and all of them or none.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

IMAGES = Path(__file__).with_name("images.txt")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def images() -> dict[str, str]:
    """NAME:TAG by variable."""
    lines = (line.partition(" ") for line in IMAGES.read_text().splitlines() if line and not line.startswith("#"))
    return {variable: image for variable, _, image in lines}


def digest(image: str) -> str:
    """What the registry says ``image`` is now. Raises RuntimeError."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"docker cannot be asked for {image}: {type(error).__name__}") from None
    found = done.stdout.strip()
    if done.returncode or not DIGEST.fullmatch(found):
        said = done.stderr.strip().splitlines()
        raise RuntimeError(f"no digest of {image}: {said[-1] if said else 'docker said nothing'}")
    return found


def main() -> int:
    try:
        lines = [f"{variable}={image}@{digest(image)}" for variable, image in images().items()]
    except RuntimeError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

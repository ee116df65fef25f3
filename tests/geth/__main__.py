"""``python -m tests.geth``: builds the geth that ``pytest tests/integration -k geth`` runs, once; takes minutes."""

from __future__ import annotations

import sys

from tests.geth.binary import MODULE, build, find


def main() -> int:
    try:
        binary = find() or build()
    except RuntimeError as error:
        print(f"{MODULE}: {error}", file=sys.stderr)
        return 1
    print(binary)
    return 0


if __name__ == "__main__":
    sys.exit(main())

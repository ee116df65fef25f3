"""``python -m tests.checker LOG...``: one history from the files given; exit code 1 on any anomaly, 2 if it is no history."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.checker.history import HistoryError, read
from tests.checker.report import check, table


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m tests.checker LOG...", file=sys.stderr)
        return 2
    try:
        report = check(read(map(Path, arguments)))
    except (HistoryError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(report))
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m tests.isolation``: 200 agents, 64 tasks each, a million operations; exit code 1 if anything leaked."""

from __future__ import annotations

import argparse
import sys
import time

from tests.isolation.together import together


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.isolation", description=__doc__)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2, help="gateways on the same stores")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    started = time.monotonic()
    found = together(wanted)
    seconds = time.monotonic() - started
    print(
        f"{found.operations:,} operations by {wanted.agents} agents x {wanted.tasks} tasks "
        f"through {wanted.processes} gateways in {seconds:,.0f} s"
    )
    print(f"answers: {dict(sorted(found.answers.items()))}; canaries seen: {found.seen:,}; leaks: {len(found.leaks)}")
    for leak in found.leaks[:20]:
        print(f"  {leak}")
    return 1 if found.leaks else 0


if __name__ == "__main__":
    sys.exit(main())

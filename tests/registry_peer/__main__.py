"""``python -m tests.registry_peer [--record]``: the same calls to our registry and to a real Apicurio, answers side by side.

Fetches Apicurio (158 MB) the first time. Exit code 1 where they differ in something that ``calls`` does not explain, or agree
where it says that they differ. ``--record``: keeps Apicurio's answers, which CI compares ours with.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.registry_peer import apicurio
from tests.registry_peer.calls import drive, faults
from tests.registry_peer.ours import answers, over_http

RECORDED = Path(__file__).with_name(f"apicurio-{apicurio.VERSION}.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    try:
        home = apicurio.find() or apicurio.fetch()
        with tempfile.TemporaryDirectory() as folder, apicurio.running(home, Path(folder)) as url:
            theirs = drive(over_http(url))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    ours = asyncio.run(answers())
    if record:
        RECORDED.write_text(json.dumps(theirs, indent=1, sort_keys=True) + "\n")
    found = faults(ours, theirs)
    explained = sum(ours[name] != theirs[name] for name in ours)
    print("\n".join(found) or f"{len(ours)} calls: {len(ours) - explained} answered alike, {explained} differ as explained")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

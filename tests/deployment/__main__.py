"""``python -m tests.deployment``: compares the schemas kept here with the Go modules they were taken from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCHEMAS = Path(__file__).with_name("schemas")
SOURCES = {
    "keda.sh_scaledobjects.yaml": ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"),
    "compose-spec.json": ("github.com/compose-spec/compose-go/v2@v2.16.2", "schema"),
}


def main() -> int:
    differ = []
    for name, (module, folder) in SOURCES.items():
        done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True, check=True, cwd="/")
        source = Path(json.loads(done.stdout)["Dir"], folder, name)
        if source.read_bytes() != (SCHEMAS / name).read_bytes():
            differ.append(name)
        print(f"{name}: {'differs from' if name in differ else 'is that of'} {module}")
    return len(differ)


if __name__ == "__main__":
    sys.exit(main())

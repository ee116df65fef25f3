"""Writes what the servers of stores.yml are configured with: what the local ones have that the tests run, in their folders.

    python -m infra.docker.stores

So a single Cassandra node acknowledges what lies on the disk, and what is deleted leaves Milvus' disk soon. Invariant: nothing
here differs from the local servers but folders, addresses and ports.
"""

from __future__ import annotations

from pathlib import Path

from infra.cassandra.configuration import Place, node_configuration
from infra.milvus.configuration import PRIVATE, configuration_files

HERE = Path(__file__).parent
CASSANDRA = Place("cassandra", 9042, 7000, ("cassandra",))
CASSANDRA_DATA = Path("/var/lib/cassandra")
MILVUS_BASE = Path("/var/lib/milvus")


def files() -> dict[Path, str]:
    """Text by file."""
    milvus = configuration_files(MILVUS_BASE, PRIVATE)
    return {
        HERE / "cassandra.yaml": node_configuration(CASSANDRA_DATA, CASSANDRA, {}) + "\n",
        **{HERE / "milvus" / name: text.rstrip("\n") + "\n" for name, text in milvus.items()},
    }


def main() -> None:
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()

"""How long an erased agent's vectors, and the name it had, stand in the files of a Milvus server.

    .venv/bin/python -m tests.erase.milvus [--rows 300]

Starts a server as ``monmouth infra milvus up`` does, writes rows of two agents, erases one, and looks through every byte of
every file until nothing of it is found; the message log forgets last, after its retention (about 18 minutes). Prints what was
found, where, and the seconds from the deletion on. Ends with an error if anything is left, or if the other agent lost a row.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from blake3 import blake3

from connectors.stores.milvus import MilvusVectorStore
from connectors.stores.milvus.rows import row_key
from infra.milvus import LocalMilvus
from schemas.codec import using
from streams.ports.stores import VectorRow
from streams.settings import Settings
from streams.vault.keys import FileKeyStore
from streams.vault.sealing import SealingCodec, open_keys
from tests.erase.scan import findings_meanwhile
from tests.milvus_fixtures import programs
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.test_vector_contract import unit

MESSAGES = "rocksmq"
SEED = 20_231_018
"""Of vectors that no other test writes."""
PATIENCE = 1_800.0


def memory(number: int) -> bytes:
    """An id that no bytes happen to be."""
    return blake3(b"canary memory" + number.to_bytes(4, "big")).digest()


def canaries(rows: int) -> dict[str, bytes]:
    """What must not be found afterwards: parts of vectors, the agent's name there, the names of its memories."""
    vectors, found = unit(SEED, 2 * rows), {}
    for n in range(0, rows, max(1, rows // 4)):
        key = row_key(ALICE, memory(n))
        assert key is not None
        found |= {
            f"vector {n}": vectors[n].tobytes()[256:320],
            f"memory {n}": key[32:].encode(),
            f"name {n}": key[:32].encode(),
        }
    return found


def ids() -> dict[str, bytes]:
    """What must not be found at any time."""
    found = {}
    for name, wire in (("agent", ALICE), ("memory", memory(7))):
        found |= {name: wire, f"{name}, hex": wire.hex().encode(), f"{name}, base64": b64encode(wire)[:-4]}
    return found


def places(base: Path, wanted: Mapping[str, bytes]) -> Counter[str]:
    """By kind of file (``insert_log``, ``rocksmq``, ...), how often something was found. Files may come and go meanwhile."""
    found = findings_meanwhile([base], wanted)
    return Counter(Path(each.rpartition(": ")[0]).relative_to(base).parts[0] for each in found)


@asynccontextmanager
async def filled(url: str, collection: str, keys: FileKeyStore, rows: int) -> AsyncIterator[MilvusVectorStore]:
    """Rows of both agents, in segments on the disk."""
    with using(SealingCodec(keys)):
        store = MilvusVectorStore(url, collection)
        vectors = unit(SEED, 2 * rows)
        for agent, part in ((ALICE, vectors[:rows]), (BOB, vectors[rows:])):
            await store.upsert([VectorRow(agent, memory(n), vector, h(77)) for n, vector in enumerate(part)])
        await store.clear("")  # nobody's: it flushes
        yield store
        await store.close()


async def erase(store: MilvusVectorStore, keys: FileKeyStore, rows: int) -> str:
    """As the stream agent and the gateway do: delete by id, destroy the keys, clear by name."""
    name = store.name_of(ALICE)
    await store.delete([(ALICE, memory(n)) for n in range(rows)])
    keys.destroy(ALICE)
    return await store.clear(name)


async def gone(base: Path, wanted: Mapping[str, bytes], seconds: float) -> float:
    """Seconds until nothing is found; AssertionError if it takes longer."""
    began, said = time.monotonic(), None
    while True:
        found = dict(places(base, wanted))
        took = time.monotonic() - began
        if found != said:
            print(f"{took:7.1f} s  {', '.join(f'{place}: {count}' for place, count in sorted(found.items())) or 'nothing'}")
            said = found
        if not found:
            return took
        assert took < seconds, f"after {seconds:.0f} s still: {found}"
        await asyncio.sleep(0.5)


async def measure(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder, LocalMilvus(Path(folder), programs=programs(), exposed=True) as server:
        keys = open_keys(Settings(state_dir=Path(folder) / "keys"))
        base = server.folder / "data"
        async with filled(server.url, "erasure", keys, rows) as store:
            wanted = canaries(rows)
            print(f"{rows} rows each; found before: {dict(places(base, wanted))}; ids: {dict(places(base, ids()))}")
            print(await erase(store, keys, rows))
            await gone(base, wanted, PATIENCE)
            if len(await store.search(BOB, unit(1)[0], 10_000)) != rows:
                raise SystemExit("the other agent lost rows")
        keys.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300)
    asyncio.run(measure(parser.parse_args().rows))


if __name__ == "__main__":
    main()

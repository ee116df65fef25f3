"""A package as an Avro object container file, readable by any Avro library: one Memory record an entry.

The manifest and the attestation are entries of the file's metadata (``monmouth.manifest``, ``monmouth.attestation``). The
marker between blocks is taken from the manifest instead of at random, so that equal packages have equal bytes.
Invariant: ``write(read(data)) == data``; a file that this would write otherwise is refused.
"""

from __future__ import annotations

import json
from functools import cache
from io import BytesIO
from typing import Any

from fastavro import parse_schema, reader, writer

from schemas.codec import ROOT
from schemas.records import Memory
from streams.portability.errors import ALTERED, PackageError
from streams.portability.lines import wrapped
from streams.portability.package import MOST_MEMORIES, Package, demand_whole
from streams.portability.record_json import canonical

MAGIC = b"Obj\x01"
_SCHEMA: Any = parse_schema(json.loads((ROOT / "Memory.avsc").read_text()))


@cache
def _written_schema() -> str:
    out = BytesIO()
    writer(out, _SCHEMA, [], codec="null")
    return str(reader(BytesIO(out.getvalue())).metadata["avro.schema"])


def write(package: Package) -> bytes:
    """The file. Not compressed: the envelope around it is."""
    metadata = {"monmouth.manifest": canonical({"manifest": package.manifest}).decode()}
    if package.attestation is not None:
        metadata["monmouth.attestation"] = canonical({"attestation": package.attestation}).decode()
    out = BytesIO()
    writer(out, _SCHEMA, list(package.memories), codec="null", metadata=metadata, sync_marker=package.digest[:16])
    return out.getvalue()


def read(data: bytes) -> Package:
    """The inverse. Raises PackageError if a byte is not as it was written."""
    try:
        source = reader(BytesIO(data))
        said: dict[str, str] = source.metadata
        if source.codec != "null" or said["avro.schema"] != _written_schema():  # few bytes could ask for any number of objects
            raise PackageError("the file has another schema or compression than this product writes", ALTERED)
        memories: list[Memory] = []
        for record in source:
            memories.append(record)  # type: ignore[arg-type]
            if len(memories) > MOST_MEMORIES:
                raise PackageError(f"more than {MOST_MEMORIES} memories")
        manifest, attestation = said["monmouth.manifest"], said.get("monmouth.attestation")
    except PackageError:
        raise
    except Exception:  # an Avro library meets hostile bytes with any error at all
        raise PackageError("the file is no Avro container of memories", ALTERED) from None
    package = Package(
        wrapped(manifest.encode(), "manifest"),
        tuple(memories),
        None if attestation is None else wrapped(attestation.encode(), "attestation"),
    )
    try:
        same = write(package) == data
    except Exception:  # records of a foreign schema do not fit ours, each in its own way
        same = False
    if not same:
        raise PackageError("the file is not as this product writes it", ALTERED)
    demand_whole(package)
    return package

"""LatticeLog in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "a786d9d073a81177d953bcdc355b296217b7e502c4f71cf6707eee6932738be4"
RUN_9 = Struct('<32s32s')
RUN_10 = Struct('<32s32s')


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = b[p]
    if v1 < 128: v1 = VALUES[v1]
    else: v1, p = read_long(b, p); p -= 1
    v2 = b[p + 1]
    if v2 < 128: v2 = VALUES[v2]
    else: v2, p = read_long(b, p + 1); p -= 2
    v6 = b[p + 2]
    if v6 < 128: v6 = VALUES[v6]
    else: v6, p = read_long(b, p + 2); p -= 3
    v7, v8, = RUN_9.unpack_from(b, p + 3)
    v3 = {'number': v6, 'hash': v7, 'parent': v8}
    v4, v5, = RUN_10.unpack_from(b, p + 67)
    record = {'partition': v1, 'index': v2, 'block': v3, 'checksum': v4, 'root': v5}
    return record, p + 131


def write(prefix: bytes, r: Any) -> bytes:
    v11 = r['partition']
    v12 = r['index']
    v13 = r['block']
    v14 = v13['number']
    v15 = v13['hash']
    if len(v15) != 32: raise UnusualError
    v16 = v13['parent']
    if len(v16) != 32: raise UnusualError
    v17 = r['checksum']
    if len(v17) != 32: raise UnusualError
    v18 = r['root']
    if len(v18) != 32: raise UnusualError
    return b''.join((prefix, SMALL[v11] if 0 <= v11 < 4096 else write_int(v11), SMALL[v12] if 0 <= v12 < 4096 else write_long(v12), SMALL[v14] if 0 <= v14 < 4096 else write_long(v14), v15, v16, v17, v18))

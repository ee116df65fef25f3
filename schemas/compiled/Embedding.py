"""Embedding in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "97fc4d5497477b6acde438ee9f6dc5a27f9304739273fd3421bc5498a110ad27"
RUN_9 = Struct('<32s20s')
RUN_14 = Struct('<32s32s')


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1, v2, = RUN_9.unpack_from(b, p)
    u10 = b[p + 52]
    if u10 == 2:
        v11 = b[p + 53]
        if v11 < 128: v11 = VALUES[v11]
        else: v11, p = read_long(b, p + 53); p -= 54
        v12, v13, = RUN_14.unpack_from(b, p + 54)
        v3 = {'number': v11, 'hash': v12, 'parent': v13}
    elif u10 == 0: v3 = None; p += -65
    else: raise UnusualError
    n = b[p + 118]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 118); p -= 119
    s = p + 119; p = s + n; v4 = b[s:p]
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v5 = b[s:p].decode()
    v6 = b[p:p + 32]
    n = b[p + 32]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 32); p -= 33
    s = p + 33; p = s + n; v7 = b[s:p].decode()
    v8 = b[p:p + 32]
    record = {'memory_id': v1, 'agent': v2, 'block': v3, 'vector': v4, 'model': v5, 'model_hash': v6, 'backend': v7, 'text_digest': v8}
    return record, p + 32


def write(prefix: bytes, r: Any) -> bytes:
    v15 = r['memory_id']
    if len(v15) != 32: raise UnusualError
    v16 = r['agent']
    if len(v16) != 20: raise UnusualError
    v17 = r['block']
    if v17 is None: o21 = b'\0'; o22 = o23 = b''
    else:
        if type(v17) is not dict: raise UnusualError
        v18 = v17['number']
        if type(v18) is not int: raise UnusualError
        v19 = v17['hash']
        if type(v19) is not bytes: raise UnusualError
        if len(v19) != 32: raise UnusualError
        v20 = v17['parent']
        if type(v20) is not bytes: raise UnusualError
        if len(v20) != 32: raise UnusualError
        o21 = b'\2' + (SMALL[v18] if 0 <= v18 < 4096 else write_long(v18))
        o22 = v19
        o23 = v20
    v24 = r['vector']
    n25 = len(v24)
    v26 = r['model']
    t27 = v26.encode()
    n28 = len(t27)
    v29 = r['model_hash']
    if len(v29) != 32: raise UnusualError
    v30 = r['backend']
    t31 = v30.encode()
    n32 = len(t31)
    v33 = r['text_digest']
    if len(v33) != 32: raise UnusualError
    return b''.join((prefix, v15, v16, o21, o22, o23, SMALL[n25] if n25 < 4096 else write_long(n25), v24, SMALL[n28] if n28 < 4096 else write_long(n28), t27, v29, SMALL[n32] if n32 < 4096 else write_long(n32), t31, v33))

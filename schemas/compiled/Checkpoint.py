"""Checkpoint in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "c07907b0716a01449dc4fbb70885f9a262e48e464892fa0da1abc3013ec0821a"
RUN_17 = Struct('<32s32s')


def _read18(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = {}
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; k = b[s:p].decode()
            x = b[p]
            if x < 128: x = VALUES[x]
            else: x, p = read_long(b, p); p -= 1
            p += 1
            out[k] = x


def _write38(i: Any) -> bytes:
    return b''.join((SMALL[i] if 0 <= i < 4096 else write_long(i),))


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v1 = b[s:p].decode()
    v2 = b[p]
    if v2 < 128: v2 = VALUES[v2]
    else: v2, p = read_long(b, p); p -= 1
    n = b[p + 1]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 1); p -= 2
    s = p + 2; p = s + n; v3 = b[s:p].decode()
    v4 = b[p]
    if v4 < 128: v4 = VALUES[v4]
    else: v4, p = read_long(b, p); p -= 1
    v14 = b[p + 1]
    if v14 < 128: v14 = VALUES[v14]
    else: v14, p = read_long(b, p + 1); p -= 2
    v15, v16, = RUN_17.unpack_from(b, p + 2)
    v5 = {'number': v14, 'hash': v15, 'parent': v16}
    n = b[p + 66]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 66); p -= 67
    s = p + 67; p = s + n; v6 = b[s:p].decode()
    v7 = b[p]
    if v7 < 128: v7 = VALUES[v7]
    else: v7, p = read_long(b, p); p -= 1
    v8 = b[p + 1]
    if v8 < 128: v8 = VALUES[v8]
    else: v8, p = read_long(b, p + 1); p -= 2
    if b[p + 2]: v9, p = _read18(b, p + 2); p -= 3
    else: v9 = {}
    v10 = b[p + 3]
    if v10 < 128: v10 = VALUES[v10]
    else: v10, p = read_long(b, p + 3); p -= 4
    v11 = b[p + 4:p + 36]
    u19 = b[p + 36]
    if u19 == 2:
        v12 = b[p + 37:p + 69]
    elif u19 == 0: v12 = None; p += -32
    else: raise UnusualError
    v13 = TRUTH[b[p + 69]]
    record = {'stream_agent': v1, 'partition': v2, 'slot': v3, 'sequence': v4, 'block': v5, 'topic': v6, 'start_offset': v7, 'marker_offset': v8, 'offsets': v9, 'count': v10, 'digest': v11, 'state_digest': v12, 'live': v13}
    return record, p + 70


def write(prefix: bytes, r: Any) -> bytes:
    v20 = r['stream_agent']
    t21 = v20.encode()
    n22 = len(t21)
    v23 = r['partition']
    v24 = r['slot']
    t25 = v24.encode()
    n26 = len(t25)
    v27 = r['sequence']
    v28 = r['block']
    v29 = v28['number']
    v30 = v28['hash']
    if len(v30) != 32: raise UnusualError
    v31 = v28['parent']
    if len(v31) != 32: raise UnusualError
    v32 = r['topic']
    t33 = v32.encode()
    n34 = len(t33)
    v35 = r['start_offset']
    v36 = r['marker_offset']
    v37 = r['offsets']
    if type(v37) is not dict: raise UnusualError
    v39 = r['count']
    v40 = r['digest']
    if len(v40) != 32: raise UnusualError
    v41 = r['state_digest']
    if v41 is None: o42 = b'\0'
    else:
        if type(v41) is not bytes: raise UnusualError
        if len(v41) != 32: raise UnusualError
        o42 = b'\2' + (v41)
    v43 = r['live']
    return b''.join((prefix, SMALL[n22] if n22 < 4096 else write_long(n22), t21, SMALL[v23] if 0 <= v23 < 4096 else write_int(v23), SMALL[n26] if n26 < 4096 else write_long(n26), t25, SMALL[v27] if 0 <= v27 < 4096 else write_long(v27), SMALL[v29] if 0 <= v29 < 4096 else write_long(v29), v30, v31, SMALL[n34] if n34 < 4096 else write_long(n34), t33, SMALL[v35] if 0 <= v35 < 4096 else write_long(v35), SMALL[v36] if 0 <= v36 < 4096 else write_long(v36), b''.join([write_long(len(v37)), *[write_string(k) + _write38(i) for k, i in v37.items()], b'\0']) if v37 else b'\0', SMALL[v39] if 0 <= v39 < 4096 else write_long(v39), v40, o42, TRUTH_BYTES[v43]))

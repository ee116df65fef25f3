"""DeadLetter in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "94a6d04fec34d1efa2079e88e9e9c0789873e7f0c2f574367efa72cfe10c526c"


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v1 = b[s:p].decode()
    v2 = b[p]
    if v2 < 128: v2 = VALUES[v2]
    else: v2, p = read_long(b, p); p -= 1
    v3 = b[p + 1]
    if v3 < 128: v3 = VALUES[v3]
    else: v3, p = read_long(b, p + 1); p -= 2
    n = b[p + 2]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 2); p -= 3
    s = p + 3; p = s + n; v4 = b[s:p].decode()
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v5 = b[s:p].decode()
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v6 = b[s:p].decode()
    v7 = b[p]
    if v7 < 128: v7 = VALUES[v7]
    else: v7, p = read_long(b, p); p -= 1
    u12 = b[p + 1]
    if u12 == 2:
        n = b[p + 2]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 2); p -= 3
        s = p + 3; p = s + n; v8 = b[s:p]
    elif u12 == 0: v8 = None; p += 2
    else: raise UnusualError
    u13 = b[p]
    if u13 == 2:
        n = b[p + 1]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 1); p -= 2
        s = p + 2; p = s + n; v9 = b[s:p]
    elif u13 == 0: v9 = None; p += 1
    else: raise UnusualError
    v10 = TRUTH[b[p]]
    v11 = b[p + 1]
    if v11 < 128: v11 = VALUES[v11]
    else: v11, p = read_long(b, p + 1); p -= 2
    record = {'topic': v1, 'partition': v2, 'offset': v3, 'stream_agent': v4, 'error': v5, 'reason': v6, 'attempts': v7, 'key': v8, 'value': v9, 'truncated': v10, 'size': v11}
    return record, p + 2


def write(prefix: bytes, r: Any) -> bytes:
    v14 = r['topic']
    t15 = v14.encode()
    n16 = len(t15)
    v17 = r['partition']
    v18 = r['offset']
    v19 = r['stream_agent']
    t20 = v19.encode()
    n21 = len(t20)
    v22 = r['error']
    t23 = v22.encode()
    n24 = len(t23)
    v25 = r['reason']
    t26 = v25.encode()
    n27 = len(t26)
    v28 = r['attempts']
    v29 = r['key']
    if v29 is None: o31 = b'\0'; o32 = b''
    else:
        if type(v29) is not bytes: raise UnusualError
        n30 = len(v29)
        o31 = b'\2' + (SMALL[n30] if n30 < 4096 else write_long(n30))
        o32 = v29
    v33 = r['value']
    if v33 is None: o35 = b'\0'; o36 = b''
    else:
        if type(v33) is not bytes: raise UnusualError
        n34 = len(v33)
        o35 = b'\2' + (SMALL[n34] if n34 < 4096 else write_long(n34))
        o36 = v33
    v37 = r['truncated']
    v38 = r['size']
    return b''.join((prefix, SMALL[n16] if n16 < 4096 else write_long(n16), t15, SMALL[v17] if 0 <= v17 < 4096 else write_int(v17), SMALL[v18] if 0 <= v18 < 4096 else write_long(v18), SMALL[n21] if n21 < 4096 else write_long(n21), t20, SMALL[n24] if n24 < 4096 else write_long(n24), t23, SMALL[n27] if n27 < 4096 else write_long(n27), t26, SMALL[v28] if 0 <= v28 < 4096 else write_int(v28), o31, o32, o35, o36, TRUTH_BYTES[v37], SMALL[v38] if 0 <= v38 < 4096 else write_long(v38)))

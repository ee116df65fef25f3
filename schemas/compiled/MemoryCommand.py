"""MemoryCommand in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "f907f024b159e75796ca8eca8e630ab48161b2536a4f564f70448dfec819dc12"
RUN_12 = Struct('<16s20s')
SYMBOLS_13 = {0: 'STORE', 2: 'FORGET'}
SYMBOLS_16 = {0: 'SHORT_TERM', 2: 'LONG_TERM', 4: 'WORKING', 6: 'EPISODIC', 8: 'SEMANTIC'}
RUN_17 = Struct('<d')
CODES_23 = {'STORE': b'\x00', 'FORGET': b'\x02'}
CODES_27 = {'SHORT_TERM': b'\x00', 'LONG_TERM': b'\x02', 'WORKING': b'\x04', 'EPISODIC': b'\x06', 'SEMANTIC': b'\x08'}


def _read18(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; x = b[s:p].decode()
            out.append(x)


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1, v2, = RUN_12.unpack_from(b, p)
    v3 = SYMBOLS_13[b[p + 36]]
    u14 = b[p + 37]
    if u14 == 2:
        v4 = b[p + 38:p + 70]
    elif u14 == 0: v4 = None; p += -32
    else: raise UnusualError
    u15 = b[p + 70]
    if u15 == 2:
        v5 = SYMBOLS_16[b[p + 71]]
    elif u15 == 0: v5 = None; p += -1
    else: raise UnusualError
    n = b[p + 72]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 72); p -= 73
    s = p + 73; p = s + n; v6 = b[s:p]
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v7 = b[s:p].decode()
    v8, = RUN_17.unpack_from(b, p)
    if b[p + 8]: v9, p = _read18(b, p + 8); p -= 9
    else: v9 = []
    v10 = b[p + 9]
    if v10 < 128: v10 = VALUES[v10]
    else: v10, p = read_long(b, p + 9); p -= 10
    u19 = b[p + 10]
    if u19 == 2:
        n = b[p + 11]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 11); p -= 12
        s = p + 12; p = s + n; v11 = b[s:p]
    elif u19 == 0: v11 = None; p += 11
    else: raise UnusualError
    record = {'id': v1, 'agent': v2, 'op': v3, 'memory_id': v4, 'type': v5, 'content': v6, 'media_type': v7, 'importance': v8, 'tags': v9, 'timestamp': v10, 'signature': v11}
    return record, p


def write(prefix: bytes, r: Any) -> bytes:
    v20 = r['id']
    if len(v20) != 16: raise UnusualError
    v21 = r['agent']
    if len(v21) != 20: raise UnusualError
    v22 = r['op']
    v24 = r['memory_id']
    if v24 is None: o25 = b'\0'
    else:
        if type(v24) is not bytes: raise UnusualError
        if len(v24) != 32: raise UnusualError
        o25 = b'\2' + (v24)
    v26 = r['type']
    if v26 is None: o28 = b'\0'
    else:
        o28 = b'\2' + (CODES_27[v26])
    v29 = r['content']
    n30 = len(v29)
    v31 = r['media_type']
    t32 = v31.encode()
    n33 = len(t32)
    v34 = r['importance']
    v35 = r['tags']
    if type(v35) is not list: raise UnusualError
    v36 = r['timestamp']
    v37 = r['signature']
    if v37 is None: o39 = b'\0'; o40 = b''
    else:
        if type(v37) is not bytes: raise UnusualError
        n38 = len(v37)
        o39 = b'\2' + (SMALL[n38] if n38 < 4096 else write_long(n38))
        o40 = v37
    return b''.join((prefix, v20, v21, CODES_23[v22], o25, o28, SMALL[n30] if n30 < 4096 else write_long(n30), v29, SMALL[n33] if n33 < 4096 else write_long(n33), t32, DOUBLE.pack(v34), b''.join([write_long(len(v35)), *[write_string(i) for i in v35], b'\0']) if v35 else b'\0', SMALL[v36] if 0 <= v36 < 4096 else write_long(v36), o39, o40))

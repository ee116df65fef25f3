"""Memory in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "a3370d574c9812742008441f74bfb302567883aa7219c03f6d2be5af60e4cf4f"
RUN_13 = Struct('<32s20s')
SYMBOLS_14 = {0: 'SHORT_TERM', 2: 'LONG_TERM', 4: 'WORKING', 6: 'EPISODIC', 8: 'SEMANTIC'}
SYMBOLS_15 = {0: 'CHAIN', 2: 'COMMAND'}
RUN_20 = Struct('<32s32s')
RUN_22 = Struct('<d')
CODES_27 = {'SHORT_TERM': b'\x00', 'LONG_TERM': b'\x02', 'WORKING': b'\x04', 'EPISODIC': b'\x06', 'SEMANTIC': b'\x08'}
CODES_29 = {'CHAIN': b'\x00', 'COMMAND': b'\x02'}


def _read23(b: bytes, p: int) -> tuple[Any, int]:
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
    v1, v2, = RUN_13.unpack_from(b, p)
    v3 = SYMBOLS_14[b[p + 52]]
    v4 = SYMBOLS_15[b[p + 53]]
    u16 = b[p + 54]
    if u16 == 2:
        v17 = b[p + 55]
        if v17 < 128: v17 = VALUES[v17]
        else: v17, p = read_long(b, p + 55); p -= 56
        v18, v19, = RUN_20.unpack_from(b, p + 56)
        v5 = {'number': v17, 'hash': v18, 'parent': v19}
    elif u16 == 0: v5 = None; p += -65
    else: raise UnusualError
    u21 = b[p + 120]
    if u21 == 2:
        v6 = b[p + 121:p + 153]
    elif u21 == 0: v6 = None; p += -32
    else: raise UnusualError
    v7 = b[p + 153]
    if v7 < 128: v7 = VALUES[v7]
    else: v7, p = read_long(b, p + 153); p -= 154
    n = b[p + 154]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 154); p -= 155
    s = p + 155; p = s + n; v8 = b[s:p]
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v9 = b[s:p].decode()
    v10, = RUN_22.unpack_from(b, p)
    if b[p + 8]: v11, p = _read23(b, p + 8); p -= 9
    else: v11 = []
    v12 = b[p + 9]
    if v12 < 128: v12 = VALUES[v12]
    else: v12, p = read_long(b, p + 9); p -= 10
    record = {'id': v1, 'agent': v2, 'type': v3, 'source': v4, 'block': v5, 'transaction': v6, 'transaction_index': v7, 'content': v8, 'media_type': v9, 'importance': v10, 'tags': v11, 'timestamp': v12}
    return record, p + 10


def write(prefix: bytes, r: Any) -> bytes:
    v24 = r['id']
    if len(v24) != 32: raise UnusualError
    v25 = r['agent']
    if len(v25) != 20: raise UnusualError
    v26 = r['type']
    v28 = r['source']
    v30 = r['block']
    if v30 is None: o34 = b'\0'; o35 = o36 = b''
    else:
        if type(v30) is not dict: raise UnusualError
        v31 = v30['number']
        if type(v31) is not int: raise UnusualError
        v32 = v30['hash']
        if type(v32) is not bytes: raise UnusualError
        if len(v32) != 32: raise UnusualError
        v33 = v30['parent']
        if type(v33) is not bytes: raise UnusualError
        if len(v33) != 32: raise UnusualError
        o34 = b'\2' + (SMALL[v31] if 0 <= v31 < 4096 else write_long(v31))
        o35 = v32
        o36 = v33
    v37 = r['transaction']
    if v37 is None: o38 = b'\0'
    else:
        if type(v37) is not bytes: raise UnusualError
        if len(v37) != 32: raise UnusualError
        o38 = b'\2' + (v37)
    v39 = r['transaction_index']
    v40 = r['content']
    n41 = len(v40)
    v42 = r['media_type']
    t43 = v42.encode()
    n44 = len(t43)
    v45 = r['importance']
    v46 = r['tags']
    if type(v46) is not list: raise UnusualError
    v47 = r['timestamp']
    return b''.join((prefix, v24, v25, CODES_27[v26], CODES_29[v28], o34, o35, o36, o38, SMALL[v39] if 0 <= v39 < 4096 else write_int(v39), SMALL[n41] if n41 < 4096 else write_long(n41), v40, SMALL[n44] if n44 < 4096 else write_long(n44), t43, DOUBLE.pack(v45), b''.join([write_long(len(v46)), *[write_string(i) for i in v46], b'\0']) if v46 else b'\0', SMALL[v47] if 0 <= v47 < 4096 else write_long(v47)))

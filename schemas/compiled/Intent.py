"""Intent in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "02744e842a8b04961e2406412bd5cdebd4c384044dde2322fcc3e8428ca76ed1"
RUN_16 = Struct('<32s32s')
RUN_17 = Struct('<20s32s')
RUN_18 = Struct('<d')
RUN_24 = Struct('<d')


def _read20(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = {}
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; k = b[s:p].decode()
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; x = b[s:p].decode()
            out[k] = x


def _read21(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; v22 = b[s:p].decode()
            v23, = RUN_24.unpack_from(b, p)
            x = {'intent': v22, 'confidence': v23}
            p += 8
            out.append(x)


def _write48(i: Any) -> bytes:
    v49 = i['intent']
    t50 = v49.encode()
    n51 = len(t50)
    v52 = i['confidence']
    return b''.join((SMALL[n51] if n51 < 4096 else write_long(n51), t50, DOUBLE.pack(v52),))


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = b[p]
    if v1 < 128: v1 = VALUES[v1]
    else: v1, p = read_long(b, p); p -= 1
    v13 = b[p + 1]
    if v13 < 128: v13 = VALUES[v13]
    else: v13, p = read_long(b, p + 1); p -= 2
    v14, v15, = RUN_16.unpack_from(b, p + 2)
    v2 = {'number': v13, 'hash': v14, 'parent': v15}
    v3 = b[p + 66]
    if v3 < 128: v3 = VALUES[v3]
    else: v3, p = read_long(b, p + 66); p -= 67
    v4, v5, = RUN_17.unpack_from(b, p + 67)
    v6 = b[p + 119]
    if v6 < 128: v6 = VALUES[v6]
    else: v6, p = read_long(b, p + 119); p -= 120
    n = b[p + 120]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 120); p -= 121
    s = p + 121; p = s + n; v7 = b[s:p].decode()
    v8, = RUN_18.unpack_from(b, p)
    u19 = b[p + 8]
    if u19 == 2:
        n = b[p + 9]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 9); p -= 10
        s = p + 10; p = s + n; v9 = b[s:p].decode()
    elif u19 == 0: v9 = None; p += 9
    else: raise UnusualError
    if b[p]: v10, p = _read20(b, p); p -= 1
    else: v10 = {}
    n = b[p + 1]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 1); p -= 2
    s = p + 2; p = s + n; v11 = b[s:p].decode()
    if b[p]: v12, p = _read21(b, p); p -= 1
    else: v12 = []
    record = {'chain_id': v1, 'block': v2, 'timestamp': v3, 'agent': v4, 'transaction': v5, 'transaction_index': v6, 'intent': v7, 'confidence': v8, 'method': v9, 'slots': v10, 'text': v11, 'alternatives': v12}
    return record, p + 1


def write(prefix: bytes, r: Any) -> bytes:
    v25 = r['chain_id']
    v26 = r['block']
    v27 = v26['number']
    v28 = v26['hash']
    if len(v28) != 32: raise UnusualError
    v29 = v26['parent']
    if len(v29) != 32: raise UnusualError
    v30 = r['timestamp']
    v31 = r['agent']
    if len(v31) != 20: raise UnusualError
    v32 = r['transaction']
    if len(v32) != 32: raise UnusualError
    v33 = r['transaction_index']
    v34 = r['intent']
    t35 = v34.encode()
    n36 = len(t35)
    v37 = r['confidence']
    v38 = r['method']
    if v38 is None: o41 = b'\0'; o42 = b''
    else:
        if type(v38) is not str: raise UnusualError
        t39 = v38.encode()
        n40 = len(t39)
        o41 = b'\2' + (SMALL[n40] if n40 < 4096 else write_long(n40))
        o42 = t39
    v43 = r['slots']
    if type(v43) is not dict: raise UnusualError
    v44 = r['text']
    t45 = v44.encode()
    n46 = len(t45)
    v47 = r['alternatives']
    if type(v47) is not list: raise UnusualError
    return b''.join((prefix, SMALL[v25] if 0 <= v25 < 4096 else write_long(v25), SMALL[v27] if 0 <= v27 < 4096 else write_long(v27), v28, v29, SMALL[v30] if 0 <= v30 < 4096 else write_long(v30), v31, v32, SMALL[v33] if 0 <= v33 < 4096 else write_int(v33), SMALL[n36] if n36 < 4096 else write_long(n36), t35, DOUBLE.pack(v37), o41, o42, b''.join([write_long(len(v43)), *[write_string(k) + write_string(i) for k, i in v43.items()], b'\0']) if v43 else b'\0', SMALL[n46] if n46 < 4096 else write_long(n46), t45, b''.join([write_long(len(v47)), *[_write48(i) for i in v47], b'\0']) if v47 else b'\0'))

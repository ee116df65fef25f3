"""Marker in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "63dc94437d0e106bafb090cec75984cb2fbcb8a758200eb41ef4c8c1f8142fe8"
SYMBOLS_16 = {0: 'NEW', 2: 'UNDO', 4: 'FINAL'}
RUN_20 = Struct('<32s32s')
RUN_24 = Struct('<32s32s')
RUN_29 = Struct('<32s32s')
RUN_34 = Struct('<32s32s')
RUN_39 = Struct('<32s32s')
CODES_41 = {'NEW': b'\x00', 'UNDO': b'\x02', 'FINAL': b'\x04'}


def _read30(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            v31 = b[p]
            if v31 < 128: v31 = VALUES[v31]
            else: v31, p = read_long(b, p); p -= 1
            v32, v33, = RUN_34.unpack_from(b, p + 1)
            x = {'number': v31, 'hash': v32, 'parent': v33}
            p += 65
            out.append(x)


def _write67(i: Any) -> bytes:
    v68 = i['number']
    v69 = i['hash']
    if len(v69) != 32: raise UnusualError
    v70 = i['parent']
    if len(v70) != 32: raise UnusualError
    return b''.join((SMALL[v68] if 0 <= v68 < 4096 else write_long(v68), v69, v70,))


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = SYMBOLS_16[b[p]]
    v2 = b[p + 1]
    if v2 < 128: v2 = VALUES[v2]
    else: v2, p = read_long(b, p + 1); p -= 2
    v3 = b[p + 2]
    if v3 < 128: v3 = VALUES[v3]
    else: v3, p = read_long(b, p + 2); p -= 3
    n = b[p + 3]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 3); p -= 4
    s = p + 4; p = s + n; v4 = b[s:p].decode()
    v5 = b[p]
    if v5 < 128: v5 = VALUES[v5]
    else: v5, p = read_long(b, p); p -= 1
    v17 = b[p + 1]
    if v17 < 128: v17 = VALUES[v17]
    else: v17, p = read_long(b, p + 1); p -= 2
    v18, v19, = RUN_20.unpack_from(b, p + 2)
    v6 = {'number': v17, 'hash': v18, 'parent': v19}
    v21 = b[p + 66]
    if v21 < 128: v21 = VALUES[v21]
    else: v21, p = read_long(b, p + 66); p -= 67
    v22, v23, = RUN_24.unpack_from(b, p + 67)
    v7 = {'number': v21, 'hash': v22, 'parent': v23}
    u25 = b[p + 131]
    if u25 == 2:
        v26 = b[p + 132]
        if v26 < 128: v26 = VALUES[v26]
        else: v26, p = read_long(b, p + 132); p -= 133
        v27, v28, = RUN_29.unpack_from(b, p + 133)
        v8 = {'number': v26, 'hash': v27, 'parent': v28}
    elif u25 == 0: v8 = None; p += -65
    else: raise UnusualError
    v9 = b[p + 197]
    if v9 < 128: v9 = VALUES[v9]
    else: v9, p = read_long(b, p + 197); p -= 198
    v10 = b[p + 198]
    if v10 < 128: v10 = VALUES[v10]
    else: v10, p = read_long(b, p + 198); p -= 199
    v11 = b[p + 199:p + 231]
    if b[p + 231]: v12, p = _read30(b, p + 231); p -= 232
    else: v12 = []
    u35 = b[p + 232]
    if u35 == 2:
        v36 = b[p + 233]
        if v36 < 128: v36 = VALUES[v36]
        else: v36, p = read_long(b, p + 233); p -= 234
        v37, v38, = RUN_39.unpack_from(b, p + 234)
        v13 = {'number': v36, 'hash': v37, 'parent': v38}
    elif u35 == 0: v13 = None; p += -65
    else: raise UnusualError
    v14 = b[p + 298:p + 306]
    n = b[p + 306]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 306); p -= 307
    s = p + 307; p = s + n; v15 = b[s:p]
    record = {'step': v1, 'chain_id': v2, 'sequence': v3, 'topic': v4, 'partition': v5, 'block': v6, 'head': v7, 'final': v8, 'timestamp': v9, 'count': v10, 'digest': v11, 'removed': v12, 'ancestor': v13, 'key_id': v14, 'signature': v15}
    return record, p


def write(prefix: bytes, r: Any) -> bytes:
    v40 = r['step']
    v42 = r['chain_id']
    v43 = r['sequence']
    v44 = r['topic']
    t45 = v44.encode()
    n46 = len(t45)
    v47 = r['partition']
    v48 = r['block']
    v49 = v48['number']
    v50 = v48['hash']
    if len(v50) != 32: raise UnusualError
    v51 = v48['parent']
    if len(v51) != 32: raise UnusualError
    v52 = r['head']
    v53 = v52['number']
    v54 = v52['hash']
    if len(v54) != 32: raise UnusualError
    v55 = v52['parent']
    if len(v55) != 32: raise UnusualError
    v56 = r['final']
    if v56 is None: o60 = b'\0'; o61 = o62 = b''
    else:
        if type(v56) is not dict: raise UnusualError
        v57 = v56['number']
        if type(v57) is not int: raise UnusualError
        v58 = v56['hash']
        if type(v58) is not bytes: raise UnusualError
        if len(v58) != 32: raise UnusualError
        v59 = v56['parent']
        if type(v59) is not bytes: raise UnusualError
        if len(v59) != 32: raise UnusualError
        o60 = b'\2' + (SMALL[v57] if 0 <= v57 < 4096 else write_long(v57))
        o61 = v58
        o62 = v59
    v63 = r['timestamp']
    v64 = r['count']
    v65 = r['digest']
    if len(v65) != 32: raise UnusualError
    v66 = r['removed']
    if type(v66) is not list: raise UnusualError
    v71 = r['ancestor']
    if v71 is None: o75 = b'\0'; o76 = o77 = b''
    else:
        if type(v71) is not dict: raise UnusualError
        v72 = v71['number']
        if type(v72) is not int: raise UnusualError
        v73 = v71['hash']
        if type(v73) is not bytes: raise UnusualError
        if len(v73) != 32: raise UnusualError
        v74 = v71['parent']
        if type(v74) is not bytes: raise UnusualError
        if len(v74) != 32: raise UnusualError
        o75 = b'\2' + (SMALL[v72] if 0 <= v72 < 4096 else write_long(v72))
        o76 = v73
        o77 = v74
    v78 = r['key_id']
    if len(v78) != 8: raise UnusualError
    v79 = r['signature']
    n80 = len(v79)
    return b''.join((prefix, CODES_41[v40], SMALL[v42] if 0 <= v42 < 4096 else write_long(v42), SMALL[v43] if 0 <= v43 < 4096 else write_long(v43), SMALL[n46] if n46 < 4096 else write_long(n46), t45, SMALL[v47] if 0 <= v47 < 4096 else write_int(v47), SMALL[v49] if 0 <= v49 < 4096 else write_long(v49), v50, v51, SMALL[v53] if 0 <= v53 < 4096 else write_long(v53), v54, v55, o60, o61, o62, SMALL[v63] if 0 <= v63 < 4096 else write_long(v63), SMALL[v64] if 0 <= v64 < 4096 else write_long(v64), v65, b''.join([write_long(len(v66)), *[_write67(i) for i in v66], b'\0']) if v66 else b'\0', o75, o76, o77, v78, SMALL[n80] if n80 < 4096 else write_long(n80), v79))

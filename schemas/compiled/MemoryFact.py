"""MemoryFact in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "416ddb918ef231df3014c3ddfef83aaaeefd4d779bd6f3dfa76987e5d497e18c"
SYMBOLS_7 = {0: 'UPSERT', 2: 'DELETE'}
RUN_8 = Struct('<32s32s20s')
RUN_22 = Struct('<32s20s')
SYMBOLS_23 = {0: 'SHORT_TERM', 2: 'LONG_TERM', 4: 'WORKING', 6: 'EPISODIC', 8: 'SEMANTIC'}
SYMBOLS_24 = {0: 'CHAIN', 2: 'COMMAND'}
RUN_29 = Struct('<32s32s')
RUN_31 = Struct('<d')
RUN_37 = Struct('<32s32s')
CODES_39 = {'UPSERT': b'\x00', 'DELETE': b'\x02'}
CODES_47 = {'SHORT_TERM': b'\x00', 'LONG_TERM': b'\x02', 'WORKING': b'\x04', 'EPISODIC': b'\x06', 'SEMANTIC': b'\x08'}
CODES_49 = {'CHAIN': b'\x00', 'COMMAND': b'\x02'}


def _read32(b: bytes, p: int) -> tuple[Any, int]:
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


def _write67(i: Any) -> bytes:
    if type(i) is not str: raise UnusualError
    t68 = i.encode()
    n69 = len(t68)
    return b''.join((SMALL[n69] if n69 < 4096 else write_long(n69), t68,))


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = SYMBOLS_7[b[p]]
    v2, v3, v4, = RUN_8.unpack_from(b, p + 1)
    u9 = b[p + 85]
    if u9 == 2:
        v10, v11, = RUN_22.unpack_from(b, p + 86)
        v12 = SYMBOLS_23[b[p + 138]]
        v13 = SYMBOLS_24[b[p + 139]]
        u25 = b[p + 140]
        if u25 == 2:
            v26 = b[p + 141]
            if v26 < 128: v26 = VALUES[v26]
            else: v26, p = read_long(b, p + 141); p -= 142
            v27, v28, = RUN_29.unpack_from(b, p + 142)
            v14 = {'number': v26, 'hash': v27, 'parent': v28}
        elif u25 == 0: v14 = None; p += -65
        else: raise UnusualError
        u30 = b[p + 206]
        if u30 == 2:
            v15 = b[p + 207:p + 239]
        elif u30 == 0: v15 = None; p += -32
        else: raise UnusualError
        v16 = b[p + 239]
        if v16 < 128: v16 = VALUES[v16]
        else: v16, p = read_long(b, p + 239); p -= 240
        n = b[p + 240]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 240); p -= 241
        s = p + 241; p = s + n; v17 = b[s:p]
        n = b[p]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p); p -= 1
        s = p + 1; p = s + n; v18 = b[s:p].decode()
        v19, = RUN_31.unpack_from(b, p)
        if b[p + 8]: v20, p = _read32(b, p + 8); p -= 9
        else: v20 = []
        v21 = b[p + 9]
        if v21 < 128: v21 = VALUES[v21]
        else: v21, p = read_long(b, p + 9); p -= 10
        v5 = {'id': v10, 'agent': v11, 'type': v12, 'source': v13, 'block': v14, 'transaction': v15, 'transaction_index': v16, 'content': v17, 'media_type': v18, 'importance': v19, 'tags': v20, 'timestamp': v21}
    elif u9 == 0: v5 = None; p += 76
    else: raise UnusualError
    u33 = b[p + 10]
    if u33 == 2:
        v34 = b[p + 11]
        if v34 < 128: v34 = VALUES[v34]
        else: v34, p = read_long(b, p + 11); p -= 12
        v35, v36, = RUN_37.unpack_from(b, p + 12)
        v6 = {'number': v34, 'hash': v35, 'parent': v36}
    elif u33 == 0: v6 = None; p += -65
    else: raise UnusualError
    record = {'op': v1, 'cause': v2, 'memory_id': v3, 'owner': v4, 'memory': v5, 'block': v6}
    return record, p + 76


def write(prefix: bytes, r: Any) -> bytes:
    v38 = r['op']
    v40 = r['cause']
    if len(v40) != 32: raise UnusualError
    v41 = r['memory_id']
    if len(v41) != 32: raise UnusualError
    v42 = r['owner']
    if len(v42) != 20: raise UnusualError
    v43 = r['memory']
    if v43 is None: o71 = b'\0'; o72 = o73 = o74 = o75 = o76 = o77 = o78 = o79 = o80 = o81 = o82 = o83 = o84 = o85 = o86 = b''
    else:
        if type(v43) is not dict: raise UnusualError
        v44 = v43['id']
        if type(v44) is not bytes: raise UnusualError
        if len(v44) != 32: raise UnusualError
        v45 = v43['agent']
        if type(v45) is not bytes: raise UnusualError
        if len(v45) != 20: raise UnusualError
        v46 = v43['type']
        v48 = v43['source']
        v50 = v43['block']
        if v50 is None: o54 = b'\0'; o55 = o56 = b''
        else:
            if type(v50) is not dict: raise UnusualError
            v51 = v50['number']
            if type(v51) is not int: raise UnusualError
            v52 = v50['hash']
            if type(v52) is not bytes: raise UnusualError
            if len(v52) != 32: raise UnusualError
            v53 = v50['parent']
            if type(v53) is not bytes: raise UnusualError
            if len(v53) != 32: raise UnusualError
            o54 = b'\2' + (SMALL[v51] if 0 <= v51 < 4096 else write_long(v51))
            o55 = v52
            o56 = v53
        v57 = v43['transaction']
        if v57 is None: o58 = b'\0'
        else:
            if type(v57) is not bytes: raise UnusualError
            if len(v57) != 32: raise UnusualError
            o58 = b'\2' + (v57)
        v59 = v43['transaction_index']
        if type(v59) is not int: raise UnusualError
        v60 = v43['content']
        if type(v60) is not bytes: raise UnusualError
        n61 = len(v60)
        v62 = v43['media_type']
        if type(v62) is not str: raise UnusualError
        t63 = v62.encode()
        n64 = len(t63)
        v65 = v43['importance']
        v66 = v43['tags']
        if type(v66) is not list: raise UnusualError
        v70 = v43['timestamp']
        if type(v70) is not int: raise UnusualError
        o71 = b'\2' + (v44)
        o72 = v45
        o73 = CODES_47[v46]
        o74 = CODES_49[v48]
        o75 = o54
        o76 = o55
        o77 = o56
        o78 = o58
        o79 = SMALL[v59] if 0 <= v59 < 4096 else write_int(v59)
        o80 = SMALL[n61] if n61 < 4096 else write_long(n61)
        o81 = v60
        o82 = SMALL[n64] if n64 < 4096 else write_long(n64)
        o83 = t63
        o84 = DOUBLE.pack(v65)
        o85 = b''.join([write_long(len(v66)), *[_write67(i) for i in v66], b'\0']) if v66 else b'\0'
        o86 = SMALL[v70] if 0 <= v70 < 4096 else write_long(v70)
    v87 = r['block']
    if v87 is None: o91 = b'\0'; o92 = o93 = b''
    else:
        if type(v87) is not dict: raise UnusualError
        v88 = v87['number']
        if type(v88) is not int: raise UnusualError
        v89 = v87['hash']
        if type(v89) is not bytes: raise UnusualError
        if len(v89) != 32: raise UnusualError
        v90 = v87['parent']
        if type(v90) is not bytes: raise UnusualError
        if len(v90) != 32: raise UnusualError
        o91 = b'\2' + (SMALL[v88] if 0 <= v88 < 4096 else write_long(v88))
        o92 = v89
        o93 = v90
    return b''.join((prefix, CODES_39[v38], v40, v41, v42, o71, o72, o73, o74, o75, o76, o77, o78, o79, o80, o81, o82, o83, o84, o85, o86, o91, o92, o93))

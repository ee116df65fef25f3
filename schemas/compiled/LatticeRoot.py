"""LatticeRoot in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "c3d04f640da8a1a96bf0d3bb41fc3e399ad710819af0857ddefee45a3619f881"
RUN_7 = Struct('<32s32s')
RUN_12 = Struct('<32s32s')


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = b[p:p + 20]
    v2 = b[p + 20]
    if v2 < 128: v2 = VALUES[v2]
    else: v2, p = read_long(b, p + 20); p -= 21
    n = b[p + 21]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 21); p -= 22
    s = p + 22; p = s + n; v3 = b[s:p]
    v4, v5, = RUN_7.unpack_from(b, p)
    u8 = b[p + 64]
    if u8 == 2:
        v9 = b[p + 65]
        if v9 < 128: v9 = VALUES[v9]
        else: v9, p = read_long(b, p + 65); p -= 66
        v10, v11, = RUN_12.unpack_from(b, p + 66)
        v6 = {'number': v9, 'hash': v10, 'parent': v11}
    elif u8 == 0: v6 = None; p += -65
    else: raise UnusualError
    record = {'agent': v1, 'count': v2, 'lattice': v3, 'checksum': v4, 'merkle_root': v5, 'block': v6}
    return record, p + 130


def write(prefix: bytes, r: Any) -> bytes:
    v13 = r['agent']
    if len(v13) != 20: raise UnusualError
    v14 = r['count']
    v15 = r['lattice']
    n16 = len(v15)
    v17 = r['checksum']
    if len(v17) != 32: raise UnusualError
    v18 = r['merkle_root']
    if len(v18) != 32: raise UnusualError
    v19 = r['block']
    if v19 is None: o23 = b'\0'; o24 = o25 = b''
    else:
        if type(v19) is not dict: raise UnusualError
        v20 = v19['number']
        if type(v20) is not int: raise UnusualError
        v21 = v19['hash']
        if type(v21) is not bytes: raise UnusualError
        if len(v21) != 32: raise UnusualError
        v22 = v19['parent']
        if type(v22) is not bytes: raise UnusualError
        if len(v22) != 32: raise UnusualError
        o23 = b'\2' + (SMALL[v20] if 0 <= v20 < 4096 else write_long(v20))
        o24 = v21
        o25 = v22
    return b''.join((prefix, v13, SMALL[v14] if 0 <= v14 < 4096 else write_long(v14), SMALL[n16] if n16 < 4096 else write_long(n16), v15, v17, v18, o23, o24, o25))

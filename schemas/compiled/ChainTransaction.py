"""ChainTransaction in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "9eafdd1ecb8f4c2ffd39784d508611917be95003cb3d6423c028a033fcf9df63"
RUN_36 = Struct('<32s32s')
SYMBOLS_37 = {0: 'SENDER', 2: 'COUNTERPARTY'}
RUN_55 = Struct('<20s8s')
CODES_73 = {'SENDER': b'\x00', 'COUNTERPARTY': b'\x02'}


def _read46(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            x = b[p:p + 32]
            p += 32
            out.append(x)


def _read43(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            v44 = b[p:p + 20]
            if b[p + 20]: v45, p = _read46(b, p + 20); p -= 21
            else: v45 = []
            x = {'address': v44, 'storage_keys': v45}
            p += 21
            out.append(x)


def _read47(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            x = b[p:p + 32]
            p += 32
            out.append(x)


def _read48(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; v49 = b[s:p]
            v50, v51, = RUN_55.unpack_from(b, p)
            v52 = b[p + 28]
            if v52 < 128: v52 = VALUES[v52]
            else: v52, p = read_long(b, p + 28); p -= 29
            n = b[p + 29]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p + 29); p -= 30
            s = p + 30; p = s + n; v53 = b[s:p]
            n = b[p]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p); p -= 1
            s = p + 1; p = s + n; v54 = b[s:p]
            x = {'chain_id': v49, 'address': v50, 'nonce': v51, 'y_parity': v52, 'r': v53, 's': v54}
            out.append(x)


def _read64(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            x = b[p:p + 32]
            p += 32
            out.append(x)


def _read59(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            v60 = b[p]
            if v60 < 128: v60 = VALUES[v60]
            else: v60, p = read_long(b, p); p -= 1
            v61 = b[p + 1:p + 21]
            if b[p + 21]: v62, p = _read64(b, p + 21); p -= 22
            else: v62 = []
            n = b[p + 22]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p + 22); p -= 23
            s = p + 23; p = s + n; v63 = b[s:p]
            x = {'index': v60, 'address': v61, 'topics': v62, 'data': v63}
            out.append(x)


def _write106(i: Any) -> bytes:
    if len(i) != 32: raise UnusualError
    return b''.join((i,))


def _write103(i: Any) -> bytes:
    v104 = i['address']
    if len(v104) != 20: raise UnusualError
    v105 = i['storage_keys']
    if type(v105) is not list: raise UnusualError
    return b''.join((v104, b''.join([write_long(len(v105)), *[_write106(i) for i in v105], b'\0']) if v105 else b'\0',))


def _write108(i: Any) -> bytes:
    if len(i) != 32: raise UnusualError
    return b''.join((i,))


def _write110(i: Any) -> bytes:
    v111 = i['chain_id']
    n112 = len(v111)
    v113 = i['address']
    if len(v113) != 20: raise UnusualError
    v114 = i['nonce']
    if len(v114) != 8: raise UnusualError
    v115 = i['y_parity']
    v116 = i['r']
    n117 = len(v116)
    v118 = i['s']
    n119 = len(v118)
    return b''.join((SMALL[n112] if n112 < 4096 else write_long(n112), v111, v113, v114, SMALL[v115] if 0 <= v115 < 4096 else write_int(v115), SMALL[n117] if n117 < 4096 else write_long(n117), v116, SMALL[n119] if n119 < 4096 else write_long(n119), v118,))


def _write141(i: Any) -> bytes:
    if len(i) != 32: raise UnusualError
    return b''.join((i,))


def _write137(i: Any) -> bytes:
    v138 = i['index']
    v139 = i['address']
    if len(v139) != 20: raise UnusualError
    v140 = i['topics']
    if type(v140) is not list: raise UnusualError
    v142 = i['data']
    n143 = len(v142)
    return b''.join((SMALL[v138] if 0 <= v138 < 4096 else write_int(v138), v139, b''.join([write_long(len(v140)), *[_write141(i) for i in v140], b'\0']) if v140 else b'\0', SMALL[n143] if n143 < 4096 else write_long(n143), v142,))


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = b[p]
    if v1 < 128: v1 = VALUES[v1]
    else: v1, p = read_long(b, p); p -= 1
    v33 = b[p + 1]
    if v33 < 128: v33 = VALUES[v33]
    else: v33, p = read_long(b, p + 1); p -= 2
    v34, v35, = RUN_36.unpack_from(b, p + 2)
    v2 = {'number': v33, 'hash': v34, 'parent': v35}
    v3 = b[p + 66]
    if v3 < 128: v3 = VALUES[v3]
    else: v3, p = read_long(b, p + 66); p -= 67
    v4 = b[p + 67:p + 87]
    v5 = SYMBOLS_37[b[p + 87]]
    v6 = b[p + 88]
    if v6 < 128: v6 = VALUES[v6]
    else: v6, p = read_long(b, p + 88); p -= 89
    v7 = b[p + 89:p + 121]
    v8 = b[p + 121]
    if v8 < 128: v8 = VALUES[v8]
    else: v8, p = read_long(b, p + 121); p -= 122
    v9 = b[p + 122:p + 142]
    u38 = b[p + 142]
    if u38 == 2:
        v10 = b[p + 143:p + 163]
    elif u38 == 0: v10 = None; p += -20
    else: raise UnusualError
    v11 = b[p + 163:p + 171]
    n = b[p + 171]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 171); p -= 172
    s = p + 172; p = s + n; v12 = b[s:p]
    v13 = b[p]
    if v13 < 128: v13 = VALUES[v13]
    else: v13, p = read_long(b, p); p -= 1
    n = b[p + 1]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 1); p -= 2
    s = p + 2; p = s + n; v14 = b[s:p]
    u39 = b[p]
    if u39 == 2:
        n = b[p + 1]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 1); p -= 2
        s = p + 2; p = s + n; v15 = b[s:p]
    elif u39 == 0: v15 = None; p += 1
    else: raise UnusualError
    u40 = b[p]
    if u40 == 2:
        n = b[p + 1]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 1); p -= 2
        s = p + 2; p = s + n; v16 = b[s:p]
    elif u40 == 0: v16 = None; p += 1
    else: raise UnusualError
    u41 = b[p]
    if u41 == 2:
        n = b[p + 1]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 1); p -= 2
        s = p + 2; p = s + n; v17 = b[s:p]
    elif u41 == 0: v17 = None; p += 1
    else: raise UnusualError
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v18 = b[s:p]
    u42 = b[p]
    if u42 == 2:
        v19 = b[p + 1]
        if v19 < 128: v19 = VALUES[v19]
        else: v19, p = read_long(b, p + 1); p -= 2
    elif u42 == 0: v19 = None; p += -1
    else: raise UnusualError
    if b[p + 2]: v20, p = _read43(b, p + 2); p -= 3
    else: v20 = []
    if b[p + 3]: v21, p = _read47(b, p + 3); p -= 4
    else: v21 = []
    if b[p + 4]: v22, p = _read48(b, p + 4); p -= 5
    else: v22 = []
    n = b[p + 5]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 5); p -= 6
    s = p + 6; p = s + n; v23 = b[s:p]
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v24 = b[s:p]
    n = b[p]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p); p -= 1
    s = p + 1; p = s + n; v25 = b[s:p]
    u56 = b[p]
    if u56 == 2:
        v26 = b[p + 1]
        if v26 < 128: v26 = VALUES[v26]
        else: v26, p = read_long(b, p + 1); p -= 2
    elif u56 == 0: v26 = None; p += -1
    else: raise UnusualError
    u57 = b[p + 2]
    if u57 == 2:
        v27 = b[p + 3:p + 35]
    elif u57 == 0: v27 = None; p += -32
    else: raise UnusualError
    v28 = b[p + 35]
    if v28 < 128: v28 = VALUES[v28]
    else: v28, p = read_long(b, p + 35); p -= 36
    v29 = b[p + 36]
    if v29 < 128: v29 = VALUES[v29]
    else: v29, p = read_long(b, p + 36); p -= 37
    n = b[p + 37]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 37); p -= 38
    s = p + 38; p = s + n; v30 = b[s:p]
    u58 = b[p]
    if u58 == 2:
        v31 = b[p + 1:p + 21]
    elif u58 == 0: v31 = None; p += -20
    else: raise UnusualError
    if b[p + 21]: v32, p = _read59(b, p + 21); p -= 22
    else: v32 = []
    record = {'chain_id': v1, 'block': v2, 'timestamp': v3, 'agent': v4, 'role': v5, 'index': v6, 'hash': v7, 'type': v8, 'sender': v9, 'to': v10, 'nonce': v11, 'value': v12, 'gas': v13, 'gas_price': v14, 'max_fee_per_gas': v15, 'max_priority_fee_per_gas': v16, 'max_fee_per_blob_gas': v17, 'input': v18, 'tx_chain_id': v19, 'access_list': v20, 'blob_versioned_hashes': v21, 'authorization_list': v22, 'v': v23, 'r': v24, 's': v25, 'status': v26, 'post_state_root': v27, 'gas_used': v28, 'cumulative_gas_used': v29, 'logs_bloom': v30, 'contract_address': v31, 'logs': v32}
    return record, p + 22


def write(prefix: bytes, r: Any) -> bytes:
    v65 = r['chain_id']
    v66 = r['block']
    v67 = v66['number']
    v68 = v66['hash']
    if len(v68) != 32: raise UnusualError
    v69 = v66['parent']
    if len(v69) != 32: raise UnusualError
    v70 = r['timestamp']
    v71 = r['agent']
    if len(v71) != 20: raise UnusualError
    v72 = r['role']
    v74 = r['index']
    v75 = r['hash']
    if len(v75) != 32: raise UnusualError
    v76 = r['type']
    v77 = r['sender']
    if len(v77) != 20: raise UnusualError
    v78 = r['to']
    if v78 is None: o79 = b'\0'
    else:
        if type(v78) is not bytes: raise UnusualError
        if len(v78) != 20: raise UnusualError
        o79 = b'\2' + (v78)
    v80 = r['nonce']
    if len(v80) != 8: raise UnusualError
    v81 = r['value']
    n82 = len(v81)
    v83 = r['gas']
    v84 = r['gas_price']
    n85 = len(v84)
    v86 = r['max_fee_per_gas']
    if v86 is None: o88 = b'\0'; o89 = b''
    else:
        if type(v86) is not bytes: raise UnusualError
        n87 = len(v86)
        o88 = b'\2' + (SMALL[n87] if n87 < 4096 else write_long(n87))
        o89 = v86
    v90 = r['max_priority_fee_per_gas']
    if v90 is None: o92 = b'\0'; o93 = b''
    else:
        if type(v90) is not bytes: raise UnusualError
        n91 = len(v90)
        o92 = b'\2' + (SMALL[n91] if n91 < 4096 else write_long(n91))
        o93 = v90
    v94 = r['max_fee_per_blob_gas']
    if v94 is None: o96 = b'\0'; o97 = b''
    else:
        if type(v94) is not bytes: raise UnusualError
        n95 = len(v94)
        o96 = b'\2' + (SMALL[n95] if n95 < 4096 else write_long(n95))
        o97 = v94
    v98 = r['input']
    n99 = len(v98)
    v100 = r['tx_chain_id']
    if v100 is None: o101 = b'\0'
    else:
        if type(v100) is not int: raise UnusualError
        o101 = b'\2' + (SMALL[v100] if 0 <= v100 < 4096 else write_long(v100))
    v102 = r['access_list']
    if type(v102) is not list: raise UnusualError
    v107 = r['blob_versioned_hashes']
    if type(v107) is not list: raise UnusualError
    v109 = r['authorization_list']
    if type(v109) is not list: raise UnusualError
    v120 = r['v']
    n121 = len(v120)
    v122 = r['r']
    n123 = len(v122)
    v124 = r['s']
    n125 = len(v124)
    v126 = r['status']
    if v126 is None: o127 = b'\0'
    else:
        if type(v126) is not int: raise UnusualError
        o127 = b'\2' + (SMALL[v126] if 0 <= v126 < 4096 else write_int(v126))
    v128 = r['post_state_root']
    if v128 is None: o129 = b'\0'
    else:
        if type(v128) is not bytes: raise UnusualError
        if len(v128) != 32: raise UnusualError
        o129 = b'\2' + (v128)
    v130 = r['gas_used']
    v131 = r['cumulative_gas_used']
    v132 = r['logs_bloom']
    n133 = len(v132)
    v134 = r['contract_address']
    if v134 is None: o135 = b'\0'
    else:
        if type(v134) is not bytes: raise UnusualError
        if len(v134) != 20: raise UnusualError
        o135 = b'\2' + (v134)
    v136 = r['logs']
    if type(v136) is not list: raise UnusualError
    return b''.join((prefix, SMALL[v65] if 0 <= v65 < 4096 else write_long(v65), SMALL[v67] if 0 <= v67 < 4096 else write_long(v67), v68, v69, SMALL[v70] if 0 <= v70 < 4096 else write_long(v70), v71, CODES_73[v72], SMALL[v74] if 0 <= v74 < 4096 else write_int(v74), v75, SMALL[v76] if 0 <= v76 < 4096 else write_int(v76), v77, o79, v80, SMALL[n82] if n82 < 4096 else write_long(n82), v81, SMALL[v83] if 0 <= v83 < 4096 else write_long(v83), SMALL[n85] if n85 < 4096 else write_long(n85), v84, o88, o89, o92, o93, o96, o97, SMALL[n99] if n99 < 4096 else write_long(n99), v98, o101, b''.join([write_long(len(v102)), *[_write103(i) for i in v102], b'\0']) if v102 else b'\0', b''.join([write_long(len(v107)), *[_write108(i) for i in v107], b'\0']) if v107 else b'\0', b''.join([write_long(len(v109)), *[_write110(i) for i in v109], b'\0']) if v109 else b'\0', SMALL[n121] if n121 < 4096 else write_long(n121), v120, SMALL[n123] if n123 < 4096 else write_long(n123), v122, SMALL[n125] if n125 < 4096 else write_long(n125), v124, o127, o129, SMALL[v130] if 0 <= v130 < 4096 else write_long(v130), SMALL[v131] if 0 <= v131 < 4096 else write_long(v131), SMALL[n133] if n133 < 4096 else write_long(n133), v132, o135, b''.join([write_long(len(v136)), *[_write137(i) for i in v136], b'\0']) if v136 else b'\0'))

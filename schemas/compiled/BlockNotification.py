"""BlockNotification in Avro binary, written by ``python -m schemas.compiler``. Not for editing."""

# fmt: off
from __future__ import annotations

from struct import Struct
from typing import Any

from schemas.primitives import (
    DOUBLE, FLOAT, LENGTHS, SMALL, TRUTH, TRUTH_BYTES, VALUES, UnusualError, read_length, read_long, write_bytes, write_int,
    write_long, write_string,
)

SCHEMA = "57eae435d0193d92a34ca8c04dfa5788608938d23bf3ca26c08c68f8255356d8"
SYMBOLS_14 = {0: 'NEW', 2: 'UNDO', 4: 'FINAL'}
RUN_18 = Struct('<32s32s')
RUN_22 = Struct('<32s32s')
RUN_27 = Struct('<32s32s')
RUN_50 = Struct('<32s32s20s32s32s32s')
RUN_51 = Struct('<32s8s')
RUN_62 = Struct('<32s32s')
RUN_67 = Struct('<32s32s')
CODES_69 = {'NEW': b'\x00', 'UNDO': b'\x02', 'FINAL': b'\x04'}


def _read58(b: bytes, p: int) -> tuple[Any, int]:
    out: Any = []
    while True:
        count, p = read_length(b, p)
        if not count: return out, p
        for _ in range(count):
            v59 = b[p]
            if v59 < 128: v59 = VALUES[v59]
            else: v59, p = read_long(b, p); p -= 1
            v60, v61, = RUN_62.unpack_from(b, p + 1)
            x = {'number': v59, 'hash': v60, 'parent': v61}
            p += 65
            out.append(x)


def _write146(i: Any) -> bytes:
    v147 = i['number']
    v148 = i['hash']
    if len(v148) != 32: raise UnusualError
    v149 = i['parent']
    if len(v149) != 32: raise UnusualError
    return b''.join((SMALL[v147] if 0 <= v147 < 4096 else write_long(v147), v148, v149,))


def read(b: bytes, p: int) -> tuple[dict[str, Any], int]:
    v1 = SYMBOLS_14[b[p]]
    v2 = b[p + 1]
    if v2 < 128: v2 = VALUES[v2]
    else: v2, p = read_long(b, p + 1); p -= 2
    v3 = b[p + 2]
    if v3 < 128: v3 = VALUES[v3]
    else: v3, p = read_long(b, p + 2); p -= 3
    v15 = b[p + 3]
    if v15 < 128: v15 = VALUES[v15]
    else: v15, p = read_long(b, p + 3); p -= 4
    v16, v17, = RUN_18.unpack_from(b, p + 4)
    v4 = {'number': v15, 'hash': v16, 'parent': v17}
    v19 = b[p + 68]
    if v19 < 128: v19 = VALUES[v19]
    else: v19, p = read_long(b, p + 68); p -= 69
    v20, v21, = RUN_22.unpack_from(b, p + 69)
    v5 = {'number': v19, 'hash': v20, 'parent': v21}
    u23 = b[p + 133]
    if u23 == 2:
        v24 = b[p + 134]
        if v24 < 128: v24 = VALUES[v24]
        else: v24, p = read_long(b, p + 134); p -= 135
        v25, v26, = RUN_27.unpack_from(b, p + 135)
        v6 = {'number': v24, 'hash': v25, 'parent': v26}
    elif u23 == 0: v6 = None; p += -65
    else: raise UnusualError
    u28 = b[p + 199]
    if u28 == 2:
        v29, v30, v31, v32, v33, v34, = RUN_50.unpack_from(b, p + 200)
        n = b[p + 380]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 380); p -= 381
        s = p + 381; p = s + n; v35 = b[s:p]
        n = b[p]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p); p -= 1
        s = p + 1; p = s + n; v36 = b[s:p]
        v37 = b[p]
        if v37 < 128: v37 = VALUES[v37]
        else: v37, p = read_long(b, p); p -= 1
        v38 = b[p + 1]
        if v38 < 128: v38 = VALUES[v38]
        else: v38, p = read_long(b, p + 1); p -= 2
        v39 = b[p + 2]
        if v39 < 128: v39 = VALUES[v39]
        else: v39, p = read_long(b, p + 2); p -= 3
        v40 = b[p + 3]
        if v40 < 128: v40 = VALUES[v40]
        else: v40, p = read_long(b, p + 3); p -= 4
        n = b[p + 4]
        if n < 128: n = LENGTHS[n]
        else: n, p = read_length(b, p + 4); p -= 5
        s = p + 5; p = s + n; v41 = b[s:p]
        v42, v43, = RUN_51.unpack_from(b, p)
        u52 = b[p + 40]
        if u52 == 2:
            n = b[p + 41]
            if n < 128: n = LENGTHS[n]
            else: n, p = read_length(b, p + 41); p -= 42
            s = p + 42; p = s + n; v44 = b[s:p]
        elif u52 == 0: v44 = None; p += 41
        else: raise UnusualError
        u53 = b[p]
        if u53 == 2:
            v45 = b[p + 1:p + 33]
        elif u53 == 0: v45 = None; p += -32
        else: raise UnusualError
        u54 = b[p + 33]
        if u54 == 2:
            v46 = b[p + 34]
            if v46 < 128: v46 = VALUES[v46]
            else: v46, p = read_long(b, p + 34); p -= 35
        elif u54 == 0: v46 = None; p += -1
        else: raise UnusualError
        u55 = b[p + 35]
        if u55 == 2:
            v47 = b[p + 36]
            if v47 < 128: v47 = VALUES[v47]
            else: v47, p = read_long(b, p + 36); p -= 37
        elif u55 == 0: v47 = None; p += -1
        else: raise UnusualError
        u56 = b[p + 37]
        if u56 == 2:
            v48 = b[p + 38:p + 70]
        elif u56 == 0: v48 = None; p += -32
        else: raise UnusualError
        u57 = b[p + 70]
        if u57 == 2:
            v49 = b[p + 71:p + 103]
        elif u57 == 0: v49 = None; p += -32
        else: raise UnusualError
        v7 = {'parent_hash': v29, 'ommers_hash': v30, 'beneficiary': v31, 'state_root': v32, 'transactions_root': v33, 'receipts_root': v34, 'logs_bloom': v35, 'difficulty': v36, 'number': v37, 'gas_limit': v38, 'gas_used': v39, 'timestamp': v40, 'extra_data': v41, 'mix_hash': v42, 'nonce': v43, 'base_fee_per_gas': v44, 'withdrawals_root': v45, 'blob_gas_used': v46, 'excess_blob_gas': v47, 'parent_beacon_block_root': v48, 'requests_hash': v49}
    elif u28 == 0: v7 = None; p += 97
    else: raise UnusualError
    if b[p + 103]: v8, p = _read58(b, p + 103); p -= 104
    else: v8 = []
    u63 = b[p + 104]
    if u63 == 2:
        v64 = b[p + 105]
        if v64 < 128: v64 = VALUES[v64]
        else: v64, p = read_long(b, p + 105); p -= 106
        v65, v66, = RUN_67.unpack_from(b, p + 106)
        v9 = {'number': v64, 'hash': v65, 'parent': v66}
    elif u63 == 0: v9 = None; p += -65
    else: raise UnusualError
    v10 = b[p + 170]
    if v10 < 128: v10 = VALUES[v10]
    else: v10, p = read_long(b, p + 170); p -= 171
    v11 = b[p + 171]
    if v11 < 128: v11 = VALUES[v11]
    else: v11, p = read_long(b, p + 171); p -= 172
    v12 = b[p + 172:p + 180]
    n = b[p + 180]
    if n < 128: n = LENGTHS[n]
    else: n, p = read_length(b, p + 180); p -= 181
    s = p + 181; p = s + n; v13 = b[s:p]
    record = {'step': v1, 'chain_id': v2, 'sequence': v3, 'block': v4, 'head': v5, 'final': v6, 'header': v7, 'removed': v8, 'ancestor': v9, 'transactions': v10, 'records': v11, 'key_id': v12, 'signature': v13}
    return record, p


def write(prefix: bytes, r: Any) -> bytes:
    v68 = r['step']
    v70 = r['chain_id']
    v71 = r['sequence']
    v72 = r['block']
    v73 = v72['number']
    v74 = v72['hash']
    if len(v74) != 32: raise UnusualError
    v75 = v72['parent']
    if len(v75) != 32: raise UnusualError
    v76 = r['head']
    v77 = v76['number']
    v78 = v76['hash']
    if len(v78) != 32: raise UnusualError
    v79 = v76['parent']
    if len(v79) != 32: raise UnusualError
    v80 = r['final']
    if v80 is None: o84 = b'\0'; o85 = o86 = b''
    else:
        if type(v80) is not dict: raise UnusualError
        v81 = v80['number']
        if type(v81) is not int: raise UnusualError
        v82 = v80['hash']
        if type(v82) is not bytes: raise UnusualError
        if len(v82) != 32: raise UnusualError
        v83 = v80['parent']
        if type(v83) is not bytes: raise UnusualError
        if len(v83) != 32: raise UnusualError
        o84 = b'\2' + (SMALL[v81] if 0 <= v81 < 4096 else write_long(v81))
        o85 = v82
        o86 = v83
    v87 = r['header']
    if v87 is None: o120 = b'\0'; o121 = o122 = o123 = o124 = o125 = o126 = o127 = o128 = o129 = o130 = o131 = o132 = o133 = o134 = o135 = o136 = o137 = o138 = o139 = o140 = o141 = o142 = o143 = o144 = b''
    else:
        if type(v87) is not dict: raise UnusualError
        v88 = v87['parent_hash']
        if type(v88) is not bytes: raise UnusualError
        if len(v88) != 32: raise UnusualError
        v89 = v87['ommers_hash']
        if type(v89) is not bytes: raise UnusualError
        if len(v89) != 32: raise UnusualError
        v90 = v87['beneficiary']
        if type(v90) is not bytes: raise UnusualError
        if len(v90) != 20: raise UnusualError
        v91 = v87['state_root']
        if type(v91) is not bytes: raise UnusualError
        if len(v91) != 32: raise UnusualError
        v92 = v87['transactions_root']
        if type(v92) is not bytes: raise UnusualError
        if len(v92) != 32: raise UnusualError
        v93 = v87['receipts_root']
        if type(v93) is not bytes: raise UnusualError
        if len(v93) != 32: raise UnusualError
        v94 = v87['logs_bloom']
        if type(v94) is not bytes: raise UnusualError
        n95 = len(v94)
        v96 = v87['difficulty']
        if type(v96) is not bytes: raise UnusualError
        n97 = len(v96)
        v98 = v87['number']
        if type(v98) is not int: raise UnusualError
        v99 = v87['gas_limit']
        if type(v99) is not int: raise UnusualError
        v100 = v87['gas_used']
        if type(v100) is not int: raise UnusualError
        v101 = v87['timestamp']
        if type(v101) is not int: raise UnusualError
        v102 = v87['extra_data']
        if type(v102) is not bytes: raise UnusualError
        n103 = len(v102)
        v104 = v87['mix_hash']
        if type(v104) is not bytes: raise UnusualError
        if len(v104) != 32: raise UnusualError
        v105 = v87['nonce']
        if type(v105) is not bytes: raise UnusualError
        if len(v105) != 8: raise UnusualError
        v106 = v87['base_fee_per_gas']
        if v106 is None: o108 = b'\0'; o109 = b''
        else:
            if type(v106) is not bytes: raise UnusualError
            n107 = len(v106)
            o108 = b'\2' + (SMALL[n107] if n107 < 4096 else write_long(n107))
            o109 = v106
        v110 = v87['withdrawals_root']
        if v110 is None: o111 = b'\0'
        else:
            if type(v110) is not bytes: raise UnusualError
            if len(v110) != 32: raise UnusualError
            o111 = b'\2' + (v110)
        v112 = v87['blob_gas_used']
        if v112 is None: o113 = b'\0'
        else:
            if type(v112) is not int: raise UnusualError
            o113 = b'\2' + (SMALL[v112] if 0 <= v112 < 4096 else write_long(v112))
        v114 = v87['excess_blob_gas']
        if v114 is None: o115 = b'\0'
        else:
            if type(v114) is not int: raise UnusualError
            o115 = b'\2' + (SMALL[v114] if 0 <= v114 < 4096 else write_long(v114))
        v116 = v87['parent_beacon_block_root']
        if v116 is None: o117 = b'\0'
        else:
            if type(v116) is not bytes: raise UnusualError
            if len(v116) != 32: raise UnusualError
            o117 = b'\2' + (v116)
        v118 = v87['requests_hash']
        if v118 is None: o119 = b'\0'
        else:
            if type(v118) is not bytes: raise UnusualError
            if len(v118) != 32: raise UnusualError
            o119 = b'\2' + (v118)
        o120 = b'\2' + (v88)
        o121 = v89
        o122 = v90
        o123 = v91
        o124 = v92
        o125 = v93
        o126 = SMALL[n95] if n95 < 4096 else write_long(n95)
        o127 = v94
        o128 = SMALL[n97] if n97 < 4096 else write_long(n97)
        o129 = v96
        o130 = SMALL[v98] if 0 <= v98 < 4096 else write_long(v98)
        o131 = SMALL[v99] if 0 <= v99 < 4096 else write_long(v99)
        o132 = SMALL[v100] if 0 <= v100 < 4096 else write_long(v100)
        o133 = SMALL[v101] if 0 <= v101 < 4096 else write_long(v101)
        o134 = SMALL[n103] if n103 < 4096 else write_long(n103)
        o135 = v102
        o136 = v104
        o137 = v105
        o138 = o108
        o139 = o109
        o140 = o111
        o141 = o113
        o142 = o115
        o143 = o117
        o144 = o119
    v145 = r['removed']
    if type(v145) is not list: raise UnusualError
    v150 = r['ancestor']
    if v150 is None: o154 = b'\0'; o155 = o156 = b''
    else:
        if type(v150) is not dict: raise UnusualError
        v151 = v150['number']
        if type(v151) is not int: raise UnusualError
        v152 = v150['hash']
        if type(v152) is not bytes: raise UnusualError
        if len(v152) != 32: raise UnusualError
        v153 = v150['parent']
        if type(v153) is not bytes: raise UnusualError
        if len(v153) != 32: raise UnusualError
        o154 = b'\2' + (SMALL[v151] if 0 <= v151 < 4096 else write_long(v151))
        o155 = v152
        o156 = v153
    v157 = r['transactions']
    v158 = r['records']
    v159 = r['key_id']
    if len(v159) != 8: raise UnusualError
    v160 = r['signature']
    n161 = len(v160)
    return b''.join((prefix, CODES_69[v68], SMALL[v70] if 0 <= v70 < 4096 else write_long(v70), SMALL[v71] if 0 <= v71 < 4096 else write_long(v71), SMALL[v73] if 0 <= v73 < 4096 else write_long(v73), v74, v75, SMALL[v77] if 0 <= v77 < 4096 else write_long(v77), v78, v79, o84, o85, o86, o120, o121, o122, o123, o124, o125, o126, o127, o128, o129, o130, o131, o132, o133, o134, o135, o136, o137, o138, o139, o140, o141, o142, o143, o144, b''.join([write_long(len(v145)), *[_write146(i) for i in v145], b'\0']) if v145 else b'\0', o154, o155, o156, SMALL[v157] if 0 <= v157 < 4096 else write_int(v157), SMALL[v158] if 0 <= v158 < 4096 else write_int(v158), v159, SMALL[n161] if n161 < 4096 else write_long(n161), v160))

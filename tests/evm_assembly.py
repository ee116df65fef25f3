"""Assembles connectors/chain/memory_root.evm: the instructions it uses, and no others."""

from __future__ import annotations

OPCODES = {
    "STOP": 0x00, "EQ": 0x14, "XOR": 0x18, "SHR": 0x1C, "ADDRESS": 0x30, "CALLER": 0x33, "CALLDATALOAD": 0x35,
    "CALLDATASIZE": 0x36, "MSTORE": 0x52, "SLOAD": 0x54, "SSTORE": 0x55, "JUMPI": 0x57, "JUMPDEST": 0x5B, "DUP1": 0x80,
    "RETURN": 0xF3, "REVERT": 0xFD,
}  # fmt: skip
PUSH = 0x5F  # PUSHn is PUSH + n


def assemble(source: str, who: str) -> bytes:
    """The code of ``source`` with the instruction ``who`` (ADDRESS, or PUSH20 and 40 digits) in place of WHO."""
    words = [word for line in source.splitlines() for word in line.partition(";")[0].split()]
    words = [part for word in words for part in (who.split() if word == "WHO" else [word])]
    code, labels, uses = bytearray(), dict[str, int](), dict[int, str]()
    for word in words:
        if word.endswith(":"):
            labels[word[:-1]] = len(code)
            code.append(OPCODES["JUMPDEST"])
        elif word.startswith("@"):
            code.append(PUSH + 1)
            uses[len(code)] = word[1:]
            code.append(0)
        elif word.startswith("0x"):
            operand = bytes.fromhex(word[2:])
            assert code[-1] == PUSH + len(operand), f"{word} does not fit its PUSH"
            code += operand
        elif word.startswith("PUSH"):
            code.append(PUSH + int(word[4:]))
        else:
            code.append(OPCODES[word])
    for place, label in uses.items():
        code[place] = labels[label]
    return bytes(code)

"""Names in requests and answers: agents as 0x and 40 hex digits, memory ids and hashes as 0x and 64."""

from __future__ import annotations

from streams.serving.faults import BadRequestError

ADDRESS_BYTES = 20
ID_BYTES = 32
NODE_BYTES = ADDRESS_BYTES + ID_BYTES
LONGEST_NUMBER = 18


def to_hex(value: bytes) -> str:
    """0x and lower-case digits."""
    return "0x" + value.hex()


def parse_agent(text: str) -> bytes:
    """The address. Raises BadRequestError."""
    return _parse(text, ADDRESS_BYTES, "agent", "An agent is its address: 0x and 40 hex digits.")


def parse_node(text: str) -> bytes:
    """A node of the graph: an address, or an identity as registry and number. Raises BadRequestError."""
    size = NODE_BYTES if len(text) > 2 + 2 * ADDRESS_BYTES else ADDRESS_BYTES
    return _parse(text, size, "node", "A node is an address, 0x and 40 hex digits, or an identity, 0x and 104.")


def parse_memory_id(text: str) -> bytes:
    """The id. Raises BadRequestError."""
    return _parse(text, ID_BYTES, "memory id", "A memory id is 0x and 64 hex digits, as store and list return it.")


def parse_block(text: str) -> int | bytes:
    """The number, in decimal digits, or the hash. Raises BadRequestError."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return int(text)
    return _parse(text, ID_BYTES, "block", "A block is its number, or its hash: 0x and 64 hex digits.")


def parse_root(text: str) -> bytes:
    """The hash. Raises BadRequestError."""
    return _parse(text, ID_BYTES, "root", "A root is 0x and 64 hex digits.")


def _parse(text: str, size: int, what: str, hint: str) -> bytes:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    try:
        value = bytes.fromhex(digits) if len(digits) == 2 * size and digits.isalnum() else b""
    except ValueError:
        value = b""
    if not value:
        raise BadRequestError(f"{what} {text[:80]!r} is not valid", hint)
    return value

"""What a package travels in: compressed (zstd), and encrypted if a passphrase is given (AES-256-GCM, key by scrypt).

Layout: magic ``MMTH``, version 1, flags (1: compressed, 2: encrypted), salt (16) and nonce (12) if encrypted, then the digest
of everything before and behind it (BLAKE3, 32), then the payload. The head is also the additional data of the cipher.
Salt and nonce come from a keyed hash of passphrase and content, so the same package under the same passphrase has the same
bytes; who sees two files can tell that they are equal, and nothing else.
Invariant: any altered byte is refused, and what is opened never takes more room than ``LARGEST``.
"""

from __future__ import annotations

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from streams.portability.errors import ALTERED, PackageError

MAGIC = b"MMTH"
VERSION = 1
COMPRESSED, ENCRYPTED = 1, 2
LEVEL = 3
LARGEST = 1 << 30
SALT, NONCE, DIGEST = 16, 12, 32
_CONTEXT = b"monmouth/package/envelope/1/salt and nonce"


def closed(content: bytes, passphrase: str | None = None, compress: bool = True) -> bytes:
    """``content`` in its envelope."""
    payload = ZstdCompressor(level=LEVEL, write_checksum=True).compress(content) if compress else content
    head = MAGIC + bytes([VERSION, (COMPRESSED if compress else 0) | (ENCRYPTED if passphrase else 0)])
    if passphrase:
        drawn = blake3(payload, key=_key(passphrase, _CONTEXT)).digest(SALT + NONCE)  # slow too: content may be known
        head += drawn
        payload = AESGCM(_key(passphrase, drawn[:SALT])).encrypt(drawn[SALT:], payload, head)
    return head + blake3(head + payload).digest() + payload


def opened(data: bytes, passphrase: str | None = None) -> bytes:
    """The content; what is not an envelope is the content itself. Raises PackageError."""
    if not data.startswith(MAGIC):
        return data
    flags = data[5] if len(data) > 5 else 0
    size = len(MAGIC) + 2 + (SALT + NONCE if flags & ENCRYPTED else 0)
    head, digest, payload = data[:size], data[size : size + DIGEST], data[size + DIGEST :]
    if len(head) < size or blake3(head + payload).digest() != digest:
        raise PackageError("the envelope of the package is damaged", ALTERED)
    if head[4] != VERSION or flags & ~(COMPRESSED | ENCRYPTED):
        raise PackageError(f"the envelope is of version {head[4]}, flags {flags}", "A newer version of the product wrote it.")
    if flags & ENCRYPTED:
        payload = _decrypted(head, payload, passphrase)
    return _expanded(payload) if flags & COMPRESSED else payload


def _decrypted(head: bytes, payload: bytes, passphrase: str | None) -> bytes:
    if not passphrase:
        raise PackageError("the package is encrypted", "Give the passphrase, in a file or in the environment.")
    salt, nonce = head[-SALT - NONCE : -NONCE], head[-NONCE:]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, payload, head)
    except InvalidTag:
        raise PackageError("the passphrase is not the package's, or the package was altered") from None


def _expanded(payload: bytes) -> bytes:
    try:
        with ZstdDecompressor().stream_reader(payload) as stream:
            content = stream.read(LARGEST + 1)
    except ZstdError:
        raise PackageError("the package cannot be expanded", ALTERED) from None
    if len(content) > LARGEST:
        raise PackageError(f"the package holds more than {LARGEST >> 20} MiB", "Export it in parts.")
    return content


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(passphrase.encode())

"""What a package travels in: compressed (zstd), and encrypted if a passphrase is given (AES-256-GCM, key by scrypt).

Layout: magic ``MMTH``, version 1, flags (1: compressed, 2: encrypted), salt (16) and nonce (12) if encrypted, then the digest
of everything before and behind it (BLAKE3, 32), then the payload. The head is also the additional data of the cipher.
Salt and nonce come from a keyed hash of passphrase and content, so the same package under the same passphrase has the same
bytes; who sees two files can tell that they are equal, and nothing else.
Invariants: any altered byte is refused; what is opened is expanded as it is read, and never by more than the reader allows.
"""

from __future__ import annotations

from io import BufferedReader, BytesIO, RawIOBase
from typing import Any, BinaryIO

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
LARGEST = 1 << 28
"""Most bytes of content, unless a reader allows another number."""
WINDOW = 1 << 23
"""Most bytes that a decompressor keeps: a frame may ask for gigabytes; ours ask for a quarter of this."""
CHUNK = 1 << 18
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
    return _sealed(head, payload)


def unlocked(data: bytes, passphrase: str | None = None) -> bytes:
    """The envelope without its encryption, compressed as it was; anything else as it is. Raises PackageError."""
    if not data.startswith(MAGIC) or not _flags(data) & ENCRYPTED:
        return data
    flags, payload = _payload(data, passphrase)
    return _sealed(MAGIC + bytes([VERSION, flags & ~ENCRYPTED]), payload)


def opened(data: bytes, passphrase: str | None = None, most: int = LARGEST) -> BufferedReader:
    """The content, to be read; what is not an envelope is the content itself.

    Raises PackageError at once or while it is read, for more than ``most`` bytes too.
    """
    flags, payload = _payload(data, passphrase) if data.startswith(MAGIC) else (0, data)
    source: Any = BytesIO(payload)
    if flags & COMPRESSED:
        source = ZstdDecompressor(max_window_size=WINDOW).stream_reader(payload)
    return BufferedReader(_Bounded(source, most), CHUNK)


class _Bounded(RawIOBase):
    """Reads ``most`` bytes of ``source`` and refuses the next."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self._source = source
        self._left = self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._source.read(min(len(buffer), CHUNK))
        except ZstdError:
            raise PackageError("the package cannot be expanded", ALTERED) from None
        self._left -= len(chunk)
        if self._left < 0:
            raise PackageError(
                f"the package holds more than {self._most >> 20} MiB",
                "gateway.package_mib of the gateway says how much may be.",
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _flags(data: bytes) -> int:
    return data[5] if len(data) > 5 else 0


def _payload(data: bytes, passphrase: str | None) -> tuple[int, bytes]:
    flags = _flags(data)
    size = len(MAGIC) + 2 + (SALT + NONCE if flags & ENCRYPTED else 0)
    head, digest, payload = data[:size], data[size : size + DIGEST], data[size + DIGEST :]
    if len(head) < size or blake3(head).update(payload).digest() != digest:
        raise PackageError("the envelope of the package is damaged", ALTERED)
    if head[4] != VERSION or flags & ~(COMPRESSED | ENCRYPTED):
        raise PackageError(f"the envelope is of version {head[4]}, flags {flags}", "A newer version of the product wrote it.")
    return flags, _decrypted(head, payload, passphrase) if flags & ENCRYPTED else payload


def _sealed(head: bytes, payload: bytes) -> bytes:
    return b"".join((head, blake3(head).update(payload).digest(), payload))


def _decrypted(head: bytes, payload: bytes, passphrase: str | None) -> bytes:
    if not passphrase:
        raise PackageError(
            "the package is encrypted", "`monmouth import` opens it, with the passphrase in a file or in the environment."
        )
    salt, nonce = head[-SALT - NONCE : -NONCE], head[-NONCE:]
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, payload, head)
    except InvalidTag:
        raise PackageError("the passphrase is not the package's, or the package was altered") from None


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(passphrase.encode())

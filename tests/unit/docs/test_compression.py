"""What compression does to contents: one by one it saves nothing in a compressed batch, and sealed ones do not compress."""

from __future__ import annotations

from collections.abc import Iterable

import cramjam

from streams.vault.box import KEY_BYTES, Box
from tests.conftest import ROOT

LEAST = 1_024
BATCH = 64 * 1024


def batched(contents: Iterable[bytes]) -> int:
    """Bytes of zstd batches of about 64 KiB, as the producers write them, that hold ``contents``."""
    size, batch = 0, b""
    for content in contents:
        batch += content
        if len(batch) > BATCH:
            size, batch = size + len(cramjam.zstd.compress(batch, level=3)), b""
    return size + len(cramjam.zstd.compress(batch, level=3))


def long_texts() -> list[bytes]:
    texts = [path.read_bytes() for path in sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("streams/**/*.py")])]
    return [text for text in texts if len(text) > LEAST]


def test_zstd_of_each_content_saves_nothing_in_a_batch_that_is_compressed() -> None:
    contents = long_texts()
    assert len(contents) > 50
    each = [bytes(cramjam.zstd.compress(content, level=3)) for content in contents]
    plain = batched(contents)
    assert plain < sum(map(len, contents)) / 2
    assert batched(each) > 0.95 * plain


def test_sealed_contents_do_not_compress() -> None:
    box = Box(1, bytes(KEY_BYTES))
    sealed = [box.seal(b"Memory" + bytes([n % 256]), text) for n, text in enumerate(long_texts())]
    assert batched(sealed) > 0.99 * sum(map(len, sealed))

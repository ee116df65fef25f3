"""Write tokens: bound to their agent, and nothing else passes for one."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import hypothesis.strategies as st
import pytest
from blake3 import blake3
from hypothesis import given

from streams.serving.faults import BadRequestError
from streams.serving.write_token import Write, WriteTokens
from tests.unit.serving.world import ALICE, BOB, KEY

TOKENS = WriteTokens(KEY)


class Elsewhere:
    """Of another installation."""

    def leaf_secret(self, agent: bytes) -> bytes:
        return blake3(b"elsewhere" + agent).digest()


WRITE = Write(b"c" * 16, b"m" * 32, 3, 77)

writes = st.builds(
    Write,
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**63 - 1),
)


@given(writes)
def test_print_and_parse_are_inverse(write: Write) -> None:
    assert TOKENS.write_of(ALICE, TOKENS.token_of(ALICE, write)) == write


def test_a_token_of_another_agent_or_installation_is_refused() -> None:
    with pytest.raises(BadRequestError, match="no write token of this agent"):
        TOKENS.write_of(BOB, TOKENS.token_of(ALICE, WRITE))
    with pytest.raises(BadRequestError, match="no write token of this agent"):
        TOKENS.write_of(ALICE, WriteTokens(Elsewhere()).token_of(ALICE, WRITE))


@given(st.integers(0, 76), st.integers(1, 255))
def test_a_token_with_any_byte_altered_is_refused(place: int, by: int) -> None:
    token = TOKENS.token_of(ALICE, WRITE)
    raw = bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert len(raw) == 77
    raw[place] ^= by
    with pytest.raises(BadRequestError):
        TOKENS.write_of(ALICE, urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize("text", ["", "x", "ä", "A" * 80, "A" * 10_000, TOKENS.token_of(ALICE, WRITE)[:-10]])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="no write token"):
        TOKENS.write_of(ALICE, text)

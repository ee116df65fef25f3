"""The question after the active controller, byte by byte, and every answer that names none."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from infra.broker.quorum import CORRELATION, TOPIC, Leader, decode, encode, leader

GOOD = (
    struct.pack(">ibh", CORRELATION, 0, 0)
    + b"\2"
    + bytes([len(TOPIC) + 1])
    + TOPIC
    + b"\2"
    + struct.pack(">ihiiq", 0, 0, 3, 17, 900)
)


def test_the_request_is_what_the_protocol_says() -> None:
    header = b"\x00\x37" + b"\x00\x00" + b"\x00\x00\x00\x07" + b"\xff\xff" + b"\x00"
    assert (
        encode() == header + b"\x02" + b"\x13__cluster_metadata" + b"\x02" + b"\x00\x00\x00\x00" + b"\x00" + b"\x00" + b"\x00"
    )


def test_the_leader_is_read() -> None:
    assert decode(GOOD) == Leader(epoch=17, node=3)


@pytest.mark.parametrize(
    "answer",
    [
        struct.pack(">ibh", CORRELATION, 0, 35),  # unsupported
        struct.pack(">ibh", CORRELATION + 1, 0, 0) + GOOD[7:],  # the answer to another question
        GOOD[:-22] + struct.pack(">ihiiq", 0, 6, -1, 17, 900),  # not the leader
        GOOD[:-22] + struct.pack(">ihiiq", 0, 0, -1, 17, 900),  # an election
    ],
)
def test_no_leader_is_none(answer: bytes) -> None:
    assert decode(answer) is None


def test_the_later_epoch_wins() -> None:
    assert max(Leader(4, 3), Leader(5, 1)) == Leader(5, 1)


def test_a_cut_answer_is_an_error() -> None:
    for size in range(len(GOOD) - 8):
        with pytest.raises(EOFError):
            decode(GOOD[:size])


def test_nobody_there_and_one_who_hangs_up_are_none() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert leader("127.0.0.1", port, timeout=1.0) is None
        server.listen()
        answering = threading.Thread(target=_hang_up, args=[server])
        answering.start()
        assert leader("127.0.0.1", port, timeout=1.0) is None
        answering.join()


def _hang_up(server: socket.socket) -> None:
    server.accept()[0].close()

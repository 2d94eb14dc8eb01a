"""Frames of the serial protocol, and ports that do not respond. No board is needed."""

import os
import time

import pytest
import serial

from convert.verify import serial_link
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, refused


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\0",
        b"a",
        b"\0\0a\0",
        bytes(range(256)) * 3,
        b"x" * 253,
        b"x" * 254,
        b"x" * 255,
        b"x" * 508 + b"\0",
    ],
)
def test_frames_round_trip(frame):
    stuffed = serial_link.cobs_encode(frame)
    assert 0 not in stuffed and len(stuffed) <= len(frame) + len(frame) // 254 + 1
    assert serial_link.cobs_decode(stuffed) == frame
    whole = serial_link.encode(serial_link.RUN, 65535, frame)
    assert whole.count(0) == 1 and serial_link.decode(whole[:-1]) == (
        serial_link.RUN,
        65535,
        frame,
    )
    for at in range(0, len(whole) - 1, 7):
        assert serial_link.decode(whole[:at] + whole[at + 1 : -1]) is None
        assert serial_link.decode(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 : -1]) is None


def test_missing_port_is_reported():
    refused(
        groupcomm("parity", "enhance-nano", "--port", "/dev/nothing"),
        "/dev/nothing: cannot be opened",
    )


def test_silent_port_is_reported():
    master, slave = os.openpty()
    with (
        serial_link.open_port(os.ttyname(slave), 115200) as port,
        pytest.raises(UserError, match="no response to 2 requests in 0.1 s"),
    ):
        start = time.monotonic()
        serial_link.Link(port, timeout=0.05, tries=2).hello()
    assert time.monotonic() - start < 1 and isinstance(port, serial.Serial)
    os.close(master)
    os.close(slave)


class Board:
    """Answers the n-th request with the n-th list of frames; it has no session at first."""

    name = "board"

    def __init__(self, *answers):
        self.answers, self.sent, self.out = list(answers), [], b""
        self.timeout = 0.0

    @property
    def in_waiting(self):
        return len(self.out)

    def write(self, data):
        if data == b"\0":
            return
        assert data[:1] == b"\0" == data[-1:]
        self.sent.append(serial_link.decode(data[1:-1]))
        number = self.sent[-1][1]
        for kind, offset, payload in self.answers.pop(0) if self.answers else ():
            self.out += serial_link.encode(kind, (number + offset) % 65536, payload)

    def read(self, size):
        data, self.out = self.out[:size], self.out[size:]
        return data


RUN, ERROR = serial_link.RUN | serial_link.ANSWER, serial_link.ERROR | serial_link.ANSWER


def test_a_request_is_repeated_with_its_number_until_it_is_answered():
    other = (serial_link.RESET | serial_link.ANSWER, 0, b"other")
    board = Board([], [(RUN, -1, b"late"), other], [(RUN, 0, b"yes")], [(RUN, 0, b"next")])
    link = serial_link.Link(board, timeout=0.02, tries=4)
    assert link.ask(serial_link.RUN, b"abc") == b"yes"
    assert board.sent == [(serial_link.RUN, board.sent[0][1], b"abc")] * 3
    assert (link.faults.repeated, link.faults.damaged) == (2, 0)
    assert link.ask(serial_link.RUN, b"abc") == b"next"
    assert board.sent[3][1] == (board.sent[0][1] + 1) % 65536


def test_damaged_frames_are_counted_and_dropped():
    board = Board([(RUN, 0, b"yes")])
    board.out = b"\x05abc\0"
    link = serial_link.Link(board, timeout=0.5, tries=1)
    assert link.ask(serial_link.RUN) == b"yes" and link.faults.damaged == 1


def test_refusals():
    for reason in (1, 2):
        with pytest.raises(serial_link.WasReset):
            link = serial_link.Link(Board([(ERROR, 0, bytes([reason]))]), timeout=0.5, tries=1)
            link.ask(serial_link.RUN)
    for reason, says in ((3, "a length that does not match"), (200, "rejects a request: 200")):
        with pytest.raises(UserError, match=says):
            link = serial_link.Link(Board([(ERROR, 0, bytes([reason]))]), timeout=0.5, tries=1)
            link.ask(serial_link.RUN)
    with pytest.raises(UserError, match="no response to 1 requests"):  # no reason in it
        serial_link.Link(Board([(ERROR, 0, b"")]), timeout=0.02, tries=1).ask(serial_link.RUN)


def test_a_greeting_has_one_length():
    hello = serial_link.HELLO | serial_link.ANSWER
    board = Board([(hello, 0, bytes(range(20)))], [(hello, 0, bytes(19))])
    link = serial_link.Link(board, timeout=0.5, tries=1)
    found = link.hello()
    assert found["model_crc32"] == 0x03020100 and found["inputs"] == 0x0908
    assert found["sources"] == 0x1110 and len(found) == 7
    assert board.sent[0][0] == serial_link.HELLO and board.sent[0][2] != bytes(4)
    with pytest.raises(UserError, match="19 bytes instead of 20"):
        link.hello()

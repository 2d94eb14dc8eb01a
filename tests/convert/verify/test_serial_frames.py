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

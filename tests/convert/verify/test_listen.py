"""Recording what a board sends: in order, with silence for what is missing, and never lost."""

import os
import struct
import threading
import wave

import numpy as np
import pytest

from convert.verify import listen, serial_link
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm

HOP, SOURCES = 64, 2


def frame(number, lost=0, crc=7) -> bytes:
    pcm = np.full((1 + SOURCES, HOP), number + 1, np.int16) * np.int16([[1], [2], [3]])
    head = struct.pack("<IIIIHH", number, lost, crc, 16000, HOP, SOURCES)
    return serial_link.encode(listen.LIVE, number & 0xFFFF, head + pcm.astype("<i2").tobytes())


@pytest.fixture
def line():
    """Return a function that sends bytes to an open port, and the port."""
    master, slave = os.openpty()
    threads = []

    def send(data: bytes):
        threads.append(threading.Thread(target=os.write, args=(master, data)))
        threads[-1].start()

    with serial_link.open_port(os.ttyname(slave), 115200) as port:
        yield send, port
    for thread in threads:
        thread.join()
    for end in (master, slave):
        os.close(end)


def samples(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getsampwidth(), file.getframerate()) == (2, 16000)
        return np.frombuffer(file.readframes(-1), "<i2").reshape(-1, file.getnchannels())


def hops(folder):
    """Return the value of each hop, before and after; all samples of a hop have one value."""
    before, after = samples(folder / "before.wav"), samples(folder / "after.wav")
    assert before.shape == (len(after), 1) and after.shape[1] == SOURCES
    parts = np.concatenate([before, after], 1).reshape(-1, HOP, 1 + SOURCES)
    assert (parts == parts[:, :1]).all()
    return parts[:, 0].tolist()


def value(number):
    return [number + 1, 2 * (number + 1), 3 * (number + 1)]


def test_hops_are_recorded_in_order_with_silence_for_missing_ones(line, tmp_path):
    send, port = line
    broken = bytearray(frame(6))
    broken[40] ^= 1
    # It begins in the middle of a frame, hop 5 is lost on the board, and hop 6 is damaged.
    send(frame(2)[100:] + frame(3) + frame(4) + bytes(broken) + frame(7, lost=1) + frame(8, lost=1))
    seen = []
    seconds = 6 * HOP / 16000
    found = listen.listen(port, tmp_path, seconds=seconds, report=lambda p: seen.append(p.hops))
    assert hops(tmp_path) == [value(3), value(4), [0] * 3, [0] * 3, value(7), value(8)]
    assert (found["first_hop"], found["hops"], found["received"]) == (3, 6, 4)
    assert (found["lost"], found["damaged"]) == (1, 1)
    assert found["seconds"] == seconds and found["model_crc32"] == 7 and seen == []


def test_a_reset_of_the_board_does_not_end_the_recording(line, tmp_path):
    send, port = line
    send(frame(9) + frame(10) + frame(0) + frame(1))
    listen.listen(port, tmp_path, seconds=4 * HOP / 16000)
    assert hops(tmp_path) == [value(9), value(10), value(0), value(1)]


def test_a_board_that_stops_leaves_the_recording(line, tmp_path):
    send, port = line
    send(frame(0) + frame(1))
    with pytest.raises(UserError, match=r"no sound for 0.5 s.*0.01 s are in"):
        listen.listen(port, tmp_path, silence=0.5)
    assert hops(tmp_path) == [value(0), value(1)]


def test_ctrl_c_keeps_the_recording(line, tmp_path):
    send, port = line
    send(b"".join(frame(i) for i in range(62)))

    def stop(progress):
        raise KeyboardInterrupt

    found = listen.listen(port, tmp_path, report=stop)
    assert found["hops"] == 62 and hops(tmp_path)[-1] == value(61)


def test_without_sound_nothing_is_written(line, tmp_path):
    send, port = line
    send(b"the microphone did not start\r\n")
    with pytest.raises(UserError, match="no sound for 0.3 s; check that this is the board's port"):
        listen.listen(port, tmp_path / "out", silence=0.3)
    assert not (tmp_path / "out").exists()


def test_another_network_ends_the_recording(line, tmp_path):
    send, port = line
    send(frame(0) + frame(1, crc=8))
    with pytest.raises(UserError, match="the board changed its network"):
        listen.listen(port, tmp_path)
    assert hops(tmp_path) == [value(0)]


def test_command_reports_a_port_that_is_missing(tmp_path):
    done = groupcomm("listen", "--port", "/dev/none", "--out", tmp_path)
    assert done.returncode == 2 and "cannot be opened" in done.stderr
    for option, value, step in (("--attenuation-limit", "4", 3), ("--gain", "-19", 2)):
        done = groupcomm("listen", "--port", "x", "--out", tmp_path, option, value)
        assert done.returncode == 2
        assert f"{option} {value}: not a multiple of {step} dB" in done.stderr

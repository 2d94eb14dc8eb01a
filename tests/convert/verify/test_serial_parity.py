"""The parity test over a serial port, on emulated boards and with transmission faults."""

import json

import numpy as np
import pytest

from convert import bundle
from convert.run import host_tools
from convert.verify import serial_link, serial_parity
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm
from tests.helpers.serial_line import HOPS, Line, equal, prove

pytestmark = [pytest.mark.bazel, pytest.mark.board]


@pytest.mark.parametrize("name", ["enhance-nano", "enhance-fast"])
def test_speech_gives_nonzero_output(name):
    opened = bundle.load(name)
    out = host_tools.separate_pcm(opened, serial_parity.speech(HOPS, opened.signal.hop))[2]
    assert np.abs(out).max() > 1000 and np.mean(out != 0) > 0.9


@pytest.mark.parametrize(
    ("firmware", "name"),
    [
        ("enhance_nano_serial_cortex_m4", "enhance-nano"),
        ("enhance_nano_serial_cortex_m33", "enhance-nano"),
        ("enhance_fast_serial_cortex_m55", "enhance-fast"),
    ],
)
def test_board_equals_this_machine(firmware, name):
    with Line(firmware) as line:
        found = prove(line, name, timeout=20)
    assert equal(found)
    if firmware.endswith("m4"):  # a timer of the emulator replaces the cycle counter
        assert found["clock_hz"] == 25_000_000
        for part in ("network", "sound"):
            cycles = found[part]["cycles"]
            assert 0 < cycles["mean"] <= cycles["worst"] and cycles["load"] == pytest.approx(
                cycles["worst"] / (25e6 * 0.008)
            )
    else:
        assert (
            found["clock_hz"] is None
            and found["network"]["cycles"] is None
            and found["sound"]["cycles"] is None
        )
    assert found["faults"] == {"repeated": 0, "damaged": 0, "resets": 0}


@pytest.mark.parametrize(
    "faults",
    [{"drop": 3e-4}, {"flip": 3e-4}, {"drop": 2e-4, "flip": 2e-4}],
    ids=["drop", "flip", "both"],
)
def test_lost_and_wrong_bytes_are_recovered(faults):
    with Line("enhance_nano_serial_cortex_m4", **faults) as line:
        found = prove(line)
    assert equal(found) and found["faults"]["resets"] == 0
    assert found["faults"]["repeated"] >= (line.lost + line.flipped) // 3 > 1
    print(f"{faults}: {line.lost} bytes lost, {line.flipped} wrong: {found['faults']}")


@pytest.mark.parametrize("after", [30, 4_000, 14_000], ids=["greeted", "network", "sound"])
def test_run_restarts_after_a_board_reset(after):
    """The response to the greeting has 30 bytes and arrives whole.

    Otherwise only the greeting would be repeated.
    """
    with Line("enhance_nano_serial_cortex_m4", reset_after=after) as line:
        found = prove(line)
    assert equal(found) and found["faults"]["resets"] == 1


def test_repeated_resets_are_reported():
    with (
        Line("enhance_nano_serial_cortex_m4", reset_after=2_000, resets=100) as line,
        pytest.raises(UserError, match="reset 4 times; check"),
    ):
        prove(line)


def test_unplugged_board_is_reported():
    with (
        Line("enhance_nano_serial_cortex_m4", unplug_after=4_000) as line,
        pytest.raises(UserError, match="the port disappeared .* connect the"),
    ):
        prove(line)


def test_lossy_connection_is_reported():
    with (
        Line("enhance_nano_serial_cortex_m4", drop=0.5) as line,
        pytest.raises(UserError, match="no response to 8 requests in 0.8 s; check"),
    ):
        prove(line, timeout=0.1)


def test_other_network_on_the_board_is_reported():
    with (
        Line("enhance_nano_serial_cortex_m4") as line,
        pytest.raises(UserError, match="the board's model_crc32 is .* but that of enhance-fast"),
    ):
        prove(line, "enhance-fast")


def test_one_different_mask_is_detected(monkeypatch):
    """The board is compared with the bundle, so a changed bundle fails."""
    golden = bundle.Bundle.golden

    def other(self):
        features, masks = golden(self)
        masks = masks.copy()
        masks[7, 3] ^= 1
        return features, masks

    monkeypatch.setattr(bundle.Bundle, "golden", other)
    with Line("enhance_nano_serial_cortex_m4") as line:
        found = prove(line, timeout=5)
    assert (
        not found["ok"]
        and found["network"]["first_different_hop"] == 7
        and found["sound"]["equal_bytes"] == 1
    )


def test_requests_run_once_and_in_order():
    """A repeated sequence number repeats the response without another run.

    A number out of order and a wrong length are rejected.
    """
    opened = bundle.load("enhance-nano")
    features, masks = opened.golden()
    with (
        Line("enhance_nano_serial_cortex_m4") as line,
        serial_link.open_port(line.name, 115200) as port,
    ):
        link = serial_link.Link(port, timeout=5)
        with pytest.raises(serial_link.WasReset):
            link.ask(serial_link.RESET)
        link.hello()
        link.ask(serial_link.RESET)
        for hop in range(3):
            first = link.ask(serial_link.RUN, features[hop].tobytes())
            link._number -= 1
            assert link.ask(serial_link.RUN, features[hop].tobytes()) == first
            assert first[4:] == masks[hop].tobytes()
        with pytest.raises(
            UserError, match="the board rejects a request: a length that does not match its network"
        ):
            link.ask(serial_link.RUN, b"123")
        link._number += 5
        with pytest.raises(serial_link.WasReset):
            link.ask(serial_link.RUN, features[3].tobytes())


def test_command():
    with Line("enhance_nano_serial_cortex_m4") as line:
        done = groupcomm("parity", "enhance-nano", "--port", line.name, "--hops", "20", "--json")
    found = json.loads(done.stdout)
    assert (
        done.returncode == 0
        and found["ok"]
        and found["port"] == line.name
        and found["sound"]["hops"] == 20
    )

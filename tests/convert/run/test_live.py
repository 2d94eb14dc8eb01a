"""Live sound: the devices are a fake of sounddevice that calls back from a thread of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
import wave

import numpy as np
import pytest

import groupcomm
from convert.commands import tables
from convert.run import live, process
from groupcomm import cli
from groupcomm.errors import UserError
from groupcomm.files import REPO

HOP = 128
NAME = "enhance-nano"


def write(path, pcm, rate=16000):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())


def read(path):
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(-1), "<i2").reshape(-1, file.getnchannels())


@pytest.fixture
def pcm(random):
    return np.rint(random.normal(0, 2000, 100 * HOP)).astype("<i2")


@pytest.fixture(autouse=True)
def interpreter(monkeypatch):
    """TFLM gives the bytes of the compiled network, and needs no C compiler."""
    monkeypatch.setattr(live, "load", lambda name, engine: groupcomm.load(name))


class PortAudioError(Exception):
    """As in sounddevice."""


class CallbackAbort(Exception):
    """As in sounddevice."""


class Device(types.ModuleType):
    """A sounddevice with a microphone that gives ``sound`` and headphones that keep ``heard``.

    It stops at the end of the sound. ``before_block`` gets the number of the block; the device
    waits for the end of the stream when it returns False.
    """

    PortAudioError, CallbackAbort = PortAudioError, CallbackAbort

    def __init__(self, sound, rate=16000, flags=None):
        super().__init__("sounddevice")
        self.sound, self.rate, self.flags = sound, rate, flags or {}
        self.channels, self.heard = 2, []
        self.before_block = lambda number: True

    def query_devices(self, kind):
        return {"max_output_channels": self.channels, "default_samplerate": float(self.rate)}

    def check_input_settings(self, channels, dtype, samplerate):
        assert (channels, dtype) == (1, "int16")
        if samplerate != self.rate:
            raise PortAudioError("Invalid sample rate")

    def check_output_settings(self, channels, dtype, samplerate):
        assert (channels, dtype, samplerate) == (self.channels, "int16", self.rate)

    def Stream(self, **options):  # noqa: N802
        assert options["samplerate"] == self.rate and options["dtype"] == "int16"
        return Stream(self, options)


class Stream:
    latency = (0.003, 0.004)

    def __init__(self, device, options):
        self.device, self.options = device, options
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closed.set()
        self.thread.join()

    def run(self):
        size, none = self.options["blocksize"], ("input_underflow", "priming_output")
        none += ("input_overflow", "output_underflow", "output_overflow")
        for number in range(len(self.device.sound) // size):
            if self.closed.is_set():
                break
            if not self.device.before_block(number):
                self.closed.wait(20)
                break
            taken = self.device.sound[number * size : (number + 1) * size, None]
            heard = np.full((size, self.options["channels"][1]), 99, np.int16)
            raised = self.device.flags.get(number, ())
            status = types.SimpleNamespace(**{name: name in raised for name in none})
            try:
                self.options["callback"](taken, heard, size, None, status)
            except CallbackAbort:
                break
            self.device.heard.append(heard)
        self.options["finished_callback"]()


@pytest.fixture
def device(monkeypatch, pcm):
    made = Device(pcm)
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


def heard(device):
    return np.concatenate(device.heard)


def expected(pcm, name=NAME):
    return np.rint(32768 * groupcomm.load(name).process(pcm)).T


@pytest.mark.parametrize("rate, limit", [(16000, None), (44100, 12)])
def test_files_give_the_bytes_of_process(rate, limit, pcm, tmp_path):
    write(tmp_path / "a.wav", pcm[:-57], rate)
    found = live.live(
        NAME, files=(tmp_path / "a.wav", tmp_path / "b.wav"), attenuation_limit_db=limit
    )
    assert found["files"] == [str(tmp_path / "b.wav")] and found["device_rate"] is None
    process.separate(tmp_path / "a.wav", NAME, tmp_path, attenuation_limit_db=limit)
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a_speech.wav").read_bytes()


def test_command_runs_the_c_code_without_tensorflow(pcm, tmp_path):
    """The bytes are those of `groupcomm process`, which runs TFLM."""
    write(tmp_path / "a.wav", pcm[:-57])
    code = (
        "import atexit, sys; from groupcomm.cli import main; "
        "atexit.register(lambda: print('tensorflow' in sys.modules)); main()"
    )
    files = "--input", tmp_path / "a.wav", "--output", tmp_path / "b.wav"
    done = subprocess.run(
        [sys.executable, "-c", code, "live", NAME, *files],
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "b.wav"), "0.80 s", "False"]
    process.separate(tmp_path / "a.wav", NAME, tmp_path)
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a_speech.wav").read_bytes()


@pytest.mark.parametrize("name", [NAME, "separate"])
def test_a_recording_has_the_sound_before_and_after(name, device, pcm, tmp_path):
    seen = []
    found = live.live(
        name, folder=tmp_path / "out", seconds=0.7, report=lambda m: seen.append(m.gain_db)
    )
    before, after = read(tmp_path / "out" / "before.wav"), read(tmp_path / "out" / "after.wav")
    assert len(before) == len(after) == 0.7 * 16000 and found["seconds"] == 0.7
    assert (before[:, 0] == pcm[: len(before)]).all()
    assert np.abs(after - expected(pcm, name)[: len(after)]).max() <= 1
    power = [np.mean(np.square(x[4096:8192, 0] / 32768)) for x in (before, after)]
    assert len(seen) == 2 and abs(seen[1] - 10 * np.log10(power[1] / power[0])) < 1
    delay = HOP  # window - hop; the device waits for no more
    assert found["latency_ms"] == pytest.approx(7 + 1000 * delay / 16000)
    both = after if name == "separate" else np.repeat(after, 2, 1)
    assert (heard(device)[:delay] == 0).all()
    n = min(len(both), len(heard(device)) - delay)
    assert (heard(device)[delay : delay + n] == both[:n]).all()


def test_xruns_are_counted_and_a_lost_device_keeps_the_recording(device, pcm, tmp_path):
    device.flags = {
        0: ["priming_output"],
        3: ["input_overflow", "output_underflow"],
        9: ["input_underflow"],
        10: ["output_overflow"],
    }
    seen = []
    with pytest.raises(UserError, match=r"the audio device stopped; .*; 0.79 s are in"):
        live.live(NAME, folder=tmp_path, report=lambda meters: seen.append(meters.xruns))
    assert seen[-1] == 3
    assert (read(tmp_path / "before.wav")[:, 0] == pcm[: 99 * HOP]).all()
    assert len(read(tmp_path / "after.wav")) == 99 * HOP


def test_a_device_that_gives_nothing_is_given_up(device, monkeypatch):
    monkeypatch.setattr(live, "SILENCE", 0.05)
    device.before_block = lambda number: False
    with pytest.raises(UserError, match="gave no sound for 0.05 s"):
        live.live(NAME)


def test_the_space_bar_switches_to_the_input_and_back(device, pcm, tmp_path, monkeypatch):
    master, slave = os.openpty()
    seen = []

    def press(number):
        if number in (40, 60):
            os.write(master, b"x ")  # another key does nothing
        deadline = time.monotonic() + 20
        while number in (42, 62) and not (seen and seen[0].bypass == (number == 42)):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return True

    device.before_block = press
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(UserError, match="stopped"):
            live.live(NAME, folder=tmp_path, report=seen.append)
    os.close(master)
    after = read(tmp_path / "after.wav")[:, 0]
    sound = heard(device)[HOP:, 0].reshape(-1, HOP)
    inputs, outputs = pcm[: sound.size].reshape(-1, HOP), after[: sound.size].reshape(-1, HOP)
    is_input, is_output = (sound == inputs).all(1), (sound == outputs).all(1)
    assert is_output[:39].all() and is_input[42:59].all() and is_output[62:].all()
    assert (is_input | is_output).sum() == len(sound) - 2  # two hops are faded
    assert np.abs(after - expected(pcm)[: len(after), 0]).max() <= 1  # not what is heard


def test_ctrl_c_ends_and_keeps_the_recording(device, pcm, tmp_path):
    def interrupt(number):
        if number == 50:
            time.sleep(0.2)  # until all blocks are written
            os.kill(os.getpid(), signal.SIGINT)
        return number < 50

    device.before_block = interrupt
    before_test = signal.signal(signal.SIGINT, signal.default_int_handler)  # xdist ignores it
    try:
        found = live.live(NAME, folder=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before_test)
    before = read(tmp_path / "before.wav")[:, 0]
    assert len(before) == 49 * HOP and (before == pcm[: len(before)]).all()
    assert found["seconds"] == len(before) / 16000
    assert len(read(tmp_path / "after.wav")) == len(before)


@pytest.mark.parametrize("rate", [48000, 44100])
def test_a_device_of_another_rate_is_resampled(rate, monkeypatch):
    """With a limit of 0 dB, the output is the input, as late as is reported."""
    sound = np.rint(8000 * np.sin(2 * np.pi * 1000 / rate * np.arange(2 * rate))).astype(np.int16)
    device = Device(sound, rate)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    found = live.live(NAME, seconds=1.5, attenuation_limit_db=0)
    assert found["device_rate"] == rate and len(device.heard[0]) == round(HOP * rate / 16000)
    assert found["latency_ms"] - 7 == pytest.approx(40, abs=0.1)
    delay = round((found["latency_ms"] - 7) / 1000 * rate)
    late = heard(device)[rate // 2 : rate, 0]
    error = late - sound[rate // 2 - delay : rate - delay].astype(float)
    assert np.sqrt(np.mean(error**2)) < 8000 / np.sqrt(2) / 1000  # -60 dB


def test_a_defect_in_the_audio_thread_is_not_hidden(device, monkeypatch):
    monkeypatch.setattr(live.AlignedStream, "process", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        live.live(NAME)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["groupcomm", *map(str, arguments)])
    with pytest.raises(SystemExit) as e:
        cli.main()
    return e.value.code


def test_command_shows_meters_and_prints_its_result(device, tmp_path, monkeypatch, capfd):
    shown, meters = [], tables.live_meters
    monkeypatch.setattr(tables, "live_meters", lambda m: shown.append(meters(m)) or shown[-1])
    record = "--seconds", "0.3", "--record", tmp_path
    assert run(monkeypatch, "live", NAME, *record, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["files"] == [str(tmp_path / "before.wav"), str(tmp_path / "after.wav")]
    assert (found["seconds"], found["xruns"], found["device_rate"]) == (0.3, 0, 16000)
    assert len(shown) == 1 and shown[0].startswith("before -24 #####..., after -")
    assert shown[0].endswith(" dB, 0 xruns")
    assert run(monkeypatch, "live", NAME, "--seconds", "0.3") == 0
    printed = capfd.readouterr()
    assert printed.out == "0.30 s at 16000 Hz, 0 xruns, latency 15 ms\n"
    assert printed.err.splitlines()[-1] == "space bar: bypass on or off; Ctrl-C: end"


def test_meters_fit_into_a_terminal():
    loud = live.Meters(before_db=-10.2, after_db=-100, xruns=1000, bypass=True)
    says = "before -10 #######., after -100 ........ dBFS, gain -90 dB, 1000 xruns, BYPASS"
    assert tables.live_meters(loud) == says and len(says) <= 78


def refused(monkeypatch, capfd, *arguments):
    assert run(monkeypatch, *arguments) == 2
    return capfd.readouterr().err


def missing_device(kind):
    raise PortAudioError("Error querying device -1")


def test_what_is_missing_is_one_line_with_the_way_out(device, tmp_path, monkeypatch, capfd):
    record = "live", NAME, "--record", tmp_path / "out"
    monkeypatch.setattr(device, "query_devices", missing_device)
    cases = {"no microphone and headphones that can be used: Error querying device -1; ": device}
    cases["the package sounddevice is not installed; pip install 'groupcomm-micro[live]'"] = None
    for says, module in cases.items():
        monkeypatch.setitem(sys.modules, "sounddevice", module)
        line = refused(monkeypatch, capfd, *record)
        assert line.startswith(f"groupcomm: {says}") and line.count("\n") == 1
        assert line.endswith(" or use files: --input FILE.wav --output FILE.wav\n")
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    line = refused(monkeypatch, capfd, *record)
    assert line.startswith("groupcomm: PortAudio library not found; install PortAudio (apt")
    assert line.count("\n") == 1 and not (tmp_path / "out").exists()


def test_wrong_files_are_one_line_and_leave_nothing(tmp_path, monkeypatch, capfd):
    for option, other in (("--input", "--output"), ("--output", "--input")):
        line = refused(monkeypatch, capfd, "live", NAME, option, "a.wav")
        assert line == f"groupcomm: {option} a.wav: also give {other}, or neither of them\n"
    (tmp_path / "a.wav").write_bytes(b"not a sound file")
    files = "--input", tmp_path / "a.wav", "--output", tmp_path / "out" / "b.wav"
    assert refused(monkeypatch, capfd, "live", NAME, *files).count("\n") == 1
    assert not (tmp_path / "out").exists()

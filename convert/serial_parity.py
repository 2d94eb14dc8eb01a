"""The same proof on a board: golden vectors and real sound over a serial port, byte for byte. The board's side is micro/parity/server.h."""

import contextlib
import dataclasses
import secrets
import struct
import time
import zlib

import numpy as np
import serial

from calibration_data import clips
from convert import bundle as bundles
from convert import runner
from groupcomm.console import progress
from groupcomm.errors import UserError
from tf_model.signal import to_pcm

HELLO, RESET, RUN, SOUND, ERROR = b"HZNPE"
VERSION = 1
ANSWER = 0x80
REASONS = {
    1: "no session: it was reset",
    2: "a number out of turn",
    3: "a length that is not its network's",
    4: "no such request, or another version of the protocol",
    5: "its network failed",
}
_NO_SESSION, _OUT_OF_TURN = 1, 2
_HEAD = struct.Struct("<BBH")
_HELLO = struct.Struct("<IIHHHHHH")


def cobs_encode(frame: bytes) -> bytes:
    """COBS (Cheshire and Baker, 1999) without the byte 0 that ends a frame."""
    out = bytearray()
    for part in (frame + b"\0").split(b"\0")[:-1]:
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def cobs_decode(stuffed: bytes) -> bytes | None:
    """The inverse of `stuff`; None when it is no such frame."""
    out, at = bytearray(), 0
    while at < len(stuffed):
        run = stuffed[at]
        if run == 0 or at + run > len(stuffed):
            return None
        out += stuffed[at + 1 : at + run]
        at += run
        if run < 255 and at < len(stuffed):
            out.append(0)
    return bytes(out)


def encode(kind: int, number: int, payload: bytes) -> bytes:
    """A whole frame, with the 0 at its end."""
    frame = _HEAD.pack(kind, VERSION, number) + payload
    return cobs_encode(frame + struct.pack("<I", zlib.crc32(frame))) + b"\0"


def decode(stuffed: bytes) -> tuple[int, int, bytes] | None:
    """(kind, number, payload) of a frame without the 0 at its end; None when it is damaged."""
    frame = cobs_decode(stuffed)
    if (
        frame is None
        or len(frame) < 8
        or zlib.crc32(frame[:-4]) != struct.unpack("<I", frame[-4:])[0]
        or frame[1] != VERSION
    ):
        return None
    kind, _, number = _HEAD.unpack(frame[:4])
    return kind, number, frame[4:-4]


class WasReset(Exception):
    """The board knows of no session: its state is lost."""


@dataclasses.dataclass
class LinkStats:
    """What went wrong on the line, and was mended."""

    repeated: int = 0  # requests sent again
    damaged: int = 0  # frames from the board that were dropped
    resets: int = 0  # of the board, with the whole run begun anew


class Link:
    """Requests and answers over an open port, each asked until it is answered.

    Parameters
    ----------
    port : an open ``serial.Serial``; its name goes into messages.
    timeout : seconds to wait for an answer before it is asked again.
    tries : how often one request is sent.
    """

    def __init__(self, port: serial.Serial, *, timeout: float = 1.0, tries: int = 8):
        self.port, self.timeout, self.tries = port, timeout, tries
        self.faults = LinkStats()
        self._number = secrets.randbelow(1 << 16)
        self._waiting = bytearray()

    def hello(self) -> dict:
        """Begin a session; returns what the board says of its network and clock."""
        session = struct.pack("<I", 1 + secrets.randbelow(2**32 - 1))
        self._send(b"\0")  # ends whatever was under way
        keys = ("model_crc32", "clock_hz", "inputs", "outputs", "window", "hop", "sources")
        payload = self.ask(HELLO, session)
        if len(payload) != _HELLO.size:
            raise UserError(
                f"{self.port.name}: the board's greeting has {len(payload)} bytes and not {_HELLO.size}: other firmware"
            )
        return dict(zip(keys, _HELLO.unpack(payload), strict=False))

    def ask(self, kind: int, payload: bytes = b"") -> bytes:
        """The answer's payload.

        Raises
        ------
        WasReset
            When the board lost the session.
        UserError
            When it does not answer, refuses, or the port goes away.
        """
        self._number = (self._number + 1) % (1 << 16)
        frame = encode(kind, self._number, payload)
        for attempt in range(self.tries):
            self.faults.repeated += attempt > 0
            # A 0 first: what noise left on the line does not become part of this frame.
            self._send(b"\0" + frame)
            answer = self._answer(kind)
            if answer is not None:
                return answer
        raise UserError(
            f"{self.port.name}: no answer to {self.tries} requests in {self.tries * self.timeout:g} s; "
            "is this the board's port, and does it run the parity firmware (EnhanceSerial)? Press its reset button and run this again"
        )

    def _answer(self, kind: int) -> bytes | None:
        end = time.monotonic() + self.timeout
        while (left := end - time.monotonic()) > 0:
            stuffed = self._frame(left)
            if not stuffed:
                continue
            found = decode(stuffed)
            if found is None:
                self.faults.damaged += 1
                continue
            got, number, payload = found
            if number != self._number:
                continue  # an answer that came twice
            if got == kind | ANSWER:
                return payload
            if got == ERROR | ANSWER and payload:
                # Out of turn: it was reset, and a session that is not ours began; or answers crossed. Both need a new beginning.
                if payload[0] in (_NO_SESSION, _OUT_OF_TURN):
                    raise WasReset
                raise UserError(
                    f"{self.port.name}: the board refuses a request: {REASONS.get(payload[0], payload[0])}"
                )
        return None

    def _frame(self, seconds: float) -> bytes:
        """Bytes up to the next 0; empty when none came in time."""
        end = time.monotonic() + seconds
        while True:
            frame, zero, rest = self._waiting.partition(b"\0")
            if zero:
                self._waiting = rest
                return bytes(frame)
            left = end - time.monotonic()
            if left <= 0:
                return b""
            with self._plugged():
                self.port.timeout = left
                self._waiting += self.port.read(max(1, self.port.in_waiting))

    def _send(self, data: bytes) -> None:
        with self._plugged():
            self.port.write(data)

    @contextlib.contextmanager
    def _plugged(self):
        try:
            yield
        except (serial.SerialException, OSError) as gone:
            raise UserError(
                f"{self.port.name}: the port went away ({gone}); "
                "plug the board in again, see that its port has the same name, run this again"
            ) from None


def open_port(name: str, baud: int) -> serial.Serial:
    """An open port, a device or a URL of pyserial's.

    Raises
    ------
    UserError
        When it cannot be opened.
    """
    try:
        return serial.serial_for_url(name, baudrate=baud, write_timeout=5)
    except (serial.SerialException, ValueError, OSError) as refused:
        from serial.tools import list_ports

        there = ", ".join(sorted(found.device for found in list_ports.comports())) or "none"
        raise UserError(
            f"{name}: cannot be opened ({refused}); ports on this machine: {there}"
        ) from None


def parity(
    bundle: bundles.Bundle,
    port: serial.Serial,
    *,
    hops: int = 250,
    timeout: float = 1.0,
    resets: int = 3,
) -> dict:
    """Hold a board against the official TFLM (its network) and the C++ stream of this machine (PCM to PCM), after a reset each.

    Parameters
    ----------
    bundle : what the board was flashed with.
    port : open; see `open_port`.
    hops : of golden vectors, and of real sound.
    timeout : seconds after which a request is sent again.
    resets : of the board that are forgiven; after each all of it begins anew.

    Returns
    -------
    dict with ``bundle``, ``port``, ``clock_hz`` (None where the board counts no cycles), ``network`` and ``sound``, each with ``hops``,
    ``equal_bytes`` (share), ``first_different_hop`` (None when equal) and ``cycles`` {``mean``, ``worst``, ``load``, the worst's share of
    a hop's time} or None, ``faults`` (`LinkStats`) and ``ok``.

    Raises
    ------
    UserError
        When the board has another network, does not answer, is reset again and again, or the port goes away.
    """
    link = Link(port, timeout=timeout)
    features, masks = (values[:hops] for values in bundle.golden())
    latency = bundle.signal.window - bundle.signal.hop
    # Silence as long as the delay: what a stream gives before its first sample is heard, this machine's drops.
    pcm = np.concatenate([np.zeros(latency, np.int16), speech(hops, bundle.signal.hop)])[
        : hops * bundle.signal.hop
    ]
    expected = runner.separate_pcm(bundle, pcm)[2]  # (sources, samples), aligned with the input
    with progress() as bar:
        task = bar.add_task("parity on the board")
        while True:
            try:
                bar.reset(task, total=len(features) + hops)
                said = _greet(link, bundle)
                tick = lambda: bar.update(task, advance=1)  # noqa: E731
                got_masks, network_cycles = _hops(
                    link, RUN, features, np.int8, bundle.sources * bundle.signal.n_values, tick
                )
                frames = pcm.reshape(hops, bundle.signal.hop)
                out, sound_cycles = _hops(
                    link, SOUND, frames, np.dtype("<i2"), bundle.sources * bundle.signal.hop, tick
                )
                break
            except WasReset:
                link.faults.resets += 1
                if link.faults.resets > resets:
                    raise UserError(
                        f"{port.name}: the board was reset {link.faults.resets} times; see to its power, and that no watchdog runs"
                    ) from None
    sound = (
        out.reshape(hops, bundle.sources, bundle.signal.hop)
        .swapaxes(0, 1)
        .reshape(bundle.sources, -1)
    )
    shifted = np.concatenate([np.zeros((bundle.sources, latency), np.int16), expected], axis=1)[
        :, : sound.shape[1]
    ]
    truth = shifted.reshape(bundle.sources, hops, -1).swapaxes(0, 1).reshape(hops, -1)
    clock = said["clock_hz"] or None
    most = clock and clock * bundle.signal.hop / bundle.signal.sample_rate
    result = {
        "bundle": bundle.name,
        "port": port.name,
        "clock_hz": clock,
        "network": _compare(got_masks, masks, network_cycles, most),
        "sound": _compare(out, truth, sound_cycles, most),
        "faults": dataclasses.asdict(link.faults),
    }
    return result | {
        "ok": result["network"]["equal_bytes"] == result["sound"]["equal_bytes"] == 1.0
    }


def speech(hops: int, hop: int) -> np.ndarray:
    """``hops`` hops of speech in noise [shape=(hops * hop,), int16]: the demo mixtures one after the other, each without its first second,
    for they begin nearly silent.

    Raises
    ------
    UserError
        When they do not hold so many.
    """
    held = np.concatenate([demo.mixture[16_000:] for demo in clips.demo_mixtures()])
    if hops * hop > len(held):
        raise UserError(
            f"{hops} hops asked, the demo mixtures hold {len(held) // hop} of {hop} samples; ask fewer"
        )
    return to_pcm(held[: hops * hop])


def _greet(link: Link, bundle: bundles.Bundle) -> dict:
    said = link.hello()
    signal = bundle.signal
    ours = {"model_crc32": bundle.description["model"]["crc32"], "inputs": signal.n_features, "outputs": bundle.sources * signal.n_values,
            "window": signal.window, "hop": signal.hop, "sources": bundle.sources}  # fmt: skip
    for key, value in ours.items():
        if said[key] != value:
            raise UserError(
                f"{link.port.name}: the board's {key} is {said[key]} and that of {bundle.name} {value}; flash this bundle's package, "
                "or name the bundle that the board has"
            )
    return said


def _hops(
    link: Link, kind: int, inputs: np.ndarray, dtype, values: int, tick
) -> tuple[np.ndarray, np.ndarray]:
    """(outputs [shape=(hops, values)], cycles [shape=(hops,)]) of a stream from silence."""
    link.ask(RESET)
    outputs, cycles = np.empty((len(inputs), values), dtype), np.empty(len(inputs), np.int64)
    for hop, given in enumerate(inputs):
        answer = link.ask(kind, given.tobytes())
        if len(answer) != 4 + outputs[hop].nbytes:
            raise UserError(
                f"{link.port.name}: an answer of {len(answer)} bytes and not {4 + outputs[hop].nbytes}: other firmware"
            )
        cycles[hop] = struct.unpack("<I", answer[:4])[0]
        outputs[hop] = np.frombuffer(answer[4:], dtype)
        tick()
    return outputs, cycles


def _compare(got: np.ndarray, truth: np.ndarray, cycles: np.ndarray, most: float | None) -> dict:
    different = np.flatnonzero(np.any(got != truth, axis=1))
    counted = (
        {
            "mean": float(cycles.mean()),
            "worst": int(cycles.max()),
            "load": float(cycles.max() / most),
        }
        if most
        else None
    )
    return {
        "hops": len(got),
        "equal_bytes": float(np.mean(got == truth)),
        "first_different_hop": int(different[0]) if len(different) else None,
        "cycles": counted,
    }

"""Frames on a serial line, and requests that are repeated until they are answered.

The board's side is micro/parity/frame.h and server.h.
"""

import contextlib
import dataclasses
import secrets
import struct
import time
import zlib

import serial

from groupcomm.errors import UserError

HELLO, RESET, RUN, SOUND, ERROR = b"HZNPE"
VERSION = 1
ANSWER = 0x80
REASONS = {
    1: "no session: the board was reset",
    2: "a sequence number out of order",
    3: "a length that does not match its network",
    4: "an unknown request, or another version of the protocol",
    5: "its network failed",
}
_NO_SESSION, _OUT_OF_TURN = 1, 2
_HEAD = struct.Struct("<BBH")
_HELLO = struct.Struct("<IIHHHHHH")


def cobs_encode(frame: bytes) -> bytes:
    """Encode a frame with COBS (Cheshire and Baker, 1999), without the byte 0 that ends it.

    Parameters
    ----------
    frame : bytes

    Returns
    -------
    bytes
    """
    out = bytearray()
    for part in (frame + b"\0").split(b"\0")[:-1]:
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def cobs_decode(encoded: bytes) -> bytes | None:
    """Invert `cobs_encode`.

    Parameters
    ----------
    encoded : bytes

    Returns
    -------
    bytes or None
        None when the input is not a valid frame.
    """
    out, at = bytearray(), 0
    while at < len(encoded):
        run = encoded[at]
        if run == 0 or at + run > len(encoded):
            return None
        out += encoded[at + 1 : at + run]
        at += run
        if run < 255 and at < len(encoded):
            out.append(0)
    return bytes(out)


def encode(kind: int, number: int, payload: bytes) -> bytes:
    """Build a whole frame, including the byte 0 at its end.

    Parameters
    ----------
    kind : int
        Type of the message.
    number : int
        Sequence number, 16 bits.
    payload : bytes

    Returns
    -------
    bytes
    """
    frame = _HEAD.pack(kind, VERSION, number) + payload
    return cobs_encode(frame + struct.pack("<I", zlib.crc32(frame))) + b"\0"


def decode(encoded: bytes) -> tuple[int, int, bytes] | None:
    """Parse a frame without the byte 0 at its end.

    Parameters
    ----------
    encoded : bytes

    Returns
    -------
    tuple of (int, int, bytes) or None
        Type, sequence number and payload; None when the frame is damaged.
    """
    frame = cobs_decode(encoded)
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
    """The board has no session: its state is lost."""


@dataclasses.dataclass
class LinkStats:
    """Faults of the connection that were recovered from.

    Attributes
    ----------
    repeated : int
        Requests that were sent again.
    damaged : int
        Frames from the board that were dropped.
    resets : int
        Resets of the board. After each, the whole run starts again.
    """

    repeated: int = 0
    damaged: int = 0
    resets: int = 0


class Link:
    """Requests and responses over an open port. A request is repeated until it is answered.

    Parameters
    ----------
    port : serial.Serial
        An open port. Its name appears in messages.
    timeout : float
        Seconds to wait for a response before the request is repeated.
    tries : int
        How often one request is sent at most.
    """

    def __init__(self, port: serial.Serial, *, timeout: float = 1.0, tries: int = 8):
        self.port, self.timeout, self.tries = port, timeout, tries
        self.faults = LinkStats()
        self._number = secrets.randbelow(1 << 16)
        self._waiting = bytearray()

    def hello(self) -> dict:
        """Begin a session.

        Returns
        -------
        dict
            What the board reports about its network and clock.

        Raises
        ------
        WasReset, UserError
            As `ask`. Also a `UserError` when the response has a wrong length.
        """
        session = struct.pack("<I", 1 + secrets.randbelow(2**32 - 1))
        self.send(b"\0")  # ends any partial frame
        keys = ("model_crc32", "clock_hz", "inputs", "outputs", "window", "hop", "sources")
        payload = self.ask(HELLO, session)
        if len(payload) != _HELLO.size:
            raise UserError(
                f"{self.port.name}: the board's greeting has {len(payload)} bytes instead of "
                f"{_HELLO.size}; the firmware is of another version"
            )
        return dict(zip(keys, _HELLO.unpack(payload), strict=False))

    def ask(self, kind: int, payload: bytes = b"") -> bytes:
        """Send a request and return the payload of its response.

        Parameters
        ----------
        kind : int
            Type of the message.
        payload : bytes

        Returns
        -------
        bytes

        Raises
        ------
        WasReset
            When the board lost the session.
        UserError
            When the board does not respond or rejects the request, or the port disappears.
        """
        self._number = (self._number + 1) % (1 << 16)
        frame = encode(kind, self._number, payload)
        for attempt in range(self.tries):
            self.faults.repeated += attempt > 0
            # The leading 0 separates this frame from noise on the line.
            self.send(b"\0" + frame)
            response = self._answer(kind)
            if response is not None:
                return response
        raise UserError(
            f"{self.port.name}: no response to {self.tries} requests in "
            f"{self.tries * self.timeout:g} s; "
            "check that this is the board's port and that it runs the parity firmware "
            "(EnhanceSerial), press its reset button, and run this again"
        )

    def _answer(self, kind: int) -> bytes | None:
        end = time.monotonic() + self.timeout
        while (left := end - time.monotonic()) > 0:
            encoded = self.frame(left)
            if not encoded:
                continue
            found = decode(encoded)
            if found is None:
                self.faults.damaged += 1
                continue
            got, number, payload = found
            if number != self._number:
                continue  # a duplicate response
            if got == kind | ANSWER:
                return payload
            if got == ERROR | ANSWER and payload:
                # Out of order: the board was reset and another session began, or responses crossed.
                # Both require a new session.
                if payload[0] in (_NO_SESSION, _OUT_OF_TURN):
                    raise WasReset
                raise UserError(
                    f"{self.port.name}: the board rejects a request: "
                    f"{REASONS.get(payload[0], payload[0])}"
                )
        return None

    def frame(self, seconds: float) -> bytes:
        """Read the bytes of a frame up to its 0.

        Parameters
        ----------
        seconds : float
            Time to wait.

        Returns
        -------
        bytes
            Empty after a timeout.

        Raises
        ------
        UserError
            When the port disappears.
        """
        end = time.monotonic() + seconds
        while True:
            frame, zero, rest = self._waiting.partition(b"\0")
            if zero:
                self._waiting = rest
                return bytes(frame)
            left = end - time.monotonic()
            if left <= 0:
                return b""
            with self._connected():
                self.port.timeout = left
                self._waiting += self.port.read(max(1, self.port.in_waiting))

    def send(self, data: bytes) -> None:
        """Write bytes to the port; a `UserError` when it disappears."""
        with self._connected():
            self.port.write(data)

    @contextlib.contextmanager
    def _connected(self):
        try:
            yield
        except Exception as error:
            raise UserError(
                f"{self.port.name}: the port disappeared ({error}); "
                "connect the board again, check that its port has the same name, and run this again"
            ) from None


def open_port(name: str, baud: int) -> serial.Serial:
    """Open a serial port.

    Parameters
    ----------
    name : str
        A device, or a URL of pyserial.
    baud : int
        Baud rate.

    Returns
    -------
    serial.Serial

    Raises
    ------
    UserError
        When it cannot be opened.
    """
    try:
        return serial.serial_for_url(name, baudrate=baud, write_timeout=5)
    except Exception as error:
        from serial.tools import list_ports

        available = ", ".join(sorted(found.device for found in list_ports.comports())) or "none"
        raise UserError(
            f"{name}: cannot be opened ({error}); ports on this machine: {available}"
        ) from None

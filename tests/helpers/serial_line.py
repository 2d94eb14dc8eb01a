"""An emulated board at the far end of a serial line with faults."""

import contextlib
import os
import select
import subprocess
import threading

import numpy as np

from convert import bundle
from convert.run import host_tools
from convert.verify import serial_link, serial_parity

HOPS = 40


class Line:
    """A pseudo-terminal with an emulated board at its far end.

    ``drop`` and ``flip`` are the shares of bytes, in both directions, that are lost and that get
    a wrong bit. The board is reset after every ``reset_after`` bytes that it sends, and its port
    disappears after ``unplug_after``. ``name`` is the name of its port. ``firmware`` is a target of
    micro/boards/cortex_m, or a command that uses stdin and stdout.
    """

    def __init__(
        self, firmware, *, drop=0.0, flip=0.0, reset_after=None, resets=1, unplug_after=None
    ):
        if isinstance(firmware, str):
            firmware = [
                host_tools.build(f"//micro/boards/cortex_m:{firmware}"),
                "--serial",
                "stdio",
            ]
        self.command = firmware
        self.drop, self.flip, self.reset_after, self.resets, self.unplug_after = (
            drop,
            flip,
            reset_after,
            resets,
            unplug_after,
        )
        self.random = np.random.default_rng(1)
        self.lost = self.flipped = self.seen = 0

    def __enter__(self):
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self.name = os.ttyname(self.slave)
        self._start()
        self.ended = False
        self.thread = threading.Thread(target=self._pump)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.board.kill()
        self.board.wait()
        os.close(self.slave)
        if self.master is not None:
            os.close(self.master)

    def _start(self):
        self.board = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _worn(self, data: bytes) -> bytes:
        values = np.frombuffer(data, np.uint8).copy()
        flips = self.random.random(len(values)) < self.flip
        values[flips] ^= 1 << self.random.integers(0, 8, flips.sum(), dtype=np.uint8)
        keep = self.random.random(len(values)) >= self.drop
        self.flipped += int(flips.sum())
        self.lost += int((~keep).sum())
        return values[keep].tobytes()

    def _forward(self, data: bytes):
        """Write to the port; give up when the test has ended and nobody reads."""
        while data and not self.ended:
            if select.select([], [self.master], [], 0.05)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self.master, data) :]

    def _pump(self):
        while not self.ended:
            output = self.board.stdout.fileno()
            for readable in select.select([self.master, output], [], [], 0.05)[0]:
                data = os.read(readable, 4096)
                if readable == self.master:
                    self.board.stdin.write(self._worn(data))
                    self.board.stdin.flush()
                    continue
                self._forward(self._worn(data))
                self.seen += len(data)
                if self.unplug_after is not None and self.seen > self.unplug_after:
                    os.close(self.master)
                    self.master = None
                    return
                if self.reset_after is not None and self.seen > self.reset_after and self.resets:
                    self.resets -= 1
                    self.seen = 0
                    self.board.kill()
                    self.board.wait()
                    self._start()


def emulator(machine, elf, device="stdio"):
    """QEMU with a program that micro/boards/cortex_m started; its first UART is the device."""
    semihosting = "enable=on,target=native,arg=app"
    qemu = ["qemu-system-arm", "-machine", machine, "-display", "none", "-monitor", "none"]
    return [*qemu, "-serial", device, "-semihosting-config", semihosting, "-kernel", str(elf)]


def prove(line, name="enhance-nano", **options):
    with serial_link.open_port(line.name, 115200) as port:
        return serial_parity.parity(
            bundle.load(name), port, **{"hops": HOPS, "timeout": 0.4} | options
        )


def equal(found) -> bool:
    shares = [found[part]["equal_bytes"] for part in ("network", "sound")]
    return (
        found["ok"]
        and shares == [1.0, 1.0]
        and found["network"]["hops"] == found["sound"]["hops"] == HOPS
    )

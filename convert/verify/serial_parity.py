"""Parity test on a board: golden vectors and real sound over a serial port, byte for byte.

The board's side is micro/parity/server.h.
"""

import dataclasses
import struct
from collections.abc import Callable

import numpy as np
import serial

from calibration_data import clips
from convert import bundle as bundles
from convert.run import host_tools
from convert.verify.serial_link import RESET, RUN, SOUND, Link, WasReset
from groupcomm.console import step
from groupcomm.errors import UserError
from tf_model.signal import to_pcm


def parity(
    bundle: bundles.Bundle,
    port: serial.Serial,
    *,
    hops: int = 250,
    timeout: float = 1.0,
    resets: int = 3,
) -> dict:
    """Compare a board with this machine, after a reset each.

    Its network is compared with the official TFLM, and its stream, PCM to PCM, with the C++ stream.

    Parameters
    ----------
    bundle : Bundle
        The bundle that the board was flashed with.
    port : serial.Serial
        An open port, see `open_port`.
    hops : int
        Hops of golden vectors, and hops of real sound.
    timeout : float
        Seconds after which a request is repeated.
    resets : int
        Resets of the board that are tolerated. After each, the run starts again.

    Returns
    -------
    dict
        ``bundle``, ``port``, ``clock_hz`` (None when the board does not count cycles), ``network``
        and ``sound``, ``faults`` (`LinkStats`) and ``ok``. ``network`` and ``sound`` each have
        ``hops``, ``equal_bytes`` (share), ``first_different_hop`` (None when equal) and ``cycles``
        (``mean``, ``worst`` and ``load``, the worst's share of a hop's time; or None).

    Raises
    ------
    UserError
        When the board has another network, does not respond or is reset repeatedly, or the port
        disappears.
    """
    link = Link(port, timeout=timeout)
    streams = [_network_stream(bundle, hops), _sound_stream(bundle, hops)]
    greeting, answers = _ask_until_complete(link, bundle, streams, resets)
    clock = greeting["clock_hz"] or None
    budget_cycles = clock and clock * bundle.signal.hop / bundle.signal.sample_rate
    network, sound = (
        _compare(stream.expected, *answer, budget_cycles)
        for stream, answer in zip(streams, answers, strict=True)
    )
    return {
        "bundle": bundle.name,
        "port": port.name,
        "clock_hz": clock,
        "network": network,
        "sound": sound,
        "faults": dataclasses.asdict(link.faults),
        "ok": network["equal_bytes"] == sound["equal_bytes"] == 1.0,
    }


@dataclasses.dataclass(frozen=True)
class _Stream:
    """A stream for the board to process from the initial state, hop by hop.

    Attributes
    ----------
    kind : int
        Type of the requests.
    inputs : np.ndarray [shape=(hops, values)]
    expected : np.ndarray [shape=(hops, values)]
        Outputs of this machine.
    """

    kind: int
    inputs: np.ndarray
    expected: np.ndarray


def _network_stream(bundle: bundles.Bundle, hops: int) -> _Stream:
    features, masks = bundle.golden()
    return _Stream(RUN, features[:hops], masks[:hops])


def _sound_stream(bundle: bundles.Bundle, hops: int) -> _Stream:
    hop, latency = bundle.signal.hop, bundle.signal.window - bundle.signal.hop
    # The input starts with silence as long as the delay, because this machine's stream drops the
    # output before its first sample.
    pcm = np.concatenate([np.zeros(latency, np.int16), speech(hops, hop)])[: hops * hop]
    aligned = host_tools.separate_pcm(bundle, pcm)[2]  # (sources, samples)
    late = np.pad(aligned, ((0, 0), (latency, 0)))[:, : hops * hop]
    by_hop = late.reshape(bundle.sources, hops, hop).swapaxes(0, 1).reshape(hops, -1)
    return _Stream(SOUND, pcm.reshape(hops, hop), by_hop.astype("<i2"))


def _ask_until_complete(
    link: Link, bundle: bundles.Bundle, streams: list[_Stream], resets: int
) -> tuple[dict, list[tuple[np.ndarray, np.ndarray]]]:
    """Process all streams in one session; after a reset of the board, start again.

    Returns
    -------
    greeting : dict
        As of `Link.hello`.
    answers : list of tuple
        The outputs and cycles of each stream, see `_process`.
    """
    with step("parity on the board", sum(len(stream.inputs) for stream in streams)) as shown:
        while True:
            try:
                shown.done = 0
                greeting = _greet(link, bundle)
                return greeting, [_process(link, stream, shown.advance) for stream in streams]
            except WasReset:
                link.faults.resets += 1
                if link.faults.resets > resets:
                    raise UserError(
                        f"{link.port.name}: the board was reset {link.faults.resets} times; "
                        "check its power supply, and that no watchdog runs"
                    ) from None


def speech(hops: int, hop: int) -> np.ndarray:
    """Return speech in noise: the demo mixtures in sequence.

    The first second of each is skipped, because it is nearly silent.

    Parameters
    ----------
    hops : int
        Number of hops.
    hop : int
        Samples in a hop.

    Returns
    -------
    np.ndarray [shape=(hops * hop,), dtype=int16]

    Raises
    ------
    UserError
        When the demo mixtures are too short.
    """
    available = np.concatenate([demo.mixture[16_000:] for demo in clips.demo_mixtures()])
    if hops * hop > len(available):
        raise UserError(
            f"{hops} hops requested, "
            f"but the demo mixtures have {len(available) // hop} of {hop} samples; request fewer"
        )
    return to_pcm(available[: hops * hop])


def _greet(link: Link, bundle: bundles.Bundle) -> dict:
    greeting = link.hello()
    signal = bundle.signal
    expected = {
        "model_crc32": bundle.description["model"]["crc32"],
        "inputs": signal.n_features,
        "outputs": bundle.sources * signal.n_values,
        "window": signal.window,
        "hop": signal.hop,
        "sources": bundle.sources,
    }
    for key, value in expected.items():
        if greeting[key] != value:
            raise UserError(
                f"{link.port.name}: the board's {key} is {greeting[key]}, "
                f"but that of {bundle.name} is {value}; flash this bundle's package, "
                "or name the bundle that is on the board"
            )
    return greeting


def _process(
    link: Link, stream: _Stream, tick: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Process a stream from the initial state.

    Returns
    -------
    outputs : np.ndarray [shape=(hops, values), dtype as expected]
    cycles : np.ndarray [shape=(hops,), dtype=int64]
    """
    link.ask(RESET)
    outputs = np.empty_like(stream.expected)
    cycles = np.empty(len(stream.inputs), np.int64)
    for hop, given in enumerate(stream.inputs):
        response = link.ask(stream.kind, given.tobytes())
        if len(response) != 4 + outputs[hop].nbytes:
            raise UserError(
                f"{link.port.name}: a response has {len(response)} bytes instead of "
                f"{4 + outputs[hop].nbytes}; the firmware is of another version"
            )
        cycles[hop] = struct.unpack("<I", response[:4])[0]
        outputs[hop] = np.frombuffer(response[4:], outputs.dtype)
        tick()
    return outputs, cycles


def _compare(
    reference: np.ndarray, got: np.ndarray, cycles: np.ndarray, budget_cycles: float | None
) -> dict:
    different = np.flatnonzero(np.any(got != reference, axis=1))
    counted = (
        {
            "mean": float(cycles.mean()),
            "worst": int(cycles.max()),
            "load": float(cycles.max() / budget_cycles),
        }
        if budget_cycles
        else None
    )
    return {
        "hops": len(got),
        "equal_bytes": float(np.mean(got == reference)),
        "first_different_hop": int(different[0]) if len(different) else None,
        "cycles": counted,
    }

"""Predict the instructions and cycles of a streaming network from its sizes.

A network is a list of calls of kernels. What a call takes on a core is a sum of terms, whose
coefficients `tools/cost_model.py` fits to counted calls and writes into cost_model.json.
"""

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from convert import boards
from convert.run import cycle_model
from groupcomm.errors import UserError
from tf_model import cost, networks
from tf_model.networks import Streaming

FILE = Path(__file__).with_name("cost_model.json")
WINDOWS = (128, 256)  # samples; other windows were not counted
# What `search` tries; the features are those of one group.
_CHOICES = {
    "blocks": (1, 2, 3, 4),
    "features": (8, 12, 16, 20, 24, 32),
    "tac": (8, 16, 24, 32),
    "hidden": tuple(range(8, 65, 4)),
    "bottleneck": (0, 8, 16, 24, 32),
}
# Of gc_fully_connected_dsp_s8: words on the stack for a block of rows, and the inputs of the
# longest rows of which a block has two.
BLOCK_WORDS = 304
MOST_INPUTS = 96


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a kernel.

    Attributes
    ----------
    kernel : str
        Name of the operator.
    sizes : dict of str to int
    """

    kernel: str
    sizes: tuple[tuple[str, int], ...]


def _call(kernel: str, **sizes: int) -> Call:
    return Call(kernel, tuple(sizes.items()))


def dense(rows: int, inputs: int, outputs: int, *, relu: bool = False) -> Call:
    """Return the call of a FULLY_CONNECTED."""
    sizes = {"rows": rows, "inputs": inputs, "outputs": outputs, "relu": int(relu)}
    return _call("FULLY_CONNECTED", **sizes, **blocks_of_rows(rows, inputs))


def blocks_of_rows(rows: int, inputs: int) -> dict[str, int]:
    """Divide rows into blocks and pairs as micro/kernels/fully_connected with the DSP extension."""
    eights = -(-inputs // 8)
    most = 2 * ((BLOCK_WORDS - 16 * eights) // (8 * eights + 8))
    left = -(-rows // most) if most > 0 else 0
    blocks = pairs = 0
    while rows > 1 and left > 0:
        block = min(rows, (-(-rows // left) + 1) // 2 * 2)
        rows, left, blocks, pairs = rows - block, left - 1, blocks + 1, pairs + (block + 1) // 2
    return {"blocks": blocks, "pairs": pairs}


def _add(rows: int, columns: int, *, relu: bool = False) -> Call:
    return _call("ADD", rows=rows, columns=columns, relu=int(relu))


def lstm(batch: int, steps: int, inputs: int, units: int) -> list[Call]:
    """List the calls of an LSTM; one of several steps is reset before.

    ``slow`` says that its scales need the slower loops, as those of few trained networks do.
    """
    sizes = {"steps": steps, "batch": batch, "inputs": inputs, "units": units}
    found = [_call("UNIDIRECTIONAL_SEQUENCE_LSTM", **sizes, depth=inputs + units, slow=0)]
    if steps > 1:
        states = (batch * units, 2 * batch * units)
        found = [*(_call("SQUEEZE", bytes=count) for count in states), *found]
    return found


def calls(net: Streaming) -> list[Call]:
    """List the calls of kernels in a hop.

    Parameters
    ----------
    net : Streaming

    Returns
    -------
    list of Call
        In the order of the operators of the bundle, without RESHAPE, which takes nothing.

    Raises
    ------
    UserError
        When the network cannot be quantized, or its kernels are not counted.
    """
    if net.memory:
        raise UserError(
            f"memory {net.memory}: such a network cannot be quantized, so it has no instructions "
            "on a board; use memory 0"
        )
    signal, groups, width = net.signal, net.groups, net.features // net.groups
    if signal.waveform or net.over_time != "lstm":
        raise UserError(
            "the kernels of networks of samples and of convolutions over time are not counted; "
            "convert the network, and count it with groupcomm bench"
        )
    if signal.bands:
        found = [
            dense(groups, signal.n_features // groups, width),
            _add(1, net.features, relu=True),
        ]
        last = dense(groups, width, net.sources * signal.band_width)
    else:
        found = [dense(1, signal.n_features, net.features, relu=True)]
        last = dense(1, net.features, net.sources * signal.bins)
    for _ in range(net.blocks):
        found += _block(net, groups, width)
    return [*found, last, _call("LOGISTIC", count=net.sources * signal.n_values)]


def _block(net: Streaming, groups: int, width: int) -> list[Call]:
    residual, found = _add(1, net.features), []
    if net.bottleneck:
        found += [
            dense(1, net.features, net.bottleneck, relu=True),
            dense(1, net.bottleneck, net.features),
            residual,
        ]
    if net.group_comm == "tac":
        found += [
            dense(groups, width, net.tac, relu=True),
            _call("MEAN", rows=groups, columns=net.tac),
            dense(1, net.tac, net.tac, relu=True),
            dense(1, net.tac, width),
            dense(groups, net.tac, width),
            residual,
            _add(groups, width),
        ]
    elif net.group_comm == "blstm":
        reverse = _call("GATHER", rows=groups, columns=width)
        half = [*lstm(1, groups, width, net.blstm), dense(groups, net.blstm, width)]
        found += [reverse, *half, reverse, *half, residual, residual]
    found += lstm(groups, 1, width, net.hidden)
    return [*found, dense(groups, net.hidden, width), residual]


_SIGNS: dict[str, Callable[[int, int], int]] = {
    "//": lambda n, block: n // block,
    "/": lambda n, block: -(-n // block),
    "%": lambda n, block: n % block,
    "~": lambda n, block: int(n % block > 0),
    ">": lambda n, limit: int(n > limit),
    "<": lambda n, limit: int(n < limit),
    "!": lambda n, other: int(n != other),
}


def factor(text: str, sizes: dict[str, int]) -> int:
    """Return the value of a factor of a term.

    Parameters
    ----------
    text : str
        The name of a size; with ``//8``, how many whole blocks of eight it has; with ``/8``, how
        many when the last one is padded; with ``%8``, what is left over, and with ``~8``, whether
        anything is; with ``>48``, ``<8`` or ``!8``, whether it is larger,
        smaller or another number.
    sizes : dict of str to int

    Returns
    -------
    int
    """
    for sign, value in _SIGNS.items():
        if sign in text:
            name, number = text.split(sign)
            return value(sizes[name], int(number))
    return sizes[text]


def term(text: str, sizes: dict[str, int]) -> int:
    """Return the product of the factors of a term, which are separated by spaces."""
    return math.prod(factor(part, sizes) for part in text.split())


def regime(call: Call) -> str:
    """Return the name of the terms that a call has: its kernel, and which of its loops runs.

    The cores differ in their loops. A regime has the conditions of all of them.
    """
    sizes, name = dict(call.sizes), call.kernel
    if name == "FULLY_CONNECTED":
        if sizes["inputs"] < 4 or sizes["outputs"] < 4:
            return f"{name}, few inputs" if sizes["inputs"] < 4 else f"{name}, few outputs"
        rows = "one row" if sizes["rows"] == 1 else "rows"
        limits = (16, 32, 256) if sizes["rows"] == 1 else (16, 32, MOST_INPUTS, 256)
        limit = next((n for n in limits if sizes["inputs"] <= n), 0)
        return f"{name}, {rows}, {f'up to {limit}' if limit else 'more'} inputs"
    if name == "UNIDIRECTIONAL_SEQUENCE_LSTM" and sizes["batch"] == 1:
        return f"{name}, one row" if sizes["units"] % 4 == 0 else f"{name}, one odd row"
    if name == "ADD":
        eights = sizes["columns"] % 8 == 0 and (sizes["rows"] == 1 or sizes["columns"] == 8)
        return f"{name}, eights" if eights else name
    if name == "MEAN":
        return f"{name}, blocks of {math.gcd(sizes['columns'], 8) // 4 * 4 or 1}"
    return name


def signal_call(net: Streaming) -> Call:
    """Return the signal path of a hop, and the call of the network, as a call of a kernel."""
    signal = net.signal
    return _call(
        "SIGNAL",
        window=signal.window,
        hop=signal.hop,
        features=signal.n_features,
        values=signal.n_values,
        bands=signal.bands,
        sources=net.sources,
        level=int(signal.level > 0),
        dc=int(signal.dc > 0),
    )


_caches = functools.cache(boards.caches)


@functools.cache
def _tables() -> dict[str, dict]:
    return json.loads(FILE.read_text())


@functools.cache
def _cost(call: Call, core: str) -> np.ndarray:
    """Return instructions, cycles, and what `hop` has as ``flash``, of a call."""
    sizes, tables = dict(call.sizes), _tables()[core]
    found = np.zeros(2 + 1 + len(_caches(core)))
    for text, values in tables["calls"][regime(call)].items():
        found[:2] += term(text, sizes) * np.array(values)
    for text, values in tables["flash"].get(call.kernel, {}).items():
        found[2:] += term(text, sizes) * np.array(values)
    return found


def hop(net: Streaming, core: str) -> dict:
    """Predict what a hop takes on a core.

    Parameters
    ----------
    net : Streaming
    core : str
        One of `boards.CORES`.

    Returns
    -------
    dict
        ``instructions`` and ``cycles`` of the hop, ``network``, the same without the signal path,
        and ``flash``: reads of data, and lines that each cache of `boards.caches` loads.

    Raises
    ------
    UserError
        When the network cannot be quantized, or its window or the core was not counted.
    """
    if core not in _tables():
        raise UserError(
            f"{core}: its kernels were not counted; use a board with one of "
            f"{', '.join(_tables())}, or train and convert the network, and use `groupcomm fit`"
        )
    if net.signal.window not in WINDOWS:
        raise UserError(
            f"window {net.signal.window}: the model has only windows of "
            f"{', '.join(map(str, WINDOWS))} samples; train and convert this network, and use "
            "`groupcomm bench`"
        )
    network = sum(_cost(call, core) for call in calls(net))
    every = network + _cost(signal_call(net), core)
    units = ("instructions", "cycles")
    return {
        **dict(zip(units, map(float, every), strict=False)),
        "network": dict(zip(units, map(float, network), strict=False)),
        "flash": every[2:].tolist(),
    }


def estimate(net: Streaming, board: boards.Board) -> dict:
    """Predict what a hop takes on a board, without training, converting or building.

    Parameters
    ----------
    net : Streaming
    board : Board

    Returns
    -------
    dict
        ``instructions`` of a hop, ``network_instructions`` (without the signal path), and
        ``cycles`` and ``load`` (share of the time of a hop), each {``least``, ``most``} as `fit`
        has them.

    Raises
    ------
    UserError
        As `hop`.
    """
    found = hop(net, board.core)
    reads, *lines = found["flash"]
    accesses = {
        "reads": reads,
        "misses": [
            {"cache": size, "line": line, "lines": count}
            for (size, line), count in zip(_caches(board.core), lines, strict=True)
        ],
    }
    cycles = cycle_model.interval(board, round(found["cycles"]), accesses)
    available = board.clock_hz * net.signal.hop / net.signal.sample_rate
    return {
        "instructions": round(found["instructions"]),
        "network_instructions": round(found["network"]["instructions"]),
        "cycles": cycles,
        "load": {end: value / available for end, value in cycles.items()},
    }


def _candidates(name: str, fixed: Mapping[str, object]) -> Iterator[tuple[dict, Streaming]]:
    """Yield the sizes that `search` tries with one network, each with what differs from it."""
    net = networks.find(name)
    if not isinstance(net, Streaming):
        raise UserError(
            f"{name}: not of the streaming family, which runs on boards; choose enhance"
        )
    start = networks.changed(net, fixed)
    assert isinstance(start, Streaming)
    given = {key: functools.reduce(getattr, key.split("."), start) for key in fixed}
    choices = {key: values for key, values in _CHOICES.items() if key not in fixed}
    if start.group_comm != "tac":
        choices.pop("tac", None)
    for values in itertools.product(*choices.values()):
        sizes = dict(zip(choices, values, strict=True))
        if "features" in sizes:
            sizes["features"] *= start.groups
        found = dataclasses.replace(start, **sizes)
        differs = {key: value for key, value in sizes.items() if getattr(net, key) != value}
        yield given | differs, found


def search(
    names: Sequence[str], board: boards.Board, load: float, fixed: Mapping[str, object]
) -> dict:
    """Find sizes whose predicted load is low enough.

    Parameters
    ----------
    names : sequence of str
        Networks of the streaming family to start from.
    board : Board
    load : float
        The highest load: of the upper end of the interval.
    fixed : mapping of str to value
        Sizes that do not vary, as `networks.changed` takes them.

    Returns
    -------
    dict
        ``candidates``, how many sizes were tried, and ``networks``, those that fit: each with
        ``network``, ``set`` (how it differs), ``sizes`` (those that vary), ``macs_per_hop``,
        ``params``, and the result of `estimate`; the most multiply-accumulates come first.

    Raises
    ------
    UserError
        When a network is not known or not of the streaming family, or a size is not valid.
    """
    tried, found = 0, []
    for name in dict.fromkeys(names):
        for sizes, net in _candidates(name, fixed):
            tried += 1
            predicted = estimate(net, board)
            if predicted["load"]["most"] <= load:
                counts = cost.cost(net)
                row = {key: counts[key] for key in ("macs_per_hop", "params")}
                varied = {key: getattr(net, key) for key in _CHOICES}
                found.append({"network": name, "set": sizes, "sizes": varied, **row, **predicted})
    found.sort(key=lambda row: (-row["macs_per_hop"], row["instructions"]))
    return {"candidates": tried, "networks": found}


def options(sizes: Mapping[str, object]) -> str:
    """Write sizes as options of `groupcomm train`."""
    return " ".join(f"--set {key}={value}" for key, value in sizes.items())

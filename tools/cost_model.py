"""Count kernels and networks of random sizes, and fit the model of `groupcomm cost --board`.

    python tools/cost_model.py                        count on all cores, then fit
    python tools/cost_model.py cortex-m4 cortex-m7    the same on some cores; the others stay
    python tools/cost_model.py --fit                  fit to the counts in build/cost_model.json

It writes convert/measure/cost_model.json, and tests/convert/measure/counted_sizes.json: the counts
of the networks of `CHECKED`, which the fit does not use. Run it after a kernel has changed, on the
cores that run this kernel. All of them take six minutes on two cores.
"""

import collections
import dataclasses
import itertools
import json
import sys
import zlib
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from convert import boards
from convert import bundle as bundles
from convert.measure import attribution, bench, cost_model, random_network
from convert.run import emulated_model, host_tools
from convert.tflite import counts, flatbuffer, graph
from convert.verify import model_parity
from groupcomm.files import REPO, json_text
from tf_model import networks
from tf_model.networks import Streaming
from tf_model.signal import Signal

COUNTS = REPO / "build" / "cost_model.json"
CHECKS = REPO / "tests/convert/measure/counted_sizes.json"
INVOCATIONS, HOPS = 2, 20  # the counts of two hops differ by less than 0.1 %
WEIGHTS = 380_000  # bytes of a model of many networks: an emulated Cortex-M55 has 512 KB of flash
LEVELS = {"level": 1.0, "dc": 1.0}

# Signal paths of the networks that the terms of a hop are fitted to.
SIGNALS = (
    Signal(**LEVELS, bands=12, pool=2, neighbours=4),
    Signal(**LEVELS, bands=10, pool=4, neighbours=4),
    Signal(),
    Signal(level=1.0),
    Signal(**LEVELS, bands=16, pool=1, neighbours=2),
    Signal(**LEVELS, bands=8, pool=2, neighbours=0, hop=64),
    Signal(**LEVELS, bands=6, pool=2, neighbours=4, window=128, hop=64),
    Signal(window=128, hop=64),
    Signal(**LEVELS, bands=8, pool=1, neighbours=3, window=128, hop=32),
    Signal(dc=1.0, hop=32),
)
# Networks that the fit does not use: a network by name, and sizes as `--set` has them.
CHECKED = (
    ("enhance", ""),
    ("enhance-nano", ""),
    ("enhance-nano", "hidden=24"),
    ("enhance-nano", "hidden=21"),
    ("enhance-nano", "hidden=33 tac=13 bottleneck=7"),
    ("enhance-nano", "features=150 hidden=27 blocks=1"),
    ("enhance-nano", "group_comm=none bottleneck=0 hidden=40"),
    ("enhance-nano", "groups=20 signal.bands=20 signal.neighbours=3 features=220 hidden=24"),
    ("enhance", "hidden=47 tac=19 blocks=2"),
    ("enhance", "features=132 bottleneck=12 hidden=36"),
    ("enhance-fast", "features=78 hidden=29 blocks=2"),
    ("separate", "features=108 hidden=25 bottleneck=5"),
    ("enhance-blstm", "blocks=2 hidden=20"),
)


def sizes_of(base: str, text: str) -> Streaming:
    """Return the network of an entry of `CHECKED`."""
    net = networks.changed(networks.find(base), dict(part.split("=") for part in text.split()))
    assert isinstance(net, Streaming)
    return net


def _size(random: np.random.Generator, low: int, high: int) -> int:
    """Draw a size; many are multiples of the blocks of a kernel, as in real networks."""
    block = int(random.choice([1, 1, 2, 4, 8]))
    return max(low, int(random.integers(low, high + 1)) // block * block)


def _sizes(random: np.random.Generator, signal: Signal, blocks: int) -> Streaming:
    groups = signal.bands or int(random.integers(2, 20))
    return Streaming(
        signal=signal,
        sources=1 + int(random.random() < 0.3),
        features=groups * _size(random, 6, 28),
        groups=groups,
        blocks=blocks,
        group_comm=str(random.choice(["tac"] * 7 + ["none", "blstm"])),
        tac=_size(random, 5, 40),
        blstm=_size(random, 4, 20),
        hidden=_size(random, 6, 52),
        bottleneck=_size(random, 4, 24) * int(random.random() < 0.8),
    )


def random_networks(count: int) -> list[Streaming]:
    """Draw networks of one block."""
    random, found = np.random.default_rng(1), []
    while len(found) < count:
        window, pool = int(random.choice([128, 256])), int(random.choice([1, 2, 4]))
        values = window // 4 + window // 4 // pool
        bands = int(random.choice([n for n in range(4, 25) if values % n == 0] + [0]))
        if bands:
            beside = int(random.integers(0, min(values // bands, 6) + 1))
            signal = Signal(
                window=window, hop=window // 2, bands=bands, pool=pool, neighbours=beside
            )
        else:
            signal = Signal(window=window, hop=window // 2)
        found.append(_sizes(random, signal, blocks=1))
    return found


def _with_scales(calls: list[cost_model.Call], seed: int) -> list[cost_model.Call]:
    """Say which of the two LSTMs of `random_network` has the scales that need slower loops."""
    return [
        dataclasses.replace(call, sizes=tuple((dict(call.sizes) | {"slow": seed % 2}).items()))
        if call.kernel == "UNIDIRECTIONAL_SEQUENCE_LSTM"
        else call
        for call in calls
    ]


def _pieces() -> list[tuple[graph.Graph, list[cost_model.Call]]]:
    """Write the graphs whose calls are counted, each with its calls in their order."""
    random = np.random.default_rng(2)
    found = [
        (random_network.graph_of(net, seed), _with_scales(cost_model.calls(net), seed))
        for seed, net in enumerate(random_networks(30))
    ]
    for seed in range(90):  # the LSTM of the groups
        rows, inputs = int(random.integers(2, 25)), _size(random, 4, 32)
        units = _size(random, 4, 52)
        lstm, calls = random_network.lstm_of(rows, 1, inputs, units, seed)
        found.append((lstm, _with_scales(calls, seed)))
    for seed in range(56):  # across the groups
        rows, inputs, units = int(random.integers(2, 9)), _size(random, 4, 32), _size(random, 4, 24)
        found.append(random_network.lstm_of(1, rows, inputs, units, seed))
    for seed in range(80):
        rows = (1, int(random.integers(2, 25)))[seed % 4 > 0]
        inputs = int(random.integers(1, 4)) if seed % 4 == 1 else _size(random, 4, 128)
        outputs, relu = _size(random, 2, 48), random.random() < 0.5
        found.append(random_network.dense_of(rows, inputs, outputs, relu=relu, seed=seed))
    return found


def _models(folder: Path) -> list[tuple[Path, list[cost_model.Call]]]:
    """Write models of many graphs, none of them larger than `WEIGHTS`."""
    chunks: list[list] = [[]]
    size = 0
    for piece in _pieces():
        tensors = {t for op in piece[0].operators for t in op.inputs if t and t.data is not None}
        size += sum(t.byte_size for t in tensors)
        if size > WEIGHTS:
            chunks.append([])
            size = 0
        chunks[-1].append(piece)
    found = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, chunk in enumerate(chunks):
        parts = [part for part, _ in chunk]
        joined = graph.Graph(
            [t for part in parts for t in part.inputs],
            [t for part in parts for t in part.outputs],
            [op for part in parts for op in part.operators],
        )
        path = folder / f"cost_{number}.tflite"
        path.write_bytes(flatbuffer.write(graph.Model([joined])))
        found.append((path, [call for _, calls in chunk for call in calls]))
    return found


def count_kernels(core: str) -> list[dict]:
    """Count the calls of all models on a core."""
    found = []
    for path, calls in _models(COUNTS.parent / "cost_model"):
        firmware = emulated_model.Firmware(path, core)
        inputs = model_parity.random_inputs(firmware.written["inputs"], INVOCATIONS)
        run = firmware.run(inputs, cycles=True)
        operators = attribution.operators(
            [counts.graph_op(op, counts.macs(op)) for op in firmware.written["operators"]],
            firmware.elf,
            firmware.written,
            run.counted,
            INVOCATIONS,
        )
        operators = [op for op in operators if op["name"] != "RESHAPE"]
        for call, op in zip(calls, operators, strict=True):
            assert call.kernel == op["name"]
            found.append(
                {
                    "kernel": call.kernel,
                    "sizes": dict(call.sizes),
                    "counts": [op["instructions"], op["cycles"]],
                }
            )
    return found


def fitted_networks() -> dict[str, Streaming]:
    """Return the networks that the terms of a hop are fitted to, by the name of their bundles."""
    random = np.random.default_rng(3)
    return {
        f"cost-fit-{i}": _sizes(random, signal, blocks=1 + i % 3)
        for i, signal in enumerate(SIGNALS)
    }


def checked_networks() -> dict[str, Streaming]:
    """Return the networks of `CHECKED` by the name of their bundles."""
    return {f"cost-check-{i}": sizes_of(*entry) for i, entry in enumerate(CHECKED)}


def _bundle(name: str, net: Streaming) -> bundles.Bundle:
    """Write a network with random weights as far as `bench` reads a bundle."""
    folder = COUNTS.parent / "cost_model" / name
    folder.mkdir(parents=True, exist_ok=True)
    model = flatbuffer.write(graph.Model([random_network.graph_of(net)]))
    (folder / "model.tflite").write_bytes(model)
    parsed = counts.count(flatbuffer.read(model))
    description = {
        "name": name,
        "signal": dataclasses.asdict(net.signal),
        "sources": net.sources,
        "model": {"file": "model.tflite", "crc32": zlib.crc32(model)},
        "features": parsed.inputs[0].as_dict(),
        "masks": parsed.outputs[0].as_dict(),
    }
    return bundles.Bundle(folder, description, model)


def count_networks(core: str) -> dict[str, dict]:
    """Run `bench` on all networks on a core."""
    nets = fitted_networks() | checked_networks()
    every = {name: _bundle(name, net) for name, net in nets.items()}
    host_tools.build(*(bench.write_firmware(bundle, core)[0] for bundle in every.values()))
    found = {}
    for name, bundle in every.items():
        result = bench.bench(bundle, core, hops=HOPS)
        operators = [
            sum(op[unit] for op in result["operators"]) for unit in ("instructions", "cycles")
        ]
        found[name] = {
            "hop": [result[unit]["hop"]["mean"] for unit in ("instructions", "cycles")],
            "operators": operators,
            "flash": [
                result["flash"]["reads"],
                *(miss["lines"] for miss in result["flash"]["misses"]),
            ],
            "weight_bytes": result["flash_bytes"]["weights"],
            "rest_bytes": result["flash_bytes"]["rest"],
        }
        print(core, name, found[name]["hop"], flush=True)
    return found


# What may stand in a term: one factor of each list, of which the first is 1.
_DEPTH = ("", "//4", "%4", "~4", "//8", "%8", "/8", "~8", "/16", "~16")


def _forms(size: str, *forms: str) -> list[str]:
    return ["", *(size + form for form in forms)]


FACTORS = {
    "FULLY_CONNECTED": (
        [*_forms("rows", "", "//2", "%2"), "pairs", "blocks"],
        _forms("inputs", *_DEPTH),
        _forms("outputs", "", "/2", "%2", "//4", "%4", "/4", "/8"),
    ),
    "ADD": (_forms("rows", ""), _forms("columns", "", "/4", "/8", "/16", "%4", "%8")),
    "MEAN": (_forms("rows", ""), _forms("columns", "", "/4", "/8", "/16", "%4")),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        ["steps"],
        _forms("batch", "", "/2", "%2"),
        _forms("units", "", "/2", "/4", "/8", "//8", "~8", "%2"),
        [
            *_forms("inputs", *_DEPTH, "<8", "<8 inputs", "!8", ">48", ">48 inputs/16"),
            *_forms("units", *_DEPTH, "<8", "<8 units", "!8", ">48", ">48 units/16")[1:],
        ],
    ),
    "LOGISTIC": (_forms("count", "", "/16"),),
    "GATHER": (_forms("rows", ""), _forms("columns", "", "~4")),
    "SQUEEZE": (_forms("bytes", "", "//4", "%4"),),
}
MORE_TERMS = {
    "FULLY_CONNECTED": ("relu", "relu rows outputs", "relu rows/16 outputs"),
    "ADD": ("relu", "relu rows", "relu rows columns"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "",
        "slow steps units/2",
        "slow steps batch/2 units/2",
        "inputs/8 slow steps units/2",
        "slow steps units/2 units/8",
    ),
}
SIGNAL_TERMS = (
    *("", "window>128", "sources", "sources window>128"),
    *("window", "hop", "features", "values", "bands", "level window", "dc window", "dc hop"),
    *("sources window", "sources hop", "sources values", "sources bands"),
)
# Reads of the flash by kernel: of weights, in words and in single bytes, and of tables.
FLASH_TERMS = {
    "FULLY_CONNECTED": (
        "outputs",
        "inputs//4 outputs rows/2",
        "inputs%4 outputs rows/2",
        "blocks inputs//4 outputs",
        "blocks inputs%4 outputs",
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "depth steps units",
        "inputs%4 steps units",
        "steps units units%4",
        "batch steps units",
        "steps units",
    ),
    "SIGNAL": ("values", "window", "sources window"),
}
_FLASH = [(kernel, text) for kernel, texts in FLASH_TERMS.items() for text in texts]


def _terms(regime: str) -> list[str]:
    """List the terms that a fit chooses from, each once."""
    kernel = regime.split(",")[0]
    products = (" ".join(filter(None, factors)) for factors in itertools.product(*FACTORS[kernel]))
    every = (*products, *MORE_TERMS.get(kernel, ()))
    found = {tuple(sorted(text.split())): text for text in every}.values()
    # Only the loop for one row has a case of its own for eight values.
    return [text for text in found if "!" not in text or "one" in regime]


def _fit(matrix: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Fit coefficients of 0 or more, of which most become 0.

    A relative error weighs more in a large count, as it does in the sum of a hop.
    """
    weight = 1 / np.sqrt(np.maximum(found, 1) * max(found.mean(), 1))
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-9)
    return nnls(matrix * weight[:, None] / scale, found * weight, maxiter=100_000)[0] / scale


def _table(terms: list, matrix: np.ndarray, columns: np.ndarray) -> dict:
    """Fit each column of counts; return the coefficients of the terms that any of them has."""
    fitted = np.stack([_fit(matrix, column) for column in columns.T], axis=1)
    return {
        text: [float(f"{value:.6g}") for value in values]
        for text, values in zip(terms, fitted, strict=True)
        if values.any()
    }


def fit_kernels(counted: list[dict]) -> dict[str, dict]:
    """Fit the terms of every kernel and regime."""
    by_regime: dict = collections.defaultdict(lambda: collections.defaultdict(list))
    for call in counted:
        known = call["sizes"]
        if call["kernel"] == "FULLY_CONNECTED":
            known = known | cost_model.blocks_of_rows(known["rows"], known["inputs"])
        sizes = tuple(known.items())
        regime = cost_model.regime(cost_model.Call(call["kernel"], sizes))
        by_regime[regime][sizes].append(call["counts"])
    tables = {}
    for regime, calls in sorted(by_regime.items()):
        terms = _terms(regime)
        matrix = np.array(
            [[cost_model.term(text, dict(sizes)) for text in terms] for sizes in calls], float
        )
        means = np.array([np.mean(several, axis=0) for several in calls.values()])
        tables[regime] = _table(terms, matrix, means)
    return tables


def _flash_totals(net: Streaming) -> list[int]:
    """Return the sums of the terms of the flash over the calls of a hop."""
    calls = [*cost_model.calls(net), cost_model.signal_call(net)]
    return [
        sum(cost_model.term(text, dict(call.sizes)) for call in calls if call.kernel == kernel)
        for kernel, text in _FLASH
    ]


def fit_core(counted: dict) -> dict:
    """Fit all tables of a core."""
    nets = fitted_networks()
    rows = [counted["networks"][name] for name in nets]
    signals = [dict(cost_model.signal_call(net).sizes) for net in nets.values()]
    matrix = np.array([[cost_model.term(text, s) for text in SIGNAL_TERMS] for s in signals], float)
    beside = np.array([np.subtract(row["hop"], row["operators"]) for row in rows])
    totals = np.array([_flash_totals(net) for net in nets.values()], float)
    read = _table(_FLASH, totals, np.array([row["flash"] for row in rows]))
    return {
        "calls": fit_kernels(counted["kernels"])
        | {"SIGNAL": _table(list(SIGNAL_TERMS), matrix, beside)},
        "flash": {
            kernel: {text: read[kernel, text] for text in texts if (kernel, text) in read}
            for kernel, texts in FLASH_TERMS.items()
        },
    }


def main() -> None:
    """Count, unless the option says otherwise; fit, write both files, and print the errors."""
    counted = json.loads(COUNTS.read_text()) if COUNTS.is_file() else {}
    if "--fit" in sys.argv[1:]:
        if not counted:
            sys.exit(f"{COUNTS}: is missing; run this program without --fit first")
    else:
        for core in sys.argv[1:] or boards.CORES:
            counted[core] = {"kernels": count_kernels(core), "networks": count_networks(core)}
            COUNTS.write_text(json_text(counted))
    fitted = json.loads(cost_model.FILE.read_text())
    fitted |= {core: fit_core(found) for core, found in counted.items()}
    cost_model.FILE.write_text(json_text({core: fitted[core] for core in boards.CORES}))
    checks = json.loads(CHECKS.read_text())
    for check, (base, text), name in zip(checks, CHECKED, checked_networks(), strict=True):
        assert (check["network"], check["set"]) == (base, text)
        for core, found in counted.items():
            hop = found["networks"][name]["hop"]
            check[core] = dict(zip(("instructions", "cycles"), hop, strict=True))
            check[core]["flash"] = found["networks"][name]["flash"]
    CHECKS.write_text(json_text(checks))
    for check in checks:
        net = sizes_of(check["network"], check["set"])
        predicted = {core: cost_model.hop(net, core) for core in boards.CORES}
        errors = [
            f"{100 * (predicted[core][unit] / check[core][unit] - 1):+.1f}"
            for core in boards.CORES
            for unit in ("instructions", "cycles")
        ]
        print(check["network"], check["set"], "errors in percent:", *errors)


if __name__ == "__main__":
    main()

"""Measure the cost of a bundle: in its firmware on an emulated core, and in TFLM on this machine.

The firmware is built by Bazel and runs in QEMU, which gives instructions, flash and RAM. TFLM's
interpreter on this machine gives instructions, time and arena. Instructions are exact, and a second
run gives the same numbers. Cycles are those of a model (`cycle_model`): QEMU has neither a pipeline
nor flash wait states.
"""

import dataclasses
import functools
import json
import subprocess
from pathlib import Path

import numpy as np

from convert import boards
from convert import bundle as bundles
from convert.boards import BUDGET
from convert.codegen import c_source
from convert.measure import attribution
from convert.run import cycle_model, host_tools
from convert.tflite import runtimes
from groupcomm.errors import UserError
from groupcomm.files import REPO, atomic_folder, locked, scratch_folder

HOPS = 200
COUNTED_HOPS = 20  # on the host, where valgrind slows execution down 50 times
WINDOWS = (64, 128, 256, 512)  # samples; micro/stream has a library for each of these
_BUILD = """load("//micro/boards/cortex_m:network.bzl", "network_firmware")

network_firmware(
    name = "firmware",
    header = "{name}.h",
    kernels = "//micro/kernels:{kernels}",
    network = "{name}",
    source = "{name}.c",
    stream = "//micro/stream:{stream}",
)
"""


def _alone(measure):
    """Let one process at a time use the folder of a bundle's firmware; another one waits."""

    @functools.wraps(measure)
    def measure_alone(bundle: bundles.Bundle, *arguments, **options):
        folder = _folder(bundle)
        with locked(folder.with_name(f".{folder.name}.lock"), folder, wait=True):
            return measure(bundle, *arguments, **options)

    return measure_alone


def _folder(bundle: bundles.Bundle) -> Path:
    return REPO / "build" / "bench" / bundle.name.replace("-", "_")


@_alone
def bench(bundle: bundles.Bundle, board: str, *, portable: bool = False, hops: int = HOPS) -> dict:
    """Build the firmware of a bundle, run it on real sound, and count.

    Parameters
    ----------
    bundle : Bundle
    board : str
        One of `boards.CORES`.
    portable : bool
        Use the portable implementations of the kernels, for comparison.
    hops : int

    Returns
    -------
    dict
        ``bundle``, ``board``, ``engine``, ``kernels``, ``hops``, ``macs`` and

        - ``instructions``: ``hop``, ``network`` and ``signal`` (the hop without the network), each
          {``mean``, ``worst``}, and ``network_per_mac``.
        - ``cycles``: the same in cycles of the model of the core, without wait states.
        - ``flash``: what a hop reads from the flash, as `attribution.flash_accesses` returns it.
        - ``operators``: every operator of the graph in its order, with ``name``, ``input`` and
          ``output`` shapes, ``macs``, ``instructions`` (mean of a hop, including the functions that
          its kernel calls), ``cycles``, ``per_mac`` and ``cycles_per_mac`` (None without products).
          A RESHAPE takes no instructions.
        - ``kinds``: sums of these by name, each with ``name`` and ``count``. The network takes
          slightly more than its operators, for the engine's call.
        - ``functions``: instructions of a hop by function; ``function_cycles``: cycles.
        - ``flash_bytes``: ``weights`` (with biases) and ``rest`` (code and all other constants).
        - ``ram_bytes``: ``state``, ``activations``, ``stream``, ``stack`` and ``total``.
        - ``estimates``: ``clock_hz`` and ``load`` {``least``, ``most``} of real parts, as `fit`.
        - ``budget``: from bundle.json, each with ``limit``, ``used`` and ``ok``.

    Raises
    ------
    UserError
        When the budget is malformed, the firmware does not build, or its masks differ from TFLM's.
    """
    limits = budget(bundle, board)
    built = _build(bundle, board, portable=portable)
    run = _run(bundle, built, board, hops)
    model = bundle.counts
    instructions, cycles = run.counts()
    ram = {
        "state": built.written["state_bytes"],
        "activations": built.written["arena_bytes"],
        "stream": run.described["stream_bytes"],
        "stack": run.described["stack_used"],
    }
    attributed = attribution.attribute(
        model.graph_ops, built.elf, built.written, run.counted, board, hops
    )
    flash = attribution.flash_bytes(built.elf, built.written["weight_bytes"])
    worst = instructions["hop"]["worst"]
    used = dict(zip(BUDGET, (worst, sum(flash.values()), sum(ram.values())), strict=True))
    return {
        "bundle": bundle.name,
        "board": board,
        "engine": "static",
        "kernels": "portable" if portable else "fast",
        "hops": hops,
        "macs": model.macs,
        "instructions": instructions
        | {"network_per_mac": instructions["network"]["mean"] / model.macs},
        "cycles": cycles | {"network_per_mac": cycles["network"]["mean"] / model.macs},
        **attributed,
        "flash_bytes": flash,
        "ram_bytes": ram | {"total": sum(ram.values())},
        "estimates": _estimates(bundle, board, cycles["hop"]["worst"], attributed["flash"]),
        "budget": {
            key: {"limit": limit, "used": used[key], "ok": used[key] <= limit}
            for key, limit in limits.items()
        },
    }


@dataclasses.dataclass(frozen=True)
class _Built:
    """The firmware of a bundle.

    Attributes
    ----------
    label : str
        Bazel's label.
    program : Path
        The script that runs it in QEMU.
    written : dict
        The result of `c_source.compile_bundle`.
    """

    label: str
    program: Path
    written: dict

    @property
    def elf(self) -> Path:
        """The linked program."""
        return Path(f"{self.program}.elf")


@dataclasses.dataclass(frozen=True)
class _Ran:
    """What a run of the firmware printed, and what the instruction counter wrote."""

    hops: int
    described: dict
    counted: dict

    def counts(self) -> tuple[dict, dict]:
        """Return instructions and cycles: of the hop, the network, and the hop without it."""
        hop, network = self.counted["spans"]
        return (
            _parts(hop, network, "instructions", self.hops),
            _parts(hop["cycles"], network["cycles"], "sum", self.hops),
        )


def _parts(hop: dict, network: dict, key: str, hops: int) -> dict[str, dict[str, float]]:
    parts = {
        name: {"mean": span[key] / hops, "worst": span["worst"]}
        for name, span in (("hop", hop), ("network", network))
    }
    return parts | {"signal": {k: parts["hop"][k] - parts["network"][k] for k in parts["hop"]}}


def _build(bundle: bundles.Bundle, board: str, *, portable: bool) -> _Built:
    label, written = write_firmware(bundle, board, portable=portable)
    return _Built(label, host_tools.build(label), written)


def write_firmware(
    bundle: bundles.Bundle, board: str, *, portable: bool = False
) -> tuple[str, dict]:
    """Write the sources of the firmware of a bundle.

    Parameters
    ----------
    bundle : Bundle
    board : str
    portable : bool

    Returns
    -------
    label : str
        Bazel's label of the firmware.
    written : dict
        The result of `c_source.compile_bundle`.
    """
    folder = _folder(bundle)
    with atomic_folder(folder) as part:
        written = c_source.compile_bundle(bundle, part)
        window = bundle.signal.window
        text = _BUILD.format(
            name=written["name"],
            kernels="kernels_portable" if portable else "kernels",
            stream=f"stream_{window}" if window in WINDOWS else "stream",
        )
        (part / "BUILD").write_text(text)
    return f"//build/bench/{folder.name}:firmware_{board.replace('-', '_')}", written


def _run(bundle: bundles.Bundle, built: _Built, board: str, hops: int) -> _Ran:
    """Run the firmware on real sound, and compare its masks with TFLM's."""
    count = ["--count", "{0}/count", "--within", "run", "--costs", "{0}/costs"]
    with scratch_folder() as scratch:
        cycle_model.write(scratch / "costs", built.elf, board)
        bundles.golden_pcm(hops, bundle.signal.hop).tofile(scratch / "pcm")
        files = [scratch / kind for kind in ("pcm", "sound", "features", "masks")]
        done = subprocess.run(
            [built.program, *(part.format(scratch) for part in count), "stream", *files],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = done.stderr.strip() or f"ended with code {done.returncode}"
            raise UserError(f"{built.label}: {reason}")
        described, counted = json.loads(done.stdout), json.loads((scratch / "count").read_text())
        features, masks = (np.fromfile(path, np.int8).reshape(hops, -1) for path in files[2:])
    if not np.array_equal(masks, runtimes.Tflm(bundle.model)(features)):
        raise UserError(f"{built.label}: its masks differ from TFLM's, so its cost is not reported")
    return _Ran(hops, described, counted)


def _estimates(bundle: bundles.Bundle, core: str, cycles: int, accesses: dict) -> dict[str, dict]:
    """Estimate the load of the processors with this core."""
    seconds = bundle.signal.hop / bundle.signal.sample_rate
    return {
        real.part: {
            "clock_hz": real.clock_hz,
            "load": {
                end: value / real.clock_hz / seconds
                for end, value in cycle_model.interval(real, cycles, accesses).items()
            },
        }
        for real in boards.boards().values()
        if real.core == core
    }


def budget(bundle: bundles.Bundle, board: str) -> dict[str, int]:
    """Return the board's part of the budget in bundle.json, {} where there is none.

    The budget is written by hand, so its names are checked.
    """
    file, limits = bundle.path / "bundle.json", bundle.description.get("budget", {})
    if wrong := boards.budget_problem(limits):
        raise UserError(f"{file}: budget has {wrong}")
    return limits.get(board, {})


def bench_host(bundle: bundles.Bundle) -> dict:
    """Run a bundle in TFLM's interpreter on this machine, with TFLM's kernels and with GroupComm's.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    dict
        ``bundle``, ``engine``, ``hops``, ``macs`` and ``kernels`` {``tflm``, ``groupcomm``}, each
        with ``instructions`` (mean of a hop on this machine; None without valgrind), ``per_mac``,
        ``microseconds`` {``median``, ``worst``} (which depend on the load of the machine) and
        ``arena_bytes`` {``used``, ``smallest``} (with 64-bit pointers; a board needs less).

    Raises
    ------
    UserError
        When the runner does not build, or its masks differ from those of the official TFLM in
        Python.
    """
    features, _ = bundle.golden()
    expected = runtimes.Tflm(bundle.model)(features)
    macs = bundle.counts.macs
    found = {}
    for kernels in ("tflm", "groupcomm"):
        masks, microseconds = host_tools.timed_replay(bundle, features, kernels=kernels)
        if not np.array_equal(masks, expected):
            raise UserError(
                f"{bundle.path}: the masks of kernels {kernels} differ from TFLM's, "
                "so their cost is not reported"
            )
        described = json.loads(
            host_tools.run("describe", "--bundle", bundle.path, "--kernels", kernels)
        )
        count = host_tools.count_replay(bundle, features[:COUNTED_HOPS], kernels=kernels)
        found[kernels] = {
            "instructions": count and count / COUNTED_HOPS,
            "per_mac": count and count / COUNTED_HOPS / macs,
            "microseconds": {
                "median": float(np.median(microseconds)),
                "worst": float(microseconds.max()),
            },
            "arena_bytes": {key: described["arena"][key] for key in ("used", "smallest")},
        }
    return {
        "bundle": bundle.name,
        "engine": "tflm-host",
        "hops": len(features),
        "macs": macs,
        "kernels": found,
    }

"""What a bundle costs on a board: instructions, flash and RAM of its firmware, built by Bazel and run in QEMU.

Instructions are counted exactly, and a second run gives the same numbers. Cycles are not: QEMU knows no pipeline, no flash wait states.
"""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from convert import bundle as bundles
from convert import compilation, flatbuffer, runner, runtimes
from groupcomm.errors import UserError
from groupcomm.files import REPO, atomic_path

BOARDS = ("cortex-m4", "cortex-m33", "cortex-m55")
HOPS = 200
CYCLES_PER_INSTRUCTION = 1.5  # assumed: most take 1, loads and taken branches 2 to 4, and flash has wait states
PARTS = {"nRF52840": ("cortex-m4", 64e6), "nRF5340": ("cortex-m33", 128e6)}  # core and clock in Hz
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


def bench(bundle: bundles.Bundle, board: str, *, portable: bool = False) -> dict:
    """Build the firmware of a bundle, run it over real sound, and count.

    Parameters
    ----------
    bundle : what to run.
    board : one of `BOARDS`.
    portable : with the kernels' portable bodies, to compare.

    Returns
    -------
    dict with ``bundle``, ``board``, ``engine``, ``kernels``, ``hops``, ``macs``, ``instructions`` {``hop``: {``mean``, ``worst``}, and so
    ``network`` and ``signal`` (the hop without the network), ``network_per_mac``}, ``functions`` (instructions a hop by name; a kernel is
    an operator), ``flash_bytes`` {``code``, ``constants`` of the network}, ``ram_bytes`` {``state``, ``activations``, ``stream``,
    ``stack``, ``total``}, ``estimates`` (share of a hop's time on real parts, under an assumption) and ``budget`` (from bundle.json, each
    with ``limit``, ``used``, ``ok``).

    Raises
    ------
    UserError
        When the firmware does not build, or its masks are not TFLM's.
    """
    folder = REPO / "build" / "bench" / re.sub(r"\W", "_", bundle.name)
    shutil.rmtree(folder, ignore_errors=True)
    written = compilation.compile_bundle(bundle, folder)
    with atomic_path(folder / "BUILD") as part:
        parts = {
            "kernels": "kernels_portable" if portable else "kernels",
            "stream": "stream_256" if bundle.signal.window == 256 else "stream",
        }
        part.write_text(_BUILD.format(name=written["name"], **parts))
    label = f"//build/bench/{folder.name}:firmware_{board.replace('-', '_')}"
    program = runner.build(label)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        bundles.golden_pcm(HOPS, bundle.signal.hop).tofile(scratch / "pcm")
        files = [scratch / kind for kind in ("pcm", "sound", "features", "masks")]
        done = subprocess.run([program, "--count", scratch / "count", "stream", *files], capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{label}: {done.stderr.strip() or f'ended with code {done.returncode}'}")
        said, counted = json.loads(done.stdout), json.loads((scratch / "count").read_text())
        features, masks = (np.fromfile(path, np.int8).reshape(HOPS, -1) for path in files[2:])
    if not np.array_equal(masks, runtimes.Tflm(bundle.model)(features)):
        raise UserError(f"{label}: its masks are not TFLM's; its cost means nothing before that is mended")
    hop, network = counted["spans"]
    macs = flatbuffer.read(bundle.path / bundle.description["model"]["file"]).macs
    instructions = {
        kind: {"mean": span["instructions"] / HOPS, "worst": span["worst"]} for kind, span in (("hop", hop), ("network", network))
    }
    instructions["signal"] = {key: instructions["hop"][key] - instructions["network"][key] for key in ("mean", "worst")}
    ram = {
        "state": written["state_bytes"],
        "activations": written["arena_bytes"],
        "stream": said["stream_bytes"],
        "stack": said["stack_used"],
    }
    flash = _flash(Path(f"{program}.elf"), written["constant_bytes"])
    budget = bundle.description.get("budget", {}).get(board, {})
    figures = {
        "instructions": instructions["hop"]["worst"],
        "flash_bytes": flash["code"] + flash["constants"],
        "ram_bytes": sum(ram.values()),
    }
    if unknown := sorted(set(budget) - set(figures)):
        raise UserError(f"{bundle.path}/bundle.json: budget {unknown[0]} is not known; use {', '.join(figures)}")
    return {
        "bundle": bundle.name,
        "board": board,
        "engine": "static",
        "kernels": "portable" if portable else "fast",
        "hops": HOPS,
        "macs": macs,
        "instructions": instructions | {"network_per_mac": instructions["network"]["mean"] / macs},
        "functions": _readable(hop["functions"]),
        "flash_bytes": flash,
        "ram_bytes": ram | {"total": sum(ram.values())},
        "estimates": {
            part: {
                "clock_hz": clock,
                "cycles_per_instruction": CYCLES_PER_INSTRUCTION,
                "load": instructions["hop"]["worst"] * CYCLES_PER_INSTRUCTION / clock / (bundle.signal.hop / bundle.signal.sample_rate),
            }
            for part, (core, clock) in PARTS.items()
            if core == board
        },
        "budget": {key: {"limit": limit, "used": figures[key], "ok": figures[key] <= limit} for key, limit in budget.items()},
    }


def _readable(functions: dict[str, int]) -> dict[str, float]:
    """Instructions a hop by function, the most first; C++ names as in the source, without parameters."""
    listed = "\n".join(functions)
    done = subprocess.run(["arm-none-eabi-c++filt", "-p"], input=listed, capture_output=True, text=True, check=True)
    names = [re.sub(r"groupcomm::|\(anonymous namespace\)::", "", name) for name in done.stdout.splitlines()]
    return {name: count / HOPS for name, count in sorted(zip(names, functions.values(), strict=True), key=lambda pair: -pair[1])}


def _flash(elf: Path, constants: int) -> dict:
    """Bytes of the firmware in flash: code with its tables, constants of the network, and initial values."""
    done = subprocess.run(["arm-none-eabi-size", "-A", elf], capture_output=True, text=True, check=True)
    sections = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith((".text", ".data"))}
    return {"code": sum(sections.values()) - constants, "constants": constants}

"""Run hours of sound through the C code and the engine on TFLM; count what differs.

    python tools/soak.py --hours 24 --tflm-hours 1

A minute of the demo mixtures is repeated. The masks of each hop have to be those of the engine on
TFLM (micro/engine) in the first `--engine-hours`, and in the first `--tflm-hours` those of the
official TFLM too. The state never repeats exactly, so a drift is looked for in the sound: each
repetition is compared with the third one, and the SNR of the last tenth must not be more than 1 dB
below that of the first tenth. SIGTERM ends the sound after a repetition.
Then a state is reset a million times, and 100,000 states are created and freed; the same with the
engine on TFLM, whose masks have to be those of the official TFLM. It prints the counts, and the
memory of the process after the first repetition and at the end; on stderr, the memory after each
hour of sound. The exit code is 1 when anything differs, drifts or grows.
"""

import argparse
import ctypes
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from convert import bundle  # noqa: E402
from convert.bundle.writer import golden_pcm  # noqa: E402
from convert.codegen import c_source, cmsis_dsp  # noqa: E402
from convert.tflite import runtimes  # noqa: E402
from groupcomm.files import kernel_files, scratch_folder  # noqa: E402

SETTLED = 2  # repetitions until the means over the past have forgotten the start
DRIFT_DB = 1.0
HOPS = 7500  # in a repetition: a minute
GROWTH = 1 << 20  # bytes that memory may grow: pages of the allocator
ENGINE = ("tflm_engine", "operators", "tflm_kernels")


def build(network: bundle.Bundle) -> ctypes.CDLL:
    """Compile the C API, the network, the engine on TFLM and the loops into a library."""
    from tflite_micro.python.tflite_micro import _runtime

    # The engine finds TFLM in the wheel's binary.
    ctypes.CDLL(_runtime.__file__, mode=ctypes.RTLD_GLOBAL)
    dsp = cmsis_dsp.sources()
    pin = json.loads((ROOT / "micro/third_party/cmsis_dsp.json").read_text())
    with scratch_folder() as folder:
        c_source.compile_bundle(network, folder / "c")
        c = [ROOT / "micro/testing/soak.c", *(folder / "c").glob("*.c"), *kernel_files(".c")]
        c += [dsp / "Source" / f"{file}.c" for file in cmsis_dsp.FFT]
        cc = [ROOT / "micro/api/groupcomm.cc", ROOT / "micro/stream/stream.cc"]
        cc += [ROOT / "micro/testing/soak_tflm.cc"]
        cc += [ROOT / f"micro/engine/{name}.cc" for name in ENGINE]
        places = (ROOT, ROOT / "micro/include", folder / "c", dsp / "Include")
        options = [*(f"-I{place}" for place in (*places, dsp / "PrivateInclude"))]
        options += [*(f"-D{define}" for define in pin["defines"]), "-ffp-contract=off"]
        command = ["-O2", "-w", "-fPIC", *options]
        subprocess.run(["cc", "-std=gnu11", *command, "-c", *c], cwd=folder, check=True)
        objects = sorted(folder.glob("*.o"))
        program = [*cc, *objects, "-shared", "-o", folder / "soak.so"]
        options = ["-std=c++17", "-DGROUPCOMM_TFLM_WHEEL"]
        subprocess.run(["c++", *options, *command, *program], check=True)
        library = ctypes.CDLL(str(folder / "soak.so"))
    library.soak_create.restype = ctypes.c_void_p
    library.soak_run.restype = ctypes.c_uint64
    library.soak_reset.restype = library.soak_life.restype = ctypes.c_int64
    library.soak_tflm_create.restype = ctypes.c_void_p
    library.soak_tflm_run.restype = ctypes.c_int64
    library.soak_tflm_reset.restype = library.soak_tflm_life.restype = ctypes.c_int64
    return library


def memory() -> int:
    """Return the resident memory of this process in bytes."""
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


def _engine(network: bundle.Bundle) -> list:
    """Return the arguments of the functions in soak_tflm.cc that create an engine."""
    d = network.description
    # The engine needs an address that is a multiple of 16.
    room = np.zeros(len(network.model) + 16, np.uint8)
    model = room[-room.ctypes.data % 16 :][: len(network.model)]
    model[:] = np.frombuffer(network.model, np.uint8)
    names = [operator["name"].encode() for operator in d["operators"]]
    return [
        # a pointer that keeps the array
        model.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(model)),
        (ctypes.c_char_p * len(names))(*names), len(names),
        ctypes.c_size_t(2 * d["arena_bytes"]),  # that of bundle.json is for TFLM's own kernels
    ]  # fmt: skip


def _snr_db(reference: np.ndarray, found: np.ndarray) -> float:
    """Return the SNR of a sound in dB; of equal ones, that of a difference of one step."""
    signal = reference.astype(np.float64)
    error = np.square(found - signal).sum()
    return float(10 * np.log10(np.square(signal).sum() / max(error, 1.0)))


def stream(
    library: ctypes.CDLL,
    network: bundle.Bundle,
    sound: np.ndarray,
    hours: float,
    engine_hours: float,
    tflm_hours: float,
) -> dict:
    """Run repetitions of sound [shape=(hops * hop,)] through one state and one engine."""
    d = network.description
    hops = len(sound) // network.signal.hop
    # Written once before, so that their memory is there from the start
    features = np.ones((hops, d["features"]["shape"][1]), np.int8)
    masks = np.ones((hops, d["masks"]["shape"][1]), np.int8)
    tflm = runtimes.Tflm(network.model)
    state = ctypes.c_void_p(library.soak_create(ctypes.byref(ctypes.c_void_p())))
    config = _engine(network)
    engine = ctypes.c_void_p(library.soak_tflm_create(*config))
    if not engine:
        sys.exit("the engine on TFLM refuses the network")
    minutes = hops * network.signal.hop / network.signal.sample_rate / 60

    def repetitions(hours: float) -> int:
        return max(1, round(60 * hours / minutes))

    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    out, reference = np.ones_like(sound), np.ones_like(sound)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (sound, out, features, masks)]
    snr: list[float] = []
    failed, unequal, unequal_engine, start = 0, 0, 0, 0
    for i in range(max(SETTLED + 2, repetitions(hours))):
        if ended and i >= SETTLED + 2:
            break
        done = i + 1
        place, made, *arrays = pointers
        failed += not library.soak_run(state, place, ctypes.c_int64(hops), made, *arrays)
        if i < repetitions(engine_hours):
            unequal_engine += library.soak_tflm_run(engine, *arrays, ctypes.c_int64(hops))
        if i == SETTLED:
            reference[:] = out
        if i > SETTLED:
            snr.append(_snr_db(reference, out))
        if i < repetitions(tflm_hours):
            unequal += int((tflm(features) != masks).any(1).sum())
        if i == 0:
            start = memory()
        if int(done * minutes / 60) > int(i * minutes / 60):
            print(f"{done * minutes / 60:.0f} h: {memory():,} bytes", file=sys.stderr, flush=True)
    library.soak_tflm_free(engine)
    tenth = max(1, len(snr) // 10)
    return {
        "hours": done * minutes / 60,
        "hops": done * hops,
        "SNR of the first tenth, dB": float(np.mean(snr[:tenth])),
        "SNR of the last tenth, dB": float(np.mean(snr[-tenth:])),
        "hours in the engine on TFLM": min(done, repetitions(engine_hours)) * minutes / 60,
        "hops that differ from the engine on TFLM": unequal_engine,
        "hours in the official TFLM": min(done, repetitions(tflm_hours)) * minutes / 60,
        "hops that differ from the official TFLM": unequal,
        "failed": failed,
        "memory at the start, bytes": start,
        "memory at the end, bytes": memory(),
    }


def states(
    library: ctypes.CDLL, network: bundle.Bundle, sound: np.ndarray, resets: int, count: int
) -> dict:
    """Reset and create the states of the C API and the engines on TFLM; count wrong bytes."""
    d = network.description
    place = ctypes.c_void_p(sound.ctypes.data)
    state = ctypes.c_void_p(library.soak_create(ctypes.byref(ctypes.c_void_p())))
    features = np.empty((8, d["features"]["shape"][1]), np.int8)
    out = np.empty_like(sound)
    library.soak_run(
        state, place, ctypes.c_int64(len(features)), ctypes.c_void_p(out.ctypes.data),
        ctypes.c_void_p(features.ctypes.data), None,
    )  # fmt: skip
    masks = runtimes.Tflm(network.model)(features)
    engine = [
        *_engine(network),
        ctypes.c_void_p(features.ctypes.data), ctypes.c_void_p(masks.ctypes.data),
    ]  # fmt: skip
    found = {"resets": resets, "states": count}
    for name, reset, life in (
        ("C", lambda n: library.soak_reset(state, place, n), lambda n: library.soak_life(place, n)),
        (
            "TFLM",
            lambda n: library.soak_tflm_reset(*engine, n),
            lambda n: library.soak_tflm_life(*engine, n),
        ),
    ):
        life(ctypes.c_int64(1))  # the allocator's pages are there from the start
        before = memory()
        found[f"resets in {name} that gave other bytes"] = reset(ctypes.c_int64(resets))
        found[f"states in {name} that gave other bytes"] = life(ctypes.c_int64(count))
        found[f"growth in {name}, bytes"] = memory() - before
    return found


def main() -> int:
    """Run the soak and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--engine-hours", type=float, default=24)
    parser.add_argument("--tflm-hours", type=float, default=1)
    parser.add_argument("--resets", type=int, default=1_000_000)
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--hops", type=int, default=HOPS, help="hops of a repetition")
    options = parser.parse_args()
    network = bundle.load("enhance-nano")
    library = build(network)
    recorded = golden_pcm(min(options.hops, 4000), network.signal.hop)
    sound = np.resize(recorded, options.hops * network.signal.hop)
    begin = time.process_time()
    found = stream(library, network, sound, options.hours, options.engine_hours, options.tflm_hours)
    found |= states(library, network, sound, options.resets, options.states)
    found["seconds of CPU"] = round(time.process_time() - begin)
    print(json.dumps(found, indent=2))
    growth = found["memory at the end, bytes"] - found["memory at the start, bytes"]
    growth = max(growth, found["growth in C, bytes"], found["growth in TFLM, bytes"])
    keys = [key for key in found if "differ" in key or "other bytes" in key or key == "failed"]
    drift = found["SNR of the first tenth, dB"] - found["SNR of the last tenth, dB"]
    # The SNR of single repetitions varies: ten of them or more are in a tenth.
    drifts = drift > DRIFT_DB and found["hops"] >= 100 * options.hops
    return int(any(found[key] for key in keys) or growth > GROWTH or drifts)


if __name__ == "__main__":
    sys.exit(main())

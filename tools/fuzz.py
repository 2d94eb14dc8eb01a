"""Fuzz the C and C++ code with libFuzzer, and the readers in Python with Hypothesis.

    python tools/fuzz.py --hours 8           # all of it; `make fuzz HOURS=8`
    python tools/fuzz.py --seconds 60 wav    # one target

Targets are micro/testing/fuzz/NAME_fuzz.cc with AddressSanitizer and UndefinedBehaviorSanitizer,
and their seeds are in the folder seeds/NAME beside them. New inputs are kept in build/fuzz/NAME,
where the next run begins. An input that ends a target is in build/fuzz/findings, and
`build/fuzz/bin/NAME FILE` repeats it. It needs clang-14 and libclang-rt-14-dev of Debian.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from convert.codegen import cmsis_dsp  # noqa: E402
from groupcomm.files import kernel_files  # noqa: E402

FUZZ, BUILD = ROOT / "micro/testing/fuzz", ROOT / "build/fuzz"
SANITIZE = "-fsanitize=fuzzer{},address,undefined"
OPTIONS = ["-g", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", f"-I{ROOT}"]
BUNDLE = ROOT / "convert/bundles/enhance-nano"
# Sources beside NAME_fuzz.cc, options of the compiler, and the longest input in bytes.
TARGETS = {
    "bundle": (
        ["micro/boards/host/bundle.cc", "micro/stream/tables.cc"],
        [f"-I{ROOT}/micro/testing/upstream", "-lz", "-O1"],
        4096,
    ),
    "wav": (["micro/boards/host/wav.cc", "micro/boards/host/files.cc"], ["-O2"], 512),
    "serial": (["micro/parity/server.cc", "micro/parity/frame.cc"], ["-O2"], 256),
    "network": (["micro/api/groupcomm.cc", "micro/stream/stream.cc"], ["-O2"], 1024),
}
EXAMPLES = 1000
PYTHON_TESTS = "tests/convert/test_hostile_files.py"


def run(*command: object, **options) -> subprocess.CompletedProcess:
    """Run a command and return what it printed; end with its errors when it fails."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, **options
    )
    if done.returncode:
        sys.exit(f"{done.stdout[-2000:]}{done.stderr[-4000:]}\n{command[0]} failed")
    return done


def build(name: str) -> Path:
    """Build a target and return its program."""
    sources, options, _ = TARGETS[name]
    program = BUILD / "bin" / name
    objects = program.parent / f"{name}.objects"
    objects.mkdir(parents=True, exist_ok=True)
    given = [FUZZ / f"{name}_fuzz.cc", *(ROOT / source for source in sources)]
    if name == "network":
        dsp = cmsis_dsp.sources()
        run(sys.executable, "-m", "groupcomm.cli", "compile", BUNDLE, "--out", objects / "network",
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
        network = [objects / "network/enhance_nano.c", *kernel_files(".c")]
        fft = [dsp / "Source" / f"{file}.c" for file in cmsis_dsp.FFT]
        pin = json.loads((ROOT / "micro/third_party/cmsis_dsp.json").read_text())
        folders = objects / "network", ROOT / "micro/include", dsp / "Include"
        options = [*options, *(f"-I{folder}" for folder in (*folders, dsp / "PrivateInclude"))]
        options += [*(f"-D{define}" for define in pin["defines"]), "-ffp-contract=off"]
        c = ["-x", "c", "-std=gnu11", "-w", "-c", *OPTIONS, *options]
        run("clang-14", *c, SANITIZE.format("-no-link"), *network, cwd=objects)
        run("clang-14", *c, "-fsanitize=address", *fft, cwd=objects)  # third-party code
        given += sorted(objects.glob("*.o"))
    run("clang++-14", "-std=c++17", *OPTIONS,
        SANITIZE.format(""), *given, *options, "-o", program)  # fmt: skip
    shutil.rmtree(objects)
    return program


def seeds(name: str) -> Path:
    """Return the folder of the seeds of a target; those of bundles are the released ones."""
    if name != "bundle":
        return FUZZ / "seeds" / name
    folder = BUILD / "bundle-seeds"
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((ROOT / "convert/bundles").glob("*/bundle.json")):
        # without its spaces, an input is shorter
        text = json.dumps(json.loads(file.read_text()), separators=(",", ":"))
        (folder / file.parent.name).write_text(text)
    return folder


def fuzz(name: str, seconds: float) -> tuple[int, int, list[str]]:
    """Run a target; return its executions, its covered edges and what it found."""
    program, corpus, findings = build(name), BUILD / name, BUILD / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        program, f"-max_total_time={max(1, round(seconds))}", "-print_final_stats=1", "-timeout=5",
        "-rss_limit_mb=2048", f"-max_len={TARGETS[name][2]}",
        f"-artifact_prefix={findings}/{name}-", corpus, seeds(name),
    ]  # fmt: skip
    if (FUZZ / f"{name}.dict").is_file():
        command.append(f"-dict={FUZZ / f'{name}.dict'}")
    before = set(findings.iterdir())
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace", env=os.environ | {"GROUPCOMM_FUZZ_BUNDLE": str(BUNDLE)},
    )  # fmt: skip
    (BUILD / f"{name}.log").write_text(done.stderr)
    executed = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    edges = re.findall(r" cov: (\d+) ", done.stderr)
    found = [str(file.relative_to(ROOT)) for file in set(findings.iterdir()) - before]
    if done.returncode and not found:
        found = [f"exit code {done.returncode}, see {BUILD.relative_to(ROOT)}/{name}.log"]
    return int(executed[1]) if executed else 0, int(edges[-1]) if edges else 0, found


def main() -> int:
    """Run all targets and print a table; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--hours", type=float)
    length.add_argument("--seconds", type=float)
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS, "python"])
    options = parser.parse_args()
    seconds = options.seconds or 3600 * options.hours
    chosen = options.target or [*TARGETS, "python"]
    failed = False
    print(f"{'target':<8} {'executions':>12} {'edges':>6}  findings")
    for name in chosen:
        if name == "python":
            continue
        executed, edges, found = fuzz(name, seconds / len(chosen))
        failed |= bool(found)
        print(f"{name:<8} {executed:>12,} {edges:>6}  {', '.join(found) or 'none'}", flush=True)
    end = time.monotonic() + seconds / len(chosen)
    rounds = 0
    while "python" in chosen and not failed and (rounds == 0 or time.monotonic() < end):
        rounds += 1
        env = os.environ | {"GROUPCOMM_FUZZ_EXAMPLES": str(EXAMPLES)}
        tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", PYTHON_TESTS]
        done = subprocess.run(tests, cwd=ROOT, env=env, capture_output=True, text=True)
        if failed := done.returncode != 0:
            print(done.stdout)
    if rounds:
        print(f"python   {rounds} rounds of {EXAMPLES} examples of each reader", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

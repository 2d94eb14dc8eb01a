"""Fuzz the C and C++ code with libFuzzer, and the readers in Python with Hypothesis.

    python tools/fuzz.py --hours 8           # all of it; `make fuzz HOURS=8`
    python tools/fuzz.py --seconds 60 wav    # one target
    python tools/fuzz.py --seconds 9000 --executions 100000000 wav

Targets are micro/testing/fuzz/NAME_fuzz.cc with AddressSanitizer and UndefinedBehaviorSanitizer,
and their seeds are in the folder seeds/NAME beside them. New inputs are kept in build/fuzz/NAME,
where the next run begins. An input that ends a target is in build/fuzz/findings, and
`build/fuzz/bin/NAME FILE` repeats it. It needs clang-14 and libclang-rt-14-dev of Debian.

With --plain, the targets are without AddressSanitizer, and faster. All inputs that were kept then
run through the target with it.
"""

import argparse
import json
import os
import re
import resource
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
OPTIONS = ["-g", f"-I{ROOT}"]
ADDRESS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
PLAIN = ["-fsanitize=undefined", "-fno-sanitize=vptr", "-fsanitize-trap=undefined",
         "-D_GLIBCXX_ASSERTIONS"]  # fmt: skip
# Costs more than the code itself where loops are short.
NO_COMPARISONS = "-fno-sanitize-coverage=trace-cmp"
IN_MEMORY = "-Wl,--wrap=fopen,--wrap=fclose,--wrap=fread,--wrap=fseek,--wrap=ftell,--wrap=stat"
INTERRUPTED = 72  # exit code of libFuzzer after SIGTERM
BUNDLE = ROOT / "convert/bundles/enhance-nano"
# Sources beside NAME_fuzz.cc, options of the compiler, and the longest input in bytes.
TARGETS = {
    "bundle": (
        ["micro/boards/host/bundle.cc", "micro/stream/tables.cc"],
        [f"-I{ROOT}/micro/testing/upstream", "-lz", NO_COMPARISONS],
        4096,
    ),
    "wav": (["micro/boards/host/wav.cc", "micro/boards/host/files.cc"], [IN_MEMORY], 512),
    "serial": (["micro/parity/server.cc", "micro/parity/frame.cc"], [NO_COMPARISONS], 256),
    "network": (["micro/api/groupcomm.cc", "micro/stream/stream.cc"], [NO_COMPARISONS], 1024),
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


def build(name: str, plain: bool = False) -> Path:
    """Build a target and return its program."""
    sources, options, _ = TARGETS[name]
    program = BUILD / "bin" / (f"{name}-plain" if plain else name)
    sanitize = ["-O2", *OPTIONS, *(PLAIN if plain else ADDRESS)]
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
        c = ["-x", "c", "-std=gnu11", "-w", "-c"]
        run("clang-14", *c, *sanitize, "-fsanitize=fuzzer-no-link", *options, *network, cwd=objects)
        third_party = ["-O2"] if plain else ["-O2", "-fsanitize=address"]
        run("clang-14", *c, *OPTIONS, *third_party, *options, *fft, cwd=objects)
        given += sorted(objects.glob("*.o"))
    run("clang++-14", "-std=c++17", *sanitize, "-fsanitize=fuzzer", *given, *options,
        "-o", program)  # fmt: skip
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


def fuzz(
    name: str, seconds: float, executions: int = -1, plain: bool = False
) -> tuple[int, int, list[str]]:
    """Run a target; return its executions, its covered edges and what it found."""
    program, corpus, findings = build(name, plain), BUILD / name, BUILD / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={max(1, round(seconds))}", f"-runs={executions}", corpus]
    executed, edges, found = _execute(name, program, [*options, seeds(name)])
    if plain and not found:
        found = _execute(name, build(name), ["-runs=0", corpus])[2]
    return executed, edges, found


def _execute(name: str, program: Path, options: list) -> tuple[int, int, list[str]]:
    findings = BUILD / "findings"
    command = [
        program, "-print_final_stats=1", "-timeout=5", "-rss_limit_mb=2048", "-entropic=0",
        f"-max_len={TARGETS[name][2]}", f"-artifact_prefix={findings}/{name}-", *options,
    ]  # fmt: skip
    if (FUZZ / f"{name}.dict").is_file():
        command.append(f"-dict={FUZZ / f'{name}.dict'}")
    env = os.environ | {"GROUPCOMM_FUZZ_BUNDLE": str(BUNDLE)}
    # Small, so that memory stays in the processor's caches
    env["ASAN_OPTIONS"] = "malloc_context_size=2:quarantine_size_mb=1"
    before = set(findings.iterdir())
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace", env=env,
    )  # fmt: skip
    (BUILD / f"{program.name}.log").write_text(done.stderr)
    executed = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    edges = re.findall(r" cov: (\d+) ", done.stderr)
    found = [str(file.relative_to(ROOT)) for file in set(findings.iterdir()) - before]
    if done.returncode not in (0, INTERRUPTED) and not found:
        found = [f"exit code {done.returncode}, see {BUILD.relative_to(ROOT)}/{program.name}.log"]
    return int(executed[1]) if executed else 0, int(edges[-1]) if edges else 0, found


def main() -> int:
    """Run all targets and print a table; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--hours", type=float)
    length.add_argument("--seconds", type=float)
    parser.add_argument("--executions", type=int, default=-1, help="end a target after so many")
    parser.add_argument("--plain", action="store_true", help="without AddressSanitizer, faster")
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS, "python"])
    options = parser.parse_args()
    seconds = options.seconds or 3600 * options.hours
    chosen = options.target or [*TARGETS, "python"]
    failed = False
    print(f"{'target':<8} {'executions':>12} {'edges':>6} {'CPU':>7}  findings")
    for name in chosen:
        if name == "python":
            continue
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        executed, edges, found = fuzz(
            name, seconds / len(chosen), options.executions, options.plain
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        failed |= bool(found)
        print(
            f"{name:<8} {executed:>12,} {edges:>6} {cpu:>5.0f} s  {', '.join(found) or 'none'}",
            flush=True,
        )
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

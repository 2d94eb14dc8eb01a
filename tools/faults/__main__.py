"""Kill commands at each of their changes to files, and let the disk be full from each on.

    python tools/faults                        # all: `make faults`
    python tools/faults --points 6 package     # six places, spread over the changes of a command

The commands run in children of this process. After a fault, what was there before has to be whole
(the old version or the new one), the same command has to succeed, and nothing more than after an
undisturbed run may be left in the output, in the cache or in the folder of temporary files. A
command that reports a full disk has to have cleaned up by itself.

So that a run takes seconds, some results are given instead of computed: the integer model in
`convert`, the steps of the optimizer and the scores in `train` and `qat`, the observed activations
in `qat`, and the compiler's answers in `package`. None of them is a file that is looked at.
"""

import argparse
import contextlib
import ctypes
import functools
import hashlib
import json
import mmap
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
from convert.codegen import cmsis_dsp  # noqa: E402
from groupcomm.errors import UserError  # noqa: E402

SHIM = ROOT / "build/faults/interpose.so"
DSP = cmsis_dsp.sources()
FAULTS = ("kill", "full disk")


def _package(folder: Path) -> None:
    from convert import bundle
    from convert.codegen import arduino, cmsis_dsp

    answers = SHIM.with_name(f"answers-{os.getppid()}.json")
    known = json.loads(answers.read_text()) if answers.exists() else {}
    real = cmsis_dsp._run

    def run(*command) -> str:
        key = " ".join(Path(word).name for word in command)
        if key not in known:
            known[key] = real(*command)
            answers.write_text(json.dumps(known))
        return known[key]

    cmsis_dsp._run = run
    cmsis_dsp.sources = lambda: DSP
    arduino.write(bundle.load("enhance-nano"), folder / "arduino")


def _data(folder: Path) -> None:
    from calibration_data.building import build

    build.build_folder(folder / "sounds/speech", folder / "sounds/noise", "mine")


def _sounds(folder: Path) -> None:
    from tests.helpers import corpora

    corpora.build_buzzing_corpus(folder / "sounds")


def _convert(folder: Path) -> None:
    from convert import bundle
    from convert.bundle import writer
    from convert.quantization import ptq
    from tf_model.training import checkpoint

    made = bundle.load("enhance-nano")
    ptq.integers = lambda *_, **__: (made.model, 8016)
    writer.smallest_arena = lambda _: made.description["arena_bytes"]
    bundle.write(checkpoint.load("enhance-nano"), folder / "bundle")


def _train(folder: Path) -> None:
    from tf_model.training import train

    _give_steps()
    train.train("tiny", _net(), train.Recipe(**RUN, optimizer="adam"), folder / "run")


def _qat(folder: Path) -> None:
    from convert.quantization import ptq, qat
    from tf_model.training import checkpoint, train

    given = SHIM.with_name(f"observed-{os.getppid()}.pickle")
    real = ptq.observe

    def observe(*arguments):
        if not given.exists():
            given.write_bytes(pickle.dumps(real(*arguments)))
        return pickle.loads(given.read_bytes())

    ptq.observe = observe
    _give_steps()
    start = checkpoint.load(str(folder / "start"))
    recipe = train.Recipe(**RUN, start=str(folder / "start"), ranges="min-max", weights=8)
    wrap_model = functools.partial(qat.fake_quantized, start, method="min-max", weights=8)
    train.train(start.name, start.net, recipe, folder / "run", wrap_model=wrap_model)


RUN = {"steps": 4, "batch": 1, "seconds": 0.5, "validate_every": 1, "validation_mixtures": 1,
       "corpus": "tiny"}  # fmt: skip


def _net():
    from tf_model.networks.streaming import Streaming

    return Streaming(features=32, groups=4, blocks=1, tac=6, hidden=8)


def _give_steps() -> None:
    import tensorflow as tf

    from tf_model.training import train

    count = iter(range(1000))

    def step(learner, *_):
        for variable in learner.model.trainable_variables:
            variable.assign_add(tf.ones_like(variable))
        return tf.constant([1.0 / (1 + next(count)), 0.0])

    train._Learner.step = step
    train._Learner.improvement = lambda learner, *_: float(
        sum(tf.reduce_sum(v) for v in learner.model.trainable_variables)
    )


def _stopped(run: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return a function that leaves a run that was stopped after two of its four steps."""

    def prepare(folder: Path) -> None:
        from tf_model.networks import streaming
        from tf_model.training import checkpoint, train

        _sounds(folder)
        model = streaming.build(_net())
        # The conversion merges biases that are equal or zero.
        random = np.random.default_rng(1)
        model.set_weights([random.normal(0, 0.3, w.shape) for w in model.get_weights()])
        checkpoint.save(folder / "start", "tiny", _net(), {}, model)
        real = train._Run._validate

        def validate(stopped, validation):
            real(stopped, validation)
            if int(stopped._state.done) == 2:
                raise KeyboardInterrupt

        train._Run._validate = validate
        with contextlib.suppress(KeyboardInterrupt):
            run(folder)

    return prepare


def _older(name: str, run: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return a function that makes what a command makes, and alters a file, as an old version."""

    def prepare(folder: Path) -> None:
        run(folder)
        with open(folder / name, "a") as file:
            file.write("\n")

    return prepare


def _older_corpus(folder: Path) -> None:
    _sounds(folder)
    _data(folder)
    (folder / "cache/corpus/mine/corpus.json").write_text('{"schema": 1, "hours": {"train": {}}}')


def _same(result: str) -> Callable[[Path, Path, Path], bool]:
    """Return whether a result is that of before or that of an undisturbed run."""

    def whole(folder: Path, before: Path, after: Path) -> bool:
        found = contents(folder / result)
        return found in (contents(before / result), contents(after / result))

    return whole


def _loads(folder: Path, before: Path, after: Path) -> bool:
    """Return whether the best checkpoint of a run is complete; it has checksums."""
    from tf_model.training import checkpoint

    return checkpoint.load(str(folder / "run")).name == "tiny"


@dataclass(frozen=True)
class Case:
    """A command, what is there before it, and what may be there after a fault."""

    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    whole: Callable[[Path, Path, Path], bool]


CASES = {
    "package": Case(_older("arduino/README.md", _package), _package, _same("arduino")),
    "data": Case(_older_corpus, _data, _same("cache/corpus/mine")),
    "convert": Case(_older("bundle/bundle.json", _convert), _convert, _same("bundle")),
    "train": Case(_stopped(_train), _train, _loads),
    "qat": Case(_stopped(_qat), _qat, _loads),
}
COUNTER = mmap.mmap(-1, 8)  # shared with the children


def contents(folder: Path) -> dict[str, str]:
    """Return the checksums of the files in a folder by name; "" for a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(folder.rglob("*"))
    }


def child(
    run: Callable[[Path], None], folder: Path, fault: str = FAULTS[0], n: int | None = None
) -> int:
    """Run a command in a process of its own, and return its exit code, negative for a signal.

    Its n-th change in the folder is disturbed; no change when n is None.
    """
    ctypes.c_long.from_buffer(COUNTER).value = 0
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    code = 1
    try:
        os.setpgid(0, 0)
        log = os.open(SHIM.with_name("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1), os.dup2(log, 2)
        for name, variable in (("cache", "GROUPCOMM_CACHE"), ("tmp", "TMPDIR")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            os.environ[variable] = str(folder / name)
        tempfile.tempdir = None
        os.chdir(folder)
        counter = ctypes.c_void_p(ctypes.addressof(ctypes.c_long.from_buffer(COUNTER)))
        place = ctypes.create_string_buffer(f"{folder}/".encode())
        at = ctypes.c_long(sys.maxsize if n is None else n)
        ctypes.CDLL(None).fault_arm(place, at, FAULTS.index(fault), counter)
        try:
            run(folder)
            code = 0
        except (UserError, OSError) as e:  # one line and exit code 2 on the command line
            print(e)
            code = 2
        except BaseException:
            traceback.print_exc()
        ctypes.CDLL(None).fault_arm(None, 0, 0, None)
        sys.stdout.flush(), sys.stderr.flush()
    finally:
        os._exit(code)


def disturb(name: str, fault: str, points: int | None, folder: Path) -> dict[str, int]:
    """Disturb a command at its changes, and count what went wrong."""
    case = CASES[name]
    before, after, work = folder / "before", folder / "after", folder / "work"
    if not before.exists():
        # in the same place as the disturbed runs: some contents name their folder
        _expect(child(case.prepare, work), name)
        shutil.copytree(work, before, symlinks=True)
        _expect(child(case.run, work), name)
        shutil.copytree(work, after, symlinks=True)
    found = dict.fromkeys(("changes", "injected", "lost", "left behind", "not continued"), 0)
    shutil.rmtree(work)
    shutil.copytree(before, work, symlinks=True)
    _expect(child(case.run, work, fault), name)
    total = found["changes"] = ctypes.c_long.from_buffer(COUNTER).value
    places = range(1, total + 1)
    if points and points < total:
        places = sorted({1 + round(i * (total - 1) / max(1, points - 1)) for i in range(points)})
    for n in places:
        shutil.rmtree(work)
        shutil.copytree(before, work, symlinks=True)
        code = child(case.run, work, fault, n)
        if fault == "kill" and code != -signal.SIGKILL:
            continue  # a run with fewer changes than the first
        found["injected"] += 1
        problems = {"lost": not case.whole(work, before, after)}
        if fault == "full disk":
            # A command may go on without a file that it does not need.
            problems["not continued"] = code not in (0, 2)
            problems["left behind"] = any(work.rglob(".groupcomm-*"))
        again = child(case.run, work)
        problems["not continued"] = problems.get("not continued", False) or again != 0
        extra = contents(work).keys() - contents(after).keys()
        missing = contents(after).keys() - contents(work).keys()
        problems["left behind"] = problems.get("left behind", False) or bool(extra)
        problems["lost"] |= bool(missing) or not case.whole(work, before, after)
        for problem in (key for key, value in problems.items() if value):
            found[problem] += 1
            names = sorted(extra | missing)[:5]
            print(f"{name}, {fault}, change {n}: {problem} {names}", flush=True)
    return found


def _expect(code: int, name: str) -> None:
    if code:
        sys.exit(f"{name}: an undisturbed run ended with code {code}; see {SHIM.parent}/log")


def main() -> int:
    """Disturb the commands and print a table; 1 when something was lost or left behind."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, help="places of each fault; by default all")
    parser.add_argument("command", nargs="*", choices=[[], *CASES])
    options = parser.parse_args()
    bad = 0
    print(f"{'command':<8} {'fault':<10} changes injected  lost  left behind  not continued")
    for name in options.command or CASES:
        # Once, for all children
        if name == "data":
            import librosa

            from tests.helpers import corpora  # noqa: F401

            assert librosa.effects
        if name in ("train", "qat"):
            import tensorflow  # noqa: F401
            from matplotlib import pyplot  # noqa: F401

            from convert.quantization import qat  # noqa: F401
            from tf_model.training import train  # noqa: F401
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            for fault in FAULTS:
                found = disturb(name, fault, options.points, Path(folder).resolve())
                bad += found["lost"] + found["left behind"] + found["not continued"]
                changes, injected, lost, left, stopped = found.values()
                print(
                    f"{name:<8} {fault:<10} {changes:7} {injected:8} {lost:5} {left:12} "
                    f"{stopped:14}",
                    flush=True,
                )
    return int(bad > 0)


if __name__ == "__main__":
    if "interpose" not in os.environ.get("LD_PRELOAD", ""):
        SHIM.parent.mkdir(parents=True, exist_ok=True)
        source = Path(__file__).with_name("interpose.c")
        compiler = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([*compiler, source, "-o", SHIM, "-ldl"], check=True)
        # set before Python starts; the tables of symbols are the same in all children
        os.execve(
            sys.executable, [sys.executable, *sys.argv], os.environ | {"LD_PRELOAD": str(SHIM)}
        )
    sys.exit(main())

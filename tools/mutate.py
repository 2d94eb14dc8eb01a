"""Change the core's code a little, many times, and count the changes that its tests do not notice.

    python tools/mutate.py                          # 20 changes of each file
    python tools/mutate.py --changes 100 signal     # more of one

A change replaces an operator, a comparison, a number or a condition. It is killed when a test of
the file fails, or runs ten times as long as without it. Survivors are printed with their lines; the
same --seed gives the same changes. Files are not written: the changed code is in the memory of a
child process. It prints a table, and each change on stderr; the exit code is 0.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

# Loaded once, for all children; nothing that imports the files that change
import ai_edge_litert.interpreter  # noqa: F401
import numpy  # noqa: F401
import pytest
import serial  # noqa: F401
import tflite_micro  # noqa: F401
import tflite_runtime.interpreter  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# File, and the options of pytest for the tests that have to notice: those that take seconds.
SIMULATION = ["tests/convert/tflite/test_simulation.py"]
PYTHON = {
    "signal": ("tf_model/signal.py", ["tests/tf_model/test_signal.py"]),
    "quantizer": (
        "convert/quantization/quantizer.py",
        ["tests/convert/quantization/test_quantizer.py"],
    ),
    "simulation": ("convert/tflite/simulation.py", SIMULATION),
    "fixed_point": (
        "convert/tflite/fixed_point.py",
        ["tests/convert/tflite/test_fixed_point.py", *SIMULATION],
    ),
    "protocol": (
        "convert/verify/serial_link.py",
        ["tests/convert/verify/test_serial_frames.py", "-k=not missing_port"],
    ),
}
KERNELS = ["tests/micro/test_kernels.py"]
QUICK = "-m=not slow and not bazel and not board"
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Add, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.USub: ast.UAdd,
}  # fmt: skip
C_SWAPS = {
    " + ": " - ", " - ": " + ", " * ": " + ", " / ": " * ", " << ": " >> ", " >> ": " << ",
    " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ",
    " && ": " || ", " || ": " && ", " & ": " | ", " += ": " -= ", " -= ": " += ",
}  # fmt: skip


class _Place(ast.NodeTransformer):
    """Counts the places where code can change, and changes the one of a number."""

    def __init__(self, chosen: int = -1):
        self.seen, self.chosen, self.line, self.what = 0, chosen, 0, ""

    def _is_chosen(self, node: ast.AST, what: str) -> bool:
        self.seen += 1
        if self.seen - 1 != self.chosen:
            return False
        self.line, self.what = getattr(node, "lineno", 0), what
        return True

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit the children, and then the node itself."""
        super().generic_visit(node)
        if isinstance(node, (ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.AugAssign)):
            node.op = self._swapped(node, node.op)
        elif isinstance(node, ast.Compare):
            node.ops = [self._swapped(node, op) for op in node.ops]
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            if self._is_chosen(node, "the condition is inverted"):
                node.test = ast.UnaryOp(ast.Not(), node.test)
        elif (
            isinstance(node, ast.Constant)
            and type(node.value) in (int, float)
            and self._is_chosen(node, f"{node.value} becomes {node.value + 1}")
        ):
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def _swapped(self, node: ast.AST, op: ast.AST) -> ast.AST:
        to = SWAPS.get(type(op))
        if to and self._is_chosen(node, f"{type(op).__name__} becomes {to.__name__}"):
            return to()
        return op


def python_changes(file: Path) -> list[tuple[int, str, ast.Module]]:
    """Return all changes of a file: line, what changes, and the changed code."""
    tree = ast.parse(file.read_text())
    counter = _Place()
    counter.visit(copy.deepcopy(tree))
    changes = []
    for i in range(counter.seen):
        place = _Place(i)
        changed = ast.fix_missing_locations(place.visit(copy.deepcopy(tree)))
        changes.append((place.line, place.what, changed))
    return changes


def _without_text(comment: re.Match) -> str:
    return re.sub(r"[^\n]", " ", comment[0])


def c_changes(file: Path) -> list[tuple[int, str, str]]:
    """Return all changes of a C file, outside of its comments and preprocessor lines.

    What only Cortex-M compiles is left out: it is not in the library that the tests run.
    """
    lines = file.read_text().split("\n")
    changes = []
    left_out: list[bool] = []  # for each #if around a line
    blank = re.sub(r"/\*.*?\*/|//[^\n]*", _without_text, file.read_text(), flags=re.S)
    for i, (line, code) in enumerate(zip(lines, blank.split("\n"), strict=True)):
        if code.startswith("#if"):
            left_out.append(
                bool(re.fullmatch(r"#(ifdef |if defined\()GC_(HELIUM|DSP)\)?", code.strip()))
            )
        elif code.startswith("#el"):
            left_out[-1] = bool(re.fullmatch(r"#elif defined\(GC_(HELIUM|DSP)\)", code.strip()))
        elif code.startswith("#endif"):
            left_out.pop()
        if any(left_out) or code.lstrip().startswith("#"):
            continue
        found = [(m.start(), word, to) for word, to in C_SWAPS.items()
                 for m in re.finditer(re.escape(word), code)]  # fmt: skip
        found += [(m.start(), m[0], str(int(m[0]) + 1)) for m in re.finditer(r"\b\d+\b", code)]
        for at, word, to in found:
            text = [*lines[:i], line[:at] + to + line[at + len(word) :], *lines[i + 1 :]]
            changes.append((i + 1, f"{word.strip()} becomes {to.strip()}", "\n".join(text)))
    return changes


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a module from changed code."""

    def __init__(self, name: str, file: Path, code: ast.Module):
        self._name, self._file, self._code = name, file, code

    def find_spec(self, name, path=None, target=None):
        """Find the one module."""
        if name == self._name:
            return importlib.util.spec_from_file_location(name, self._file, loader=self)
        return None

    def exec_module(self, module):
        """Execute the changed code."""
        exec(compile(self._code, str(self._file), "exec"), module.__dict__)


def passes(tests: list[str], prepare, seconds: float) -> bool:
    """Run tests in a child after ``prepare``; return whether they pass in time."""
    process = os.fork()
    if not process:
        code = 1
        try:
            os.setpgid(0, 0)
            os.chdir(ROOT)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1), os.dup2(null, 2)
            prepare()
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", QUICK, *tests]))
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return False


def try_changes(name: str, count: int, seed: int) -> None:
    """Try changes of a file and print its score and its survivors."""
    draw = random.Random(f"{seed} {name}")
    if name == "kernels":
        survivors, tried = _try_kernels(draw, count)
    else:
        path, tests = PYTHON[name]
        module, file = path.removesuffix(".py").replace("/", "."), ROOT / path
        changes = python_changes(file)
        begin = time.monotonic()
        if not passes(tests, lambda: None, 3600):
            sys.exit(f"{name}: its tests fail without a change")
        limit = 10 * (time.monotonic() - begin) + 10
        tried, survivors = min(count, len(changes)), []
        for line, what, code in draw.sample(changes, tried):
            finder = _Changed(module, file, code)
            survives = passes(tests, lambda f=finder: sys.meta_path.insert(0, f), limit)
            _note(survivors, survives, f"{path}:{line}: {what}")
    print(f"{name:<12} {tried:5} {tried - len(survivors):6} {len(survivors):8}", flush=True)
    for survivor in sorted(survivors):
        print(f"    {survivor}", flush=True)


def _note(survivors: list[str], survives: bool, change: str) -> None:
    if survives:
        survivors.append(change)
    print("survives" if survives else "killed  ", change, file=sys.stderr, flush=True)


def _try_kernels(draw: random.Random, count: int) -> tuple[list[str], int]:
    """Try changes of the portable kernels; only the changed file is compiled each time."""
    import groupcomm.files
    from groupcomm.files import kernel_files, scratch_folder

    with scratch_folder() as folder:
        files = [file for file in kernel_files(".c") if not re.search("dsp|helium", file.name)]
        objects = {}
        for file in kernel_files(".c"):
            objects[file] = folder / f"{file.stem}.o"
            command = ["cc", "-std=c11", "-O1", "-fPIC", f"-I{ROOT}", "-c", file]
            subprocess.run([*command, "-o", objects[file]], check=True)
        changes = [(file, *change) for file in files for change in c_changes(file)]
        survivors, tried = [], min(count, len(changes))
        for file, line, what, text in draw.sample(changes, tried):
            changed = folder / file.name
            changed.write_text(text)
            sources = [changed if one == file else made for one, made in objects.items()]

            def prepare(sources=sources, place=file.parent):
                # what the changed file includes from its own folder
                os.environ["CPATH"] = str(place)
                groupcomm.files.kernel_files = lambda *_: sources

            survives = passes(KERNELS, prepare, 600)
            _note(survivors, survives, f"{file.relative_to(ROOT)}:{line}: {what}")
    return survivors, tried


def main() -> None:
    """Try changes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("name", nargs="*", choices=[[], *PYTHON, "kernels"])
    options = parser.parse_args()
    print(f"{'file':<12} {'tried':>5} {'killed':>6} {'survived':>8}")
    for name in options.name or [*PYTHON, "kernels"]:
        try_changes(name, options.changes, options.seed)


if __name__ == "__main__":
    main()

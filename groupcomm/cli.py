"""The command line: `groupcomm COMMAND`.

Exit codes: 0 yes or done, 1 the answer is no, 2 wrong usage or bad input, 130 Ctrl-C, 143 SIGTERM.

The modules of the commands are light: they import TensorFlow only inside their functions.
"""

import importlib
import itertools
import math
import os
import re
import signal
import sys
from typing import Annotated, Any

import typer
from typer import core

from groupcomm import __version__
from groupcomm.console import (
    note,
    print_error,
    print_json,
    print_names_exactly,
    silence,
    step,
    without_log_lines,
)
from groupcomm.errors import UserError, missing_package
from groupcomm.limits import end_on_sigterm

# Groups in pipeline order: command, module and function, one line for the overview.
GROUPS = {
    "Data": (("data", "calibration_data.commands:data", "Build a corpus of speech and noise."),),
    "Train": (
        ("train", "tf_model.commands:train", "Train a network, or continue a training run."),
        ("qat", "convert.commands.quantize:qat", "Continue training in int8 arithmetic."),
        (
            "cost",
            "convert.commands.design:cost",
            "Count parameters and MACs, predict load on a board.",
        ),
        (
            "search",
            "convert.commands.design:search",
            "List network sizes that fit a board's time.",
        ),
        ("reproduce", "tf_model.commands:reproduce", "Reproduce the comparison of the paper."),
    ),
    "Convert": (
        (
            "convert",
            "convert.commands.quantize:convert",
            "Quantize a network and write its bundle.",
        ),
        (
            "variants",
            "convert.commands.quantize:variants",
            "Compare float32, int8, 16x8 and int4 weights.",
        ),
        (
            "sensitivity",
            "convert.commands.quantize:sensitivity",
            "Measure the loss of each quantized operator.",
        ),
        (
            "inspect",
            "convert.commands.quantize:inspect",
            "List operators, MACs, memory and what TFLM lacks.",
        ),
    ),
    "Prove": (
        (
            "parity",
            "convert.commands.prove:parity",
            "Compare all runtimes, or a board, byte by byte.",
        ),
        (
            "verify",
            "convert.commands.prove:verify",
            "Derive again what a bundle says of its files.",
        ),
        ("drift", "convert.commands.prove:drift", "Compare int8 with float32 in a long stream."),
        ("listen", "convert.commands.prove:listen", "Record a board's sound before and after."),
    ),
    "Measure": (
        (
            "evaluate",
            "convert.commands.measure:evaluate",
            "Score a network on unseen speakers and noises.",
        ),
        (
            "robustness",
            "convert.commands.measure:robustness",
            "Score a network under difficult conditions.",
        ),
        (
            "baselines",
            "convert.commands.measure:baselines",
            "Compare bundles with RNNoise, GTCRN and others.",
        ),
        (
            "report",
            "convert.commands.report:report",
            "Write a web page of a network, with sound.",
        ),
        ("bench", "convert.commands.measure:bench", "Count instructions on an emulated core."),
        ("fit", "convert.commands.measure:fit", "Estimate whether a bundle fits a board."),
    ),
    "Deploy": (
        ("compile", "convert.commands.deploy:compile_network", "Write a network as plain C."),
        (
            "package",
            "convert.commands.deploy:package",
            "Write an Arduino library or a Zephyr module.",
        ),
        ("process", "convert.commands.deploy:process", "Run a sound file through a network."),
        (
            "live",
            "convert.commands.deploy:live",
            "Hear a network between microphone and headphones.",
        ),
        ("demo", "convert.commands.deploy:demo", "Run the demo mixtures and write WAV files."),
    ),
    "Overview": (
        (
            "list",
            "convert.commands.listing:list_names",
            "List corpora, runs, networks and bundles.",
        ),
    ),
}
OVERVIEW = {name: short for commands in GROUPS.values() for name, _, short in commands}
QUIET = ("-q", "--quiet")


class _Group(core.TyperGroup):
    """Lists the commands in groups, and takes ``--quiet`` before and after a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        others = [word for word in args[:end] if word not in QUIET]
        quiet = [QUIET[1]] if len(others) < end else []
        return super().parse_args(ctx, [*quiet, *others, *args[end:]])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(f"{name:<11}", short) for name, _, short in commands])


class _Checked:
    """A command that shows its work, and whose numbers are finite (the parser accepts nan)."""

    def invoke(self, ctx: Any) -> Any:
        for parameter in ctx.command.params:
            value = ctx.params.get(parameter.name)
            if isinstance(value, float) and not math.isfinite(value):
                option = max(parameter.opts, key=len)
                raise UserError(f"{option} {value}: not a finite number; give another value")
        with step(ctx.info_name, key="\0".join(sys.argv[1:])):
            return super().invoke(ctx)  # type: ignore[misc]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"groupcomm {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option(*QUIET, help="Print no progress and no notes; also after a command.")
    ] = False,
) -> None:
    """Group Communication networks for speech, from Keras to a microcontroller."""
    if quiet:
        silence()


for _commands in GROUPS.values():
    for _name, _where, _short in _commands:
        _module, _, _function = _where.partition(":")
        _made = getattr(importlib.import_module(_module), _function)
        _class = getattr(_made, "command_class", core.TyperCommand)
        _class = type("Command", (_Checked, _class), {})
        app.command(name=_name, short_help=_short, cls=_class)(_made)


def _one_line(error: Any) -> str:
    """Format a usage error of the parser as one line that names the help."""
    message = re.sub(r"\s+", " ", error.format_message()).strip().rstrip(".")
    message = message.replace(": Value error, ", ": ")
    if (value := _given(error)) and value not in message:
        message = message.replace("': Input should", f"': {value} should", 1)
    context = getattr(error, "ctx", None)
    command = context.info_name if context and context.parent else ""
    if not command:  # some errors have no context: the command is the first word
        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        command = command if command in OVERVIEW else ""
    way_out = " ".join(filter(None, ["groupcomm", command, "--help"]))
    return f"{message}{' See' if message.endswith('?') else '; see'} `{way_out}`"


def _given(error: Any) -> str:
    """Return the value on the command line that a usage error is about; "" when it is not known."""
    names = getattr(getattr(error, "param", None), "opts", ())
    words, found = sys.argv[1:], ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in names:
            found = value if equals else following  # the last one counts
    return found


def main() -> None:
    """Run a command. A `UserError` becomes one line on stderr and exit code 2, Ctrl-C code 130."""
    print_names_exactly()
    end_on_sigterm()
    with without_log_lines():
        code = _run()
    sys.exit(code)


def _run() -> int:
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", sys.argv[1:])
    try:
        code = app(prog_name="groupcomm", standalone_mode=False) or 0
        if code == 128 + signal.SIGINT:  # what Typer makes of Ctrl-C
            stopped = "stopped; finished parts are kept, run the same command to continue"
            note(f"groupcomm: {stopped}", style="yellow")
            if as_json:
                print_json({"error": stopped})
        return code
    except SystemExit:
        if as_json:
            print_json({"error": "stopped by SIGTERM"})
        raise
    except BrokenPipeError:  # of `groupcomm list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    except Exception as e:
        if type(e).__name__ == "NoArgsIsHelpError":
            print(e.format_message())  # type: ignore[attr-defined]
            return 2
        message = _message(e)
        if message is None:
            if as_json:
                print_json({"error": f"a defect of this program: {type(e).__name__}: {e}"})
            raise
        print_error(message, as_json=as_json)
    return 2


def _message(error: Exception) -> str | None:
    """Return the line that tells the user what to correct; None for a defect of this program."""
    if isinstance(error, ModuleNotFoundError):
        error = missing_package(error)
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory; ask for less, or close other programs"
    if isinstance(error, OSError) and error.errno is not None:
        # of the system: a full disk, a name that is too long, a permission
        file = error.filename
        where = f"{os.fsdecode(file)}: " if isinstance(file, (str, bytes)) else ""
        return f"{where}{error.strerror}; check the path, its permissions and the space on disk"
    return _one_line(error) if hasattr(error, "format_message") else None  # the parser's errors


if __name__ == "__main__":
    main()

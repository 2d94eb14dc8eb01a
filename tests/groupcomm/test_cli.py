"""The command line without TensorFlow: help, names, usage errors, quiet, tables of 80 columns."""

import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import get_args

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from convert.commands import tables
from groupcomm import __version__, cli, console, progress
from groupcomm.errors import UserError
from groupcomm.files import REPO, output_file, output_folder, resource
from groupcomm.suggest import suggest
from tests.helpers.cli import groupcomm, ok, refused, without_progress
from tf_model import networks
from tf_model.training import checkpoint

CLIP = next(resource("calibration_data/clips/demo").rglob("*.flac"))
HEAVY = {"tensorflow", "tf_keras", "scipy", "librosa", "matplotlib", "tflite_runtime"}


def imported_by(*commands: list[str]) -> set[str]:
    """Heavy modules that these commands import, run one after the other in one process."""
    script = f"""
import sys
from typer.testing import CliRunner
from groupcomm.cli import app
for command in {commands!r}:
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, (command, done.output, done.exception)
print(*({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_no_help_imports_tensorflow():
    assert not imported_by(["--help"], *([name, "--help"] for name in cli.OVERVIEW))


def test_list_and_cost_do_not_import_tensorflow():
    names = [*networks.STREAMING, *networks.ABLATIONS]
    assert not imported_by(["list", "--json"], *(["cost", name, "--json"] for name in names))


def test_the_commands_are_listed_in_groups_in_pipeline_order():
    said = CliRunner().invoke(cli.app, ["-h"]).stdout
    order = [said.index(f"\n{group}:") for group in cli.GROUPS]
    assert order == sorted(order)
    assert list(cli.GROUPS) == [
        "Data",
        "Train",
        "Convert",
        "Prove",
        "Measure",
        "Deploy",
        "Overview",
    ]
    rows = [line.split()[0] for line in said[order[0] :].splitlines() if line.startswith("  ")]
    assert rows == list(cli.OVERVIEW)


@pytest.mark.parametrize("name", cli.OVERVIEW)
def test_help_fits_80_columns_and_is_not_cut(name):
    for arguments in (["--help"], [name, "-h"]):
        said = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "80"}).stdout
        _usage, *lines = said.splitlines()
        assert lines and all(len(line) <= 80 and not line.endswith("...") for line in lines)


def test_version():
    assert CliRunner().invoke(cli.app, ["--version"]).stdout == f"groupcomm {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["evalute"], "No such command 'evalute'. Did you mean 'evaluate'? See `groupcomm --help`"),
        (["separate", "a.wav"], "No such command 'separate'"),
        (["train", "enhance", "--step", "3"], "--step"),
        (["train"], "see `groupcomm train --help`"),
        (["convert", "--name"], "see `groupcomm convert --help`"),
        (
            ["bench", "enhance", "--board", "m4"],
            "Invalid value for '--board': 'm4' is not one of 'cortex-m4', ",
        ),
        (["train", "enhance", "--set", "hidden"], "--set hidden: is not FIELD=VALUE"),
        (["train", "enhance", "--steps", "many"], "see `groupcomm train --help`"),
        (["train", "enhance", "--learning-rate", "inf"], "--learning-rate inf: not a finite num"),
        (["fit", "enhance", "--clock", "nan"], "'--clock': nan should be greater than or equal to"),
        (["fit", "enhance", "--clock=-inf"], "'--clock': -inf should be greater than or equal to"),
        (
            ["evaluate", "enhance", "--mixtures", "1000000000"],
            "'--mixtures': 1000000000 should be less than or equal to 100000",
        ),
        *(
            (
                [command, "enhance", option, "1000000000"],
                f"'{option}': 1000000000 should be less than or equal to 100000",
            )
            for command in ("train", "qat")
            for option in ("--batch", "--validation-mixtures")
        ),
        (["drift", "enhance", "--minutes", "1000000000"], "less than or equal to 1440"),
        (["train", "enhance", "--set", "hidden=1000000000"], "must be at most 65536"),
        (["train", "enhanse"], "enhanse: no such network; did you mean enhance?"),
        (["cost", "nosuch"], "nosuch: no such network; choose one of enhance, "),
        (
            ["process", "a.wav", "--out", "x", "--bundle", "enhence"],
            "no bundle of this name and no folder",
        ),
        (["convert", "enhanse"], "did you mean enhance?"),
        (
            ["evaluate", "seperate"],
            "no bundle and no trained network of this name; did you mean separate?",
        ),
        (
            ["fit", "enhance", "--board", "nano33bel"],
            "board 'nano33bel' is not known; did you mean nano33ble?",
        ),
        (["fit", "enhance", "--board", "nano33ble", "--ram", "64"], "leave one of the two out"),
        (["fit", "enhance", "--clock", "64", "--flash", "512"], "missing: --ram"),
        (["convert", "enhance", "--float", "--name", "mine"], "--name mine: is for a bundle"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, says, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["groupcomm", *arguments])
    with pytest.raises(SystemExit) as e:
        cli.main()
    said = capfd.readouterr()
    assert e.value.code == 2 and not said.out
    [line] = without_progress(said.err)
    assert line.startswith("groupcomm: ") and says in line


# A command of each kind that its input must stop.
BAD = {
    "data": ["--source", "x"],
    "train": ["enhanse"],
    "qat": ["enhanse"],
    "cost": ["enhanse"],
    "search": ["enhanse", "--board", "nano33ble", "--load", "60"],
    "reproduce": ["--mixtures", "1"],
    "convert": ["enhanse"],
    "variants": ["enhanse"],
    "sensitivity": ["enhanse"],
    "inspect": ["nosuch.tflite"],
    "parity": ["nosuch"],
    "verify": ["nosuch"],
    "drift": ["nosuch"],
    "listen": ["--port", "x", "--out", "x", "--gain", "3"],
    "evaluate": ["nosuch"],
    "robustness": ["nosuch"],
    "baselines": ["nosuch"],
    "report": ["nosuch"],
    "bench": ["nosuch.tflite"],
    "fit": ["nosuch", "--board", "nano33ble"],
    "compile": ["nosuch.tflite"],
    "package": ["arduino", "nosuch", "--out", "x"],
    "process": ["nosuch.wav", "--out", "x"],
    "live": ["nosuch"],
    "demo": ["--bundle", "nosuch"],
    "list": ["surplus"],
}


@pytest.mark.parametrize("command", cli.OVERVIEW)
def test_bad_input_is_one_json_object(command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for arguments in (BAD[command], [*BAD[command], "--nosuch"]):
        monkeypatch.setattr(sys, "argv", ["groupcomm", command, *arguments, "--json"])
        with pytest.raises(SystemExit) as e:
            cli.main()
        said = capfd.readouterr()
        found = json.loads(said.out)
        assert e.value.code == 2 and list(found) == ["error"]
        assert without_progress(said.err) == [f"groupcomm: {found['error']}"]
    assert not list(tmp_path.iterdir())


def options_of_type(wanted):
    """Return the command, the name and the parser's parameter of every option of a type."""
    return [
        (name, max(parameter.opts, key=len), parameter)
        for name, command in typer.main.get_command(cli.app).commands.items()
        for parameter in command.params
        if parameter.opts[0].startswith("-")
        and wanted in (get_args(annotation := parameter.type_descriptor.annotation) or [annotation])
    ]


def refusal(monkeypatch, capfd, *arguments):
    """Return the line of the error."""
    monkeypatch.setattr(sys, "argv", ["groupcomm", *arguments])
    with pytest.raises(SystemExit) as e:
        cli.main()
    [line] = without_progress(capfd.readouterr().err)
    assert e.value.code == 2
    return line


@pytest.mark.parametrize(
    ("command", "option"), [(command, option) for command, option, _ in options_of_type(float)]
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_every_number_is_finite(command, option, value, monkeypatch, capfd):
    line = refusal(monkeypatch, capfd, command, *BAD[command], f"{option}={value}")
    assert re.search(rf"{option}\W+{value}( should be|: not a finite number)", line), line


INPUTS = {"--source", "--noise", "--recordings", "--config", "--calibration", "--baselines"}
EITHER = {("convert", "--out"), ("package", "--out")}  # a file or a folder


@pytest.mark.parametrize(
    ("command", "option", "check"),
    [
        (command, option, parameter.callback)
        for command, option, parameter in options_of_type(Path)
        if option not in {*INPUTS, "--input"} and (command, option) not in EITHER
    ],
)
def test_outputs_that_cannot_be_written_are_refused_first(
    command, option, check, tmp_path, monkeypatch, capfd
):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    if check.__name__ == output_folder.__name__:  # another test loads the modules again
        wrong = {"file": "is a file, and a folder", "file/x": "file is a file, and a folder"}
    else:
        assert check.__name__ == output_file.__name__
        wrong = {"folder": "is not a file; choose", "file/x": "file: is a file, and a folder"}
    for path, says in wrong.items():
        given = f"{option}={tmp_path / path}"  # checked in the order of the first, used as the last
        line = refusal(monkeypatch, capfd, command, given, *BAD[command], given)
        assert str(tmp_path / path.partition("/")[0]) in line and says in line, line
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["cost", "nosuch", "--json"]])
def test_a_full_disk_behind_a_stream_is_exit_code_2(stream, arguments):
    other = "stderr" if stream == "stdout" else "stdout"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "groupcomm.cli", *arguments],
            **{stream: full, other: subprocess.PIPE},
            text=True,
            cwd=REPO,
        )
    said = getattr(done, other)
    is_error = stream == "stdout" or "nosuch" in arguments or "--json" not in arguments
    assert (done.returncode, len(without_progress(said)) > 0) == (2 if is_error else 0, True)
    assert "Traceback" not in said and "Exception ignored" not in said
    if stream == "stdout":
        assert len(without_progress(said)) == 1


@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt, 130), (SystemExit(143), 143), (TypeError("x"), None)]
)
def test_a_stopped_command_is_one_json_object(stop, code, monkeypatch, capfd):
    def names():
        raise stop

    monkeypatch.setattr("calibration_data.corpus.names", names)
    monkeypatch.setattr(sys, "argv", ["groupcomm", "list", "--json"])
    with pytest.raises(SystemExit if code else TypeError) as e:
        cli.main()
    assert list(json.loads(capfd.readouterr().out)) == ["error"]
    assert code is None or e.value.code == code


# Those that do not take seconds. `tests.helpers.cli.ok` runs slow ones, and asserts the same.
QUICK = {
    "cost": ["enhance-nano"],
    "compile": ["enhance-nano", "--out", "c"],
    "process": [str(CLIP), "--bundle", "enhance-nano", "--out", "p"],
    "list": [],
}


@pytest.mark.parametrize("command", QUICK)
def test_quiet_leaves_stderr_empty(command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console.err, "quiet", False)  # and back to this afterwards
    monkeypatch.setattr(progress, "FIRST", 0.0)
    results = []
    for more in (["--quiet"], ["-q", "--json"]):
        monkeypatch.setattr(sys, "argv", ["groupcomm", command, *QUICK[command], *more])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as e:
            cli.main()
        said = capfd.readouterr()
        assert (e.value.code, said.err) == (0, "")
        results.append(said.out)
    assert results[0] and isinstance(json.loads(results[1]), dict)


def test_every_command_prints_one_json_object_on_demand():
    for name, command in typer.main.get_command(cli.app).commands.items():
        assert any("--json" in parameter.opts for parameter in command.params), name


def test_only_the_console_writes_to_stderr():
    for package in ("groupcomm", "calibration_data", "tf_model", "convert"):
        for file in (REPO / package).rglob("*.py"):
            if file.name != "console.py":
                assert "sys.stderr" not in file.read_text(), file


@pytest.mark.slow
def test_quiet_silences_the_note_and_not_the_result():
    said = groupcomm("cost", "enhance-nano")
    assert "next: groupcomm evaluate enhance-nano" in said.stderr
    for arguments in (("-q", "cost", "enhance-nano"), ("cost", "enhance-nano", "--quiet")):
        quiet = groupcomm(*arguments)
        assert (quiet.stdout, quiet.stderr) == (said.stdout, "")
    assert not groupcomm("cost", "enhance-nano", "--json").stderr
    refused(groupcomm("cost", "enhanse", "-q"), "did you mean enhance?")


def test_list(tmp_path, monkeypatch):
    folder = tmp_path / "corpus" / "mine"
    folder.mkdir(parents=True)
    hours = {"train": {"speech": 1.5, "noise": 0.5}, "test": {"speech": 0.25, "noise": 0.25}}
    (folder / "corpus.json").write_text(json.dumps({"schema": 1, "hours": hours}))
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path))
    found = ok("list", "--json")
    assert found["corpora"] == {"mine": {"speech": 1.75, "noise": 0.75}}
    assert all("enhance" in found[kind] for kind in ("networks", "checkpoints", "bundles"))
    said = groupcomm("list").stdout
    assert "mine (1.8 h of speech, 0.8 h of noise)" in said and all(
        len(line) <= 80 for line in said.splitlines()
    )


def test_log_lines_of_native_code_do_not_reach_the_terminal():
    script = """
import os, sys
from groupcomm.console import note, without_log_lines
with without_log_lines():
    for line in ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
                 "WARNING: All log messages before absl::InitializeLog() is called are written "
                 "to STDERR",
                 "E0000 00:00:1764489600.123456   12 cuda_dnn.cc:8310] Unable to register",
                 "I0000 00:00:1764489600.123456   12 cpu.cc:1] oneDNN",
                 "2026-11-30 08:00:00.123456: W external/local_xla/x.cc:1] could not find",
                 "a message of another program", "F0000 00:00:1764489600.1 12 x.cc:1] fatal"):
        os.write(2, line.encode() + b"\\n")
    note("a note")
    print("a print", file=sys.stderr)
os.write(2, b"after\\n")
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr
    kept = [
        "a message of another program",
        "F0000 00:00:1764489600.1 12 x.cc:1] fatal",
        "a note",
        "a print",
        "after",
    ]
    assert sorted(said.splitlines()) == sorted(kept)


def test_suggestions():
    assert suggest("enhanse", ["enhance", "separate"]) == "did you mean enhance?"
    assert (
        suggest("x", ["enhance", "separate"], "make one")
        == "choose one of enhance, separate, or make one"
    )
    assert suggest("x", [], "make one") == "make one" and suggest("x", []) == "there are none yet"


# ---------------------------------------------------------------------------------- configuration


def test_a_config_changes_every_field(tmp_path):
    file = tmp_path / "net.toml"
    file.write_text(
        "hidden = 24\ngroup_comm = 'none'\n[signal]\nlevel = 2\npool = 4\n[recipe]\nsteps = "
        "60\nlearning_rate = 1\n"
    )
    base = networks.find("enhance-nano")
    net, recipe = networks.from_config(base, file, {"steps": 8000, "learning_rate": 0.1})
    assert (net.hidden, net.group_comm, net.signal.level, net.signal.pool) == (24, "none", 2.0, 4)
    assert recipe == {"steps": 60, "learning_rate": 1.0} and isinstance(
        recipe["learning_rate"], float
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("hiden = 3", "hiden=3: there is no such field; did you mean hidden?"),
        ("hidden = '3'", "'3' is not a value of hidden, which has the type int"),
        ("hidden = 3.5", "3.5 is not a value of hidden"),
        ("[signal]\nbnds = 3", "signal.bnds=3: there is no such field; did you mean signal.bands?"),
        ("signal = 3", "signal is not a table; write \\[signal\\]"),
        ("[recipe]\nstps = 3", "\\[recipe\\] stps: there is no such field; did you mean steps?"),
        ("[recipe]\nsteps = 'x'", "\\[recipe\\] steps: 'x' does not have the type int"),
        ("hidden = ", "is not TOML"),
        ("groups = 7", "7 groups do not divide"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path, content, says):
    file = tmp_path / "net.toml"
    file.write_text(content)
    with pytest.raises(UserError, match=says):
        networks.from_config(networks.find("enhance-nano"), file, {"steps": 8000})
    with pytest.raises(UserError, match="cannot be read"):
        networks.from_config(networks.find("enhance-nano"), tmp_path / "none.toml")


# ------------------------------------------------------------------------- what a run remembers


def fake_run(folder, corpus: str = "open", checksum: str = "abc"):
    (folder / "best").mkdir(parents=True)
    recipe = {"recipe": {"corpus": corpus}}
    (folder / "best" / "network.json").write_text(
        json.dumps({"weights_sha256": checksum, "training": recipe})
    )
    return folder


def test_the_folder_of_a_run_stands_for_its_best_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = fake_run(tmp_path / "build" / "train" / "mine")
    assert checkpoint.find(str(run)) == checkpoint.find(str(run / "best")) == run / "best"
    assert [str(path) for path in checkpoint.runs()] == ["build/train/mine"]
    assert checkpoint.find_by_checksum("abc") == checkpoint.runs()[0] / "best"
    assert checkpoint.find_by_checksum("none") is None and checkpoint.find("mine") is None


def test_the_corpus_of_a_run_is_remembered(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path))
    net = networks.find("enhance")

    def trained(recipe):
        return checkpoint.Checkpoint("enhance", net, {"recipe": recipe}, None)

    assert (
        checkpoint.corpus_of(trained({"corpus": "open"}))
        == checkpoint.corpus_of(trained({}))
        == "open"
    )
    assert checkpoint.corpus_of(None) == "open" and not capsys.readouterr().err
    assert checkpoint.corpus_of(trained({"corpus": "debian"})) == "open"
    assert "the corpus debian, which is not built here; using open" in capsys.readouterr().err
    (tmp_path / "corpus" / "debian").mkdir(parents=True)
    (tmp_path / "corpus" / "debian" / "corpus.json").write_text("{}")
    assert checkpoint.corpus_of(trained({"corpus": "debian"})) == "debian"


# ------------------------------------------------------------------------------------- tables

CI = {"mean": -12.345, "low": -13.456, "high": -11.234}
GROUP = CI | {"mixtures": 300, "worst_twentieth": -12.34, "harm": 0.12}
MEASURE = {"in": 12.34, "out": 23.45, "improvement": CI, "mixtures": 300}
LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
OPERATOR = {
    "name": LSTM,
    "version": 1,
    "count": 12,
    "macs": 1_234_567,
    "per_mac": 12.34,
    "instructions": 12_345_678.9,
    "cycles": 12_345_678.9,
    "cycles_per_mac": 12.34,
}
COUNTS = {"mean": 12_345_678.9, "worst": 23_456_789}
PARTS = {"network": COUNTS, "signal": COUNTS, "hop": COUNTS, "network_per_mac": 1.23}
LOAD = {"least": 12.34, "most": 23.45}
FUNCTIONS = {"gc_unidirectional_sequence_lstm_s8_helium_with_a_name": 12_345_678.0}
CHECK = {"used": 1_234_567, "limit": 1_048_576, "ok": False}
SYSTEM = {
    "name": "DeepFilterNet 3",
    "is_bundle": False,
    "params": 12_345_678,
    "macs_per_second": 330_764_800,
    "latency_ms": 40,
}
PARITY = {
    "bundle": "enhance-nano",
    "passes": 2,
    "hops": 1000,
    "exact": True,
    "ok": True,
    "streaming_difference": 1e-6,
    "runtimes": [
        {"name": "keras", "reference": None},
        {
            "name": "tflm_cpp_ours",
            "reference": "tflm_python",
            "equal_bytes": 0.98765,
            "max_steps": 12,
            "snr_db": 23.4,
        },
    ],
}
TABLES = {
    "evaluation": lambda: tables.show_evaluation(
        {
            "name": "build/bundles/enhance-nano",
            "runtime": "tflm",
            "corpus": "open",
            "split": "test-2026-11",
            "mixtures": 300,
            "measures": {key: MEASURE for key, _ in tables.MEASURES},
            "sisdri_db": CI,
            "worst_twentieth_db": -12.3,
            "harm": 0.12,
            "by": {"noise": {"a_noise_with_a_long_name": GROUP}},
            "worst": [],
        }
    ),
    "robustness": lambda: tables.show_robustness(
        {
            "name": "enhance-nano",
            "runtime": "tflm",
            "corpus": "open",
            "split": "test-2026-11",
            "mixtures": 40,
            "conditions": {
                "resampled by way of 44.1 kHz": {
                    "sisdr_in_db": -12.3,
                    "sisdri_db": CI,
                    "against_db": CI,
                }
            },
            "without_noise_db": CI,
            "noise_alone_db": CI,
            "silence_dbfs": None,
        }
    ),
    "baselines": lambda: tables.show_baselines(
        {
            "corpus": "open",
            "split": "test-2026-11",
            "mixtures": 200,
            "systems": [
                SYSTEM | {key: CI for key in ("sisdri_db", "sdr", "pesq", "stoi", "estoi")}
            ],
            "against": {
                "enhance-nano": {"DeepFilterNet 3": {key: CI for key in ("sisdr", "pesq", "estoi")}}
            },
        }
    ),
    "bench": lambda: tables.show_bench(
        {
            "bundle": "enhance-nano",
            "board": "cortex-m55",
            "hops": 100,
            "macs": 1_234_567,
            "estimates": {"nRF52840": {"clock_hz": 64_000_000, "load": LOAD}},
            "budget": {},
            "instructions": PARTS,
            "cycles": PARTS,
            "kinds": [OPERATOR],
            "operators": [OPERATOR | {"input": [1, 12, 192], "output": [1, 12, 192]}] * 12,
            "functions": FUNCTIONS,
            "function_cycles": FUNCTIONS,
            "flash_bytes": {"weights": 1_234_567},
            "ram_bytes": {"stack": 12_345, "total": 123_456},
        }
    ),
    "bench_host": lambda: tables.show_bench_host(
        {
            "bundle": "enhance-nano",
            "hops": 100,
            "kernels": {
                kind: {
                    "instructions": 12_345_678.0,
                    "per_mac": 12.3,
                    "microseconds": {"median": 123.4, "worst": 12_345.6},
                    "arena_bytes": {"used": 123_456, "smallest": 123_456},
                }
                for kind in ("tflm", "groupcomm")
            },
        }
    ),
    "fit": lambda: tables.show_fit(
        {
            "network": "enhance-nano",
            "run": "hop",
            "title": "Nordic nRF5340 Audio DK, application core",
            "core": "cortex-m33",
            "source": "Alif zephyr_alif ae302f80f5582xx.dtsi; not checked: reserved MRAM",
            "checks": {key: CHECK for key in ("flash_bytes", "ram_bytes", "cycles")},
            "stack_bytes": 1234,
            "latency_ms": 16,
            "instructions": 123_456,
            "cycles": {"least": 1_234_567, "most": 2_345_678},
            "load": LOAD,
            "cycles_per_instruction": None,
            "most_cycles_per_instruction": 1.4,
        }
    ),
    "all boards": lambda: tables.show_all_boards(
        {
            "network": "enhance-nano",
            "boards": [
                {
                    "board": "nrf5340_audio_dk",
                    "checks": {key: CHECK for key in ("flash_bytes", "ram_bytes")},
                    "load": LOAD,
                    "ok": False,
                }
            ],
        }
    ),
    "inspection": lambda: tables.show_inspection(
        {
            "operators": [OPERATOR],
            "graph_ops": [
                {
                    "graph": 0,
                    "name": "UNIDIRECTIONAL_SEQUENCE_LSTM",
                    "input": [12, 1, 16],
                    "output": [12, 1, 40],
                    "macs": 12_345_678,
                    "parameters": 123_456,
                    "kernel": "both",
                    "depends_on_release": True,
                }
            ],
            "macs": 12_345_678,
            "uncounted": [],
            "uncounted_parameters": [],
            "refusal": None,
            "unsupported": [],
            "arena_bytes": 123_456,
            "model": "x",
            "model_bytes": 1,
            "parameters": 1,
            "notes": [],
        }
    ),
    "parity": lambda: tables.show_parity(PARITY),
    "board": lambda: tables.show_board_parity(
        {
            "bundle": "enhance-nano",
            "port": "/dev/ttyACM0",
            "ok": False,
            "faults": {"repeated": 1, "damaged": 2, "resets": 3},
            **{
                part: {
                    "hops": 1000,
                    "equal_bytes": 0.987,
                    "first_different_hop": 123,
                    "cycles": {"mean": 123_456.7, "worst": 234_567, "load": 0.98},
                }
                for part in ("network", "sound")
            },
        }
    ),
    "drift": lambda: tables.show_drift(
        {
            "bundle": "x",
            "split": "validation",
            "int8_db": [12.345],
            "float_db": [12.345],
            "settled": 3,
            "drift_db": 0.01,
        },
        True,
    ),
    "sensitivity": lambda: tables.show_sensitivity(
        {
            "network": "enhance-nano",
            "split": "validation",
            "mixtures": 32,
            "minutes": 60,
            "all": CI,
            "places": [
                {
                    "operator": "12 FULLY_CONNECTED",
                    "what": "activation of the output",
                    "loss_db": CI,
                    "used": 0.98,
                }
            ],
        }
    ),
    "variants": lambda: tables.show_variants(
        {
            "network": "enhance-nano",
            "split": "validation",
            "mixtures": 200,
            "levels": 40,
            "variants": [
                {
                    "name": name,
                    "sisdri_db": CI,
                    "pesq": CI,
                    "estoi": CI,
                    "model_bytes": 1_234_567,
                    "arena_bytes": 123_456,
                    "instructions": {"cortex-m4": 12_345_678.0, "cortex-m55": 1_234_567.0},
                    "loss": lost
                    and {
                        "sisdr": CI,
                        "levels": {f"-{level}": CI for level in (10, 20, 30, 40, 50)},
                    },
                }
                for name, lost in (("float", False), ("ptq-percentile", True), ("int4-qat", True))
            ],
        }
    ),
    "demo": lambda: tables.show_demo(
        {
            "mixtures": [
                {
                    "name": "duet_market",
                    **dict.fromkeys(("sisdr_in_db", "sisdr_float_db", "sisdr_int8_db"), -12.34),
                }
            ],
            "parity": PARITY,
            "files": [],
        }
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_whole_at_80_columns(name, monkeypatch):
    narrow = Console(width=80, record=True, highlight=False, file=io.StringIO())
    monkeypatch.setattr(tables, "out", narrow)
    monkeypatch.setattr(tables, "line", lambda text, **style: None)  # a line may be longer
    TABLES[name]()
    said = narrow.export_text()
    assert said.strip() and "\u2026" not in said
    assert all(len(line.rstrip()) <= 80 for line in said.splitlines())
    broken = re.findall(
        r"\d,(?=  |\s*$)", said, re.MULTILINE
    )  # a number that goes on in the next line
    assert not broken, said

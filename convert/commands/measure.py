"""The commands that measure quality, instructions and memory."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from convert.commands import tables
from convert.commands.options import (
    MAX_MIXTURES,
    AnyName,
    Core,
    CorpusOption,
    Json,
    Mixtures,
    ModelName,
    RuntimeOption,
    Split,
    complete_board,
    complete_bundle,
)
from groupcomm.console import line, report, step
from groupcomm.errors import UserError
from groupcomm.files import output_folder


def evaluate(
    name: AnyName,
    split: Split = "test",
    runtime: RuntimeOption = None,
    mixtures: Mixtures = 300,
    corpus: CorpusOption = None,
    rooms: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of the mixtures in a simulated room; by default that of the split.",
        ),
    ] = None,
    worst: Annotated[
        Path | None,
        typer.Option(
            "--worst",
            callback=output_folder,
            metavar="DIR",
            help="Write the ten mixtures that improved least as WAV files.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a network on mixtures of unseen speakers and noises.

    SI-SDR, SDR, PESQ and STOI with 95 % confidence intervals, and SI-SDR improvement by SNR, room,
    noise, speaker and sex.
    """
    import groupcomm

    result = groupcomm.evaluate(
        name,
        runtime=runtime,
        split=split,
        mixtures=mixtures,
        corpus=corpus,
        rooms=rooms,
        worst=worst,
    ).to_dict()
    then = _after_scores(name, result["runtime"])
    report(result, as_json, lambda: tables.show_evaluation(result), then=then)


def robustness(
    name: AnyName,
    split: Split = "test",
    runtime: RuntimeOption = None,
    mixtures: Annotated[
        int, typer.Option(min=2, max=MAX_MIXTURES, help="Mixtures of 4 s in each condition.")
    ] = 40,
    corpus: CorpusOption = None,
    as_json: Json = False,
) -> None:
    """Score a network at high SNR, in rooms, at levels of -60 to 0 dBFS, and on altered sound.

    The same mixtures are clipped, resampled, and mixed with a DC offset, hum, infrasound, a pop and
    music. Clean speech, noise alone and silence are measured too.
    """
    from convert.run.resolve import open_separator
    from tf_model.evaluation.robustness import robustness as measure

    run, sources, runtime, corpus = open_separator(name, runtime, corpus)
    found = measure(run, split=split, sources=sources, mixtures=mixtures, corpus=corpus)
    result = {"name": name, "runtime": runtime, "corpus": corpus, **found}
    report(
        result, as_json, lambda: tables.show_robustness(result), then=_after_scores(name, runtime)
    )


def _after_scores(name: str, runtime: str) -> str:
    return (
        f"groupcomm convert {name}"
        if runtime == "keras"
        else f"groupcomm fit {name} --board nano33ble"
    )


def baselines(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BUNDLE]...",
            help="Bundles that enhance one speaker; by default all released ones.",
            autocompletion=complete_bundle,
        ),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--out",
            callback=output_folder,
            help="Folder for scores, baselines.json and baselines.png.",
        ),
    ] = Path("build/baselines"),
    split: Split = "test",
    mixtures: Mixtures = 200,
    corpus: CorpusOption = None,
    as_json: Json = False,
) -> None:
    """Compare int8 bundles with RNNoise, NSNet2, GTCRN, DTLN, DeepFilterNet and Speex.

    All process the same mixtures, so the differences are paired. A baseline whose package is not
    installed is skipped.
    """
    from convert import bundle
    from convert.measure.baselines import INSTALL, compare
    from convert.run import resolve

    names = names or [name for name in bundle.names() if bundle.load(name).sources == 1]
    corpus = corpus or resolve.corpus_of_bundle(bundle.load(names[0]))
    result = compare(names, folder, split=split, mixtures=mixtures, corpus=corpus)

    def show() -> None:
        tables.show_baselines(result)
        for other, why in result["skipped"].items():
            line(f"{other}: skipped, {why}; {INSTALL}")
        line(f"{folder / 'baselines.json'}, {folder / 'baselines.png'}")

    report(result, as_json, show, then=f"groupcomm bench {names[0]}")


def bench(
    name: ModelName,
    board: Annotated[
        Core | None, typer.Option(help="The emulated core; by default cortex-m4.")
    ] = None,
    engine: Annotated[
        Literal["static", "tflm-host"],
        typer.Option(
            help="static: plain C on an emulated core. tflm-host: TFLM's interpreter on this "
            "machine."
        ),
    ] = "static",
    portable: Annotated[
        bool,
        typer.Option("--portable", help="Kernels without DSP extension and Helium, to compare."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Count instructions and cycles per hop of a bundle by operator and function, flash and RAM.

    A .tflite is counted per invocation, without a signal path. QEMU emulates the core. The exit
    code is 1 when a budget in bundle.json is exceeded. With --engine tflm-host: instructions, time
    and arena of a bundle in TFLM with its kernels and with GroupComm's, and no budget.
    """
    from convert import bundle
    from convert.measure import bench as benches
    from convert.measure import model_bench

    if name.endswith(".tflite"):
        if engine == "tflm-host":
            raise UserError(f"--engine tflm-host needs a bundle, and {name} is a .tflite")
        board = board or "cortex-m4"
        with step(f"build and run the firmware for {board}"):
            found = model_bench.bench(Path(name), board, portable=portable)
        report(found, as_json, lambda: tables.show_model_bench(found))
        return

    if engine == "tflm-host":
        for option, given in (("--board", board), ("--portable", portable)):
            if given:
                raise UserError(
                    f"{option} is for --engine static; tflm-host runs on this machine, with both "
                    f"kinds of kernels"
                )
        with step("build and run TFLM on this machine"):
            found = benches.bench_host(bundle.load(name))
        report(found, as_json, lambda: tables.show_bench_host(found))
        return
    board = board or "cortex-m4"
    with step(f"build and run the firmware for {board}"):
        found = benches.bench(bundle.load(name), board, portable=portable)
    report(
        found,
        as_json,
        lambda: tables.show_bench(found),
        then=f"groupcomm fit {name} --board nano33ble",
    )
    if not all(b["ok"] for b in found["budget"].values()):
        raise typer.Exit(1)


Board = Annotated[
    str | None,
    typer.Option(
        "--board",
        help="Name of a board, e.g. nano33ble or nrf5340dk, or of a core at 100 MHz, e.g. "
        "cortex-m4. Without this option, a table of all boards.",
        autocompletion=complete_board,
    ),
]
Clock = Annotated[
    float | None,
    typer.Option("--clock", metavar="MHZ", min=0.1, help="Clock of a chip without a name, MHz."),
]
Flash = Annotated[
    float | None,
    typer.Option("--flash", metavar="KB", min=1, help="Its flash, in units of 1024 bytes."),
]
Ram = Annotated[
    float | None,
    typer.Option("--ram", metavar="KB", min=1, help="Its RAM, in units of 1024 bytes."),
]
AnyCore = Annotated[
    Literal["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "m4", "m7", "m33", "m55"],
    typer.Option("--core", help="Its core."),
]
Cycles = Annotated[
    float | None,
    typer.Option(
        "--cycles-per-instruction",
        min=0.5,
        max=10,
        help="An assumption of your own; by default the model of the core and its flash.",
    ),
]


def fit(
    name: ModelName,
    board: Board = None,
    clock: Clock = None,
    flash: Flash = None,
    ram: Ram = None,
    core: AnyCore = "cortex-m4",
    period: Annotated[
        float | None,
        typer.Option(
            "--period", metavar="MS", min=0.01, help="Of a .tflite: time between invocations, ms."
        ),
    ] = None,
    cycles: Cycles = None,
    as_json: Json = False,
) -> None:
    """Estimate whether a bundle or a .tflite fits a board and runs there in real time.

    Name a --board, or give --clock, --flash and --ram of a chip. The exit code is 1 when it does
    not fit. With neither, it lists all boards.
    """
    from convert import boards
    from convert.measure.fit import fit as estimate
    from convert.measure.fit import fit_all

    chip = {"--clock": clock, "--flash": flash, "--ram": ram}
    given = [option for option, value in chip.items() if value is not None]
    missing = [option for option, value in chip.items() if value is None]
    if board is not None and given:
        raise UserError(
            f"--board {board} with {given[0]}: a board has its own; leave one of the two out"
        )
    if given and missing:
        raise UserError(
            f"fit: needs --board, or --clock, --flash and --ram; missing: {', '.join(missing)}"
        )
    if board is not None:
        boards.find(board)
    network, label = _network(name, period)
    with step(f"build and run the firmware of {label}"):
        if board is None and not given:
            every = fit_all(network, cycles_per_instruction=cycles)
            result = {"network": label, "boards": every}
            report(result, as_json, lambda: tables.show_all_boards(result))
            return
        target = board or boards.custom(f"cortex-{core.removeprefix('cortex-')}", clock, flash, ram)
        found = estimate(network, target, cycles_per_instruction=cycles)
    then = f"groupcomm package arduino {name} --out build/arduino/{label}"
    report(
        found,
        as_json,
        lambda: tables.show_fit(found),
        then=then if found["ok"] and period is None else "",
    )
    if not found["ok"]:
        raise typer.Exit(1)


def _network(name: str, period_ms: float | None):
    """Open what `fit` estimates; return it and its display name."""
    from convert import bundle
    from convert.measure.fit import Model

    if name.endswith(".tflite"):
        if period_ms is None:
            raise UserError(f"{name}: give --period MS, the time from one invocation to the next")
        return Model(Path(name), period_ms), Path(name).name
    if period_ms is not None:
        raise UserError(f"--period is for a .tflite; {name} runs once per hop")
    opened = bundle.load(name)
    return opened, opened.name

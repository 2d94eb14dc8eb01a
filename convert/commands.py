"""Verbs of the conversion room."""

import functools
from pathlib import Path
from typing import Annotated, Literal

import typer

from groupcomm.console import err, out, print_json
from groupcomm.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BundleName = Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's name (`groupcomm list`) or folder.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A bundle's name or folder (for keras: a trained network's).")]
Split = Annotated[
    Literal["validation", "test", "test-2026-11"],
    typer.Option(help="Which speakers and noises; test-2026-11: those of the test before November 2026, with its mixtures."),
]
RuntimeOption = Annotated[Literal["tflm", "keras"], typer.Option("--runtime", help="tflm: int8 in the official TFLM; keras: float32.")]
CorpusOption = Annotated[str, typer.Option("--corpus", help="Name of the corpus that `groupcomm data` built.")]
CheckpointOption = Annotated[
    str | None, typer.Option("--checkpoint", help="The network that the bundle was made from; the committed one of its name unless told.")
]


def register(app: typer.Typer) -> None:
    """Add this room's verbs to the front door."""
    app.command(name="list")(list_names)
    for verb in (
        convert,
        qat,
        sensitivity,
        drift,
        variants,
        compile,
        bench,
        fit,
        package,
        inspect,
        parity,
        process,
        evaluate,
        robustness,
        baselines,
        demo,
    ):
        app.command()(verb)


def list_names(json: Json = False) -> None:
    """Networks, trained checkpoints and bundles that go by a name."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import bundle
    from tf_model import checkpoint, networks

    found = {"networks": list(networks.NETWORKS), "checkpoints": checkpoint.names(), "bundles": bundle.names()}
    if json:
        print_json(found)
        return
    for kind, names in found.items():
        out.print(f"{kind:>12}  {', '.join(names) or '-'}")


def convert(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="A trained network's name (`groupcomm list`) or its folder.")],
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the bundle, build/bundles/NAME unless told; with --float the file, build/float/NAME.tflite."),
    ] = None,
    method: Annotated[
        Literal["min-max", "percentile", "error"] | None,
        typer.Option(
            "--ranges", help="Of activations: all that was seen (for 16 bits unless told), all but 0.01 % (for 8), the smallest error."
        ),
    ] = None,
    activations: Annotated[Literal["8", "16"], typer.Option(help="Bits of activations; 16 is 16x8, int8 weights all the same.")] = "8",
    weights: Annotated[
        Literal["8", "4"] | None,
        typer.Option(
            help="Bits of a FULLY_CONNECTED's weights, as trained or 8 unless told; an LSTM's have 8. 4: an experiment, for TFLM alone."
        ),
    ] = None,
    in_float: Annotated[
        bool, typer.Option("--float", help="One float32 .tflite and no bundle; also of an untrained network, with random weights.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(min=0.001, max=600, help="With --float: length of the mixture, for a network that hears all of it at once."),
    ] = 4.0,
    json: Json = False,
) -> None:
    """Quantize a trained network to int8 or 16x8 and write its bundle; or, with --float, write a float32 .tflite."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import bundle
    from tf_model import checkpoint

    if in_float:
        _convert_float(name, folder, seconds, json)
        return
    trained = checkpoint.load(name)
    folder = folder or Path("build") / "bundles" / trained.name
    with err.status(f"quantize {trained.name}"):
        written = bundle.write(trained, folder, method=method, activations=int(activations), weights=int(weights) if weights else None)
    d = written.description
    if json:
        print_json({"bundle": str(folder), "model_bytes": d["model"]["bytes"], "arena_bytes": d["arena_bytes"], **d["quantization"]})
        return
    out.print(f"{folder}: model {d['model']['bytes']:,} bytes, arena {d['arena_bytes']:,} bytes", soft_wrap=True)


def qat(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="A trained network's name (`groupcomm list`) or its folder.")],
    folder: Annotated[Path | None, typer.Option("--out", help="The run's folder; build/qat/NAME unless told.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Mixtures a step.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="Length of a training mixture, s.")] = 2.5,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of Adam's learning rate, of weights and of ranges.")] = 2e-4,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the mixtures.")] = 2,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations and saved states.")] = 100,
    patience: Annotated[int, typer.Option(min=1, help="Validations without a better score before stopping.")] = 12,
    method: Annotated[
        Literal["min-max", "percentile", "error"], typer.Option("--ranges", help="Of activations, to begin with: as for `convert`.")
    ] = "percentile",
    weights: Annotated[
        Literal["8", "4"], typer.Option(help="Bits of a FULLY_CONNECTED's weights; an LSTM's have 8. 4: an experiment, for TFLM alone.")
    ] = "8",
    json: Json = False,
) -> None:
    """Train a trained network on in the arithmetic of int8; `groupcomm convert` then takes its ranges. Goes on where it was stopped."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import integer, quantize
    from convert import qat as aware
    from tf_model import checkpoint
    from tf_model import train as training

    trained = checkpoint.load(name)
    folder = folder or Path("build") / "qat" / (trained.name if weights == "8" else f"{trained.name}-int4")
    before = trained.training.get("recipe", {})
    recipe = training.Recipe(
        steps=steps, batch=batch, seconds=seconds, learning_rate=learning_rate, seed=seed, validate_every=validate_every,
        patience=patience, start=name, ranges=method, weights=int(weights),
        **{k: before[k] for k in ("corpus", "objective", "rooms", "noise") if k in before},
    )  # fmt: skip
    model, _, observed = quantize.observe(trained)
    ranges = integer.choose_ranges(model, observed, method, wide=False)
    around = functools.partial(aware.FakeQuantized, trained.name, net=trained.net, ranges=ranges, weights=int(weights))
    result = training.train(trained.name, trained.net, recipe, folder, around=around)
    if json:
        print_json(result)
        return
    best = f"best at step {result['best_step']}: {result['sisdri_db']:.2f} dB as int8 will have it"
    err.print(f"{best}; make its bundle with `groupcomm convert {result['checkpoint']}`", soft_wrap=True)


def sensitivity(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="A trained network's name (`groupcomm list`) or its folder.")],
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for sensitivity.json and sensitivity.png; build/sensitivity/NAME unless told.")
    ] = None,
    method: Annotated[
        Literal["min-max", "percentile", "error"] | None,
        typer.Option("--ranges", help="Of activations, as for `convert`; those that were trained, or percentile, unless told."),
    ] = None,
    split: Split = "validation",
    mixtures: Annotated[int, typer.Option(min=2, help="How many mixtures of 4 s.")] = 32,
    minutes: Annotated[
        int, typer.Option(min=1, help="Of sound, in streams of 30 s, that shows how much of its range each place uses.")
    ] = 60,
    corpus: CorpusOption = "debian",
    json: Json = False,
) -> None:
    """Round one operator, state or activation to integers at a time: the SI-SDR that each costs, and how much of its range it uses."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import sensitivity as places
    from tf_model import checkpoint

    trained = checkpoint.load(name)
    folder = folder or Path("build") / "sensitivity" / trained.name
    if method is None and "ranges" not in trained.training:
        method = "percentile"
    found = places.sensitivity(trained, folder, method=method, split=split, mixtures=mixtures, minutes=minutes, corpus=corpus)
    if json:
        print_json(found)
        return
    from rich.table import Table

    title = "{network}, {split}, {mixtures} mixtures; ranges over {minutes} minutes".format(**found)
    table = Table("rounded alone", "what", "SI-SDR lost, dB, 95 %", "range in use", title=title)
    for column in table.columns[2:]:
        column.justify = "right"
    for place in found["places"]:
        used = "-" if place["used"] is None else f"{100 * place['used']:.0f} %"
        table.add_row(place["operator"], place["what"], interval(place["loss_db"], 3), used)
    table.add_section()
    table.add_row("everywhere", "", interval(found["all"], 3), "")
    out.print(table)
    out.print(f"{folder / 'sensitivity.json'}, {folder / 'sensitivity.png'}", soft_wrap=True)


def drift(
    name: BundleName,
    checkpoint_name: CheckpointOption = None,
    minutes: Annotated[int, typer.Option(min=3, help="Of one continuous stream: the same minute again and again.")] = 30,
    split: Split = "validation",
    corpus: CorpusOption = "debian",
    json: Json = False,
) -> None:
    """SI-SDR of int8 and of float minute by minute in one long stream. Exit code 1 when the last is 0.05 dB off the second."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import bundle
    from convert import sensitivity as places
    from tf_model import checkpoint

    opened = bundle.load(name)
    found = places.drift(opened, checkpoint.load(checkpoint_name or opened.name), minutes=minutes, split=split, corpus=corpus)
    if json:
        print_json(found)
    else:
        from rich.table import Table

        table = Table("minute", "int8", "float", "float - int8", title="{bundle}, {split}: SI-SDR improvement, dB".format(**found))
        for column in table.columns:
            column.justify = "right"
        for minute, (ours, exact) in enumerate(zip(found["int8_db"], found["float_db"], strict=True), 1):
            table.add_row(str(minute), f"{ours:.3f}", f"{exact:.3f}", f"{exact - ours:+.3f}")
        out.print(table)
        settled = (
            f"from minute {found['settled']} on the masks are equal in every byte" if found["settled"] else "no two last minutes are equal"
        )
        style = "green" if abs(found["drift_db"]) <= places.DRIFT else "red"
        out.print(f"last minute less the second: {found['drift_db']:+.3f} dB; {settled}", style=style, soft_wrap=True)
    if abs(found["drift_db"]) > places.DRIFT:
        raise typer.Exit(1)


def variants(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="A trained network's name (`groupcomm list`) or its folder.")],
    aware: Annotated[
        list[str] | None,
        typer.Option("--qat", help="The same network after `groupcomm qat`, with --weights 4 too: its folder. Repeatable."),
    ] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="For bundles, scores, plot; build/variants/NAME unless told.")] = None,
    split: Split = "validation",
    mixtures: Annotated[int, typer.Option(min=2, help="How many mixtures of 4 s.")] = 200,
    levels: Annotated[int, typer.Option(min=0, help="Mixtures at each level of -10 to -50 dBFS.")] = 40,
    corpus: CorpusOption = "debian",
    json: Json = False,
) -> None:
    """Float, int8 by each way to find ranges, after `qat`, 16x8, int4 weights: quality with paired losses, bytes, instructions."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import variants as arithmetics
    from tf_model import checkpoint

    trained, after = checkpoint.load(name), [checkpoint.load(one) for one in aware or ()]
    folder = folder or Path("build") / "variants" / trained.name
    found = arithmetics.compare(trained, after, folder, split=split, mixtures=mixtures, levels=levels, corpus=corpus)
    if json:
        print_json(found)
        return
    from rich.table import Table

    title = "{network}, {split}, {mixtures} mixtures; lost: float less this one, paired, 95 %".format(**found)
    table = Table("", "SI-SDRi, dB", "PESQ", "eSTOI", "SI-SDR lost, dB", title=title)
    costs = Table("", "model", "arena", *arithmetics.BOARDS, title="bytes; instructions a hop")
    at = Table("dBFS", *(row["name"] for row in found["variants"][1:]), title=f"SI-SDR lost, dB, {levels} mixtures at each level")
    for row in found["variants"]:
        means = (f"{row['sisdri_db']['mean']:.2f}", f"{row['pesq']['mean']:.3f}", f"{row['estoi']['mean']:.3f}")
        table.add_row(row["name"], *means, interval(row["lost"]["sisdr"], 3) if row["lost"] else "-")
        if row["lost"]:
            counts = (row["model_bytes"], row["arena_bytes"], *(row["instructions"].get(board) for board in arithmetics.BOARDS))
            costs.add_row(row["name"], *("-" if n is None else f"{n:,.0f}" for n in counts))
    for level in arithmetics.LEVELS if levels else ():
        lost = (row["lost"]["levels"][f"{level:g}"] for row in found["variants"][1:])
        at.add_row(f"{level:g}", *(f"{one['mean']:+.3f}" for one in lost))
    for one in (table, costs, at) if levels else (table, costs):
        for column in one.columns[1:]:
            column.justify = "right"
        out.print(one)
    out.print(f"{folder / 'variants.json'}, {folder / 'variants.png'}", soft_wrap=True)


def _convert_float(name: str, file: Path | None, seconds: float, json: bool) -> None:
    from convert import quantize
    from groupcomm.files import atomic_path
    from tf_model import checkpoint, networks

    untrained = name in networks.NETWORKS and name not in checkpoint.names()
    network = checkpoint.untrained(name) if untrained else checkpoint.load(name)
    file = file or Path("build") / "float" / f"{network.name}.tflite"
    with err.status(f"convert {network.name}"):
        content = quantize.to_float(network, seconds=seconds)
    with atomic_path(file) as part:
        part.write_bytes(content)
    if json:
        print_json({"model": str(file), "model_bytes": len(content), "trained": not untrained})
        return
    weights = "untrained, random weights: to inspect, not to listen to" if untrained else f"weights of {network.weights}"
    out.print(f"{file}: {len(content):,} bytes; {weights}", soft_wrap=True)


def compile(
    name: BundleName,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for NAME.c and NAME.h; build/static/NAME unless told.")] = None,
    json: Json = False,
) -> None:
    """Write a bundle as plain C for the kernels in micro/kernels: no interpreter, the same bits."""
    from convert import bundle, compilation

    opened = bundle.load(name)
    written = compilation.compile_bundle(opened, folder or Path("build") / "static" / opened.name)
    if json:
        print_json(written)
        return
    sizes = "{weight_bytes:,} bytes of weights, {state_bytes:,} of state, {arena_bytes:,} of activations (side by side {unplanned_bytes:,})"
    out.print(sizes.format(**written), soft_wrap=True)
    for file in written["files"]:
        out.print(file, soft_wrap=True)


def bench(
    name: BundleName,
    board: Annotated[
        Literal["cortex-m4", "cortex-m33", "cortex-m55"] | None, typer.Option(help="The core, emulated by QEMU; cortex-m4 unless told.")
    ] = None,
    engine: Annotated[
        Literal["static", "tflm-host"], typer.Option(help="static: plain C on a board. tflm-host: TFLM's interpreter on this machine.")
    ] = "static",
    portable: Annotated[bool, typer.Option("--portable", help="Kernels without DSP extension and Helium, to compare.")] = False,
    json: Json = False,
) -> None:
    """Instructions a hop by operator and function, flash and RAM of a bundle's firmware. Exit code 1 when it is over a budget in
    bundle.json. With --engine tflm-host: instructions, time and arena in TFLM, with its kernels and with ours; no budget."""
    from convert import bench as benches
    from convert import bundle

    if engine == "tflm-host":
        for option, given in (("--board", board), ("--portable", portable)):
            if given:
                raise UserError(f"{option} is for --engine static; tflm-host runs on this machine, with both kinds of kernels")
        with err.status("build and run TFLM on this machine"):
            found = benches.bench_host(bundle.load(name))
        if json:
            print_json(found)
        else:
            _print_bench_host(found)
        return
    board = board or "cortex-m4"
    with err.status(f"build and run the firmware for {board}"):
        found = benches.bench(bundle.load(name), board, portable=portable)
    if json:
        print_json(found)
    else:
        _print_bench(found)
    if not all(b["ok"] for b in found["budget"].values()):
        raise typer.Exit(1)


def fit(
    name: BundleName,
    board: Annotated[
        str, typer.Option("--board", help="nano33ble, nrf52840dk, nrf5340dk, nrf5340_audio_dk, or cortex-m4, cortex-m33, cortex-m55.")
    ],
    cycles: Annotated[
        float | None, typer.Option("--cycles-per-instruction", min=0.5, max=10, help="Assumed, 1.5 unless told: QEMU counts instructions.")
    ] = None,
    json: Json = False,
) -> None:
    """Whether a bundle fits a board and keeps up there: flash, RAM, stack, load, latency. Exit code 1 when it does not."""
    from convert import bundle
    from convert import fit as fits

    opened = bundle.load(name)
    with err.status(f"build and run the firmware of {opened.name}"):
        found = fits.fit(opened, board, **({"cycles_per_instruction": cycles} if cycles else {}))
    if json:
        print_json(found)
    else:
        _print_fit(found)
    if not found["ok"]:
        raise typer.Exit(1)


def _print_fit(found: dict) -> None:
    from rich.table import Table

    table = Table("", "takes", "of", "", title="{bundle} on {title} ({core})".format(**found))
    for column in table.columns[1:]:
        column.justify = "right"
    for key, label in (("flash_bytes", "flash, bytes"), ("ram_bytes", "RAM, bytes"), ("cycles", "cycles a hop")):
        c = found["checks"][key]
        table.add_row(
            label, f"{c['used']:,}", f"{c['limit']:,}", f"{100 * c['used'] / c['limit']:.1f} %", style="green" if c["ok"] else "red"
        )
    out.print(table)
    most = found["most_cycles_per_instruction"]
    out.print(
        f"stack, of the RAM: {found['stack_bytes']:,} bytes; latency {found['latency_ms']:g} ms; {found['instructions']:,} instructions "
        f"a hop, at {found['cycles_per_instruction']:g} cycles each: an assumption; it keeps up to {most:.2f}", soft_wrap=True,
    )  # fmt: skip
    for key, what in (("flash_bytes", "bytes of flash"), ("ram_bytes", "bytes of RAM"), ("cycles", "cycles a hop")):
        c = found["checks"][key]
        if not c["ok"]:
            out.print(f"does not fit: {c['used'] - c['limit']:,} {what} too many; take a smaller network or a larger board",
                      style="red", soft_wrap=True)  # fmt: skip


def package(
    kind: Annotated[
        Literal["arduino", "zephyr"],
        typer.Argument(help="arduino: a library for the Arduino IDE; zephyr: a module with an application for Nordic's boards."),
    ],
    name: BundleName,
    folder: Annotated[Path, typer.Option("--out", help="Folder of the package.")],
    engine: Annotated[
        Literal["static", "tflm"] | None,
        typer.Option(help="Of an Arduino library: static unless told, or TFLM's interpreter. A Zephyr module has both (Kconfig)."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a bundle as a package for a board's own tools: network, kernels, stream and FFT as plain C and C++, with applications."""
    from convert import bundle
    from convert import package as packages

    if kind == "zephyr" and engine is not None:
        raise UserError(f"--engine {engine}: a Zephyr module has both engines; choose there by CONFIG_GROUPCOMM_ENGINE_TFLM")
    opened = bundle.load(name)
    with err.status(f"write {opened.name} for {kind}"):
        files = packages.zephyr(opened, folder) if kind == "zephyr" else packages.arduino(opened, folder, engine=engine or "static")
    if json:
        print_json({"bundle": opened.name, "folder": str(folder), "files": files})
        return
    then = {
        "arduino": "in the Arduino IDE: Sketch, Include Library, Add .ZIP Library, or copy it to libraries/",
        "zephyr": f"west build -b nrf5340dk/nrf5340/cpuapp {folder / 'app'}; {folder / 'README.md'} says more",
    }
    out.print(f"{folder}: {len(files)} files; {then[kind]}", soft_wrap=True)


def _print_bench_host(found: dict) -> None:
    from rich.table import Table

    table = Table("TFLM on this machine", "its kernels", "ours", title=f"{found['bundle']}, {found['hops']} hops of real sound")
    kernels = [found["kernels"][kind] for kind in ("library", "ours")]
    for column in table.columns[1:]:
        column.justify = "right"
    counts = ["-" if k["instructions"] is None else f"{k['instructions']:,.0f}" for k in kernels]
    table.add_row("instructions a hop", *counts)
    table.add_row("for each MAC", *("-" if k["per_mac"] is None else f"{k['per_mac']:.2f}" for k in kernels))
    for label, key in (("microseconds a hop, median", "median"), ("microseconds a hop, worst", "worst")):
        table.add_row(label, *(f"{k['microseconds'][key]:,.0f}" for k in kernels))
    for label, key in (("arena in use, bytes", "used"), ("smallest arena, bytes", "smallest")):
        table.add_row(label, *(f"{k['arena_bytes'][key]:,}" for k in kernels))
    out.print(table)
    if "-" in counts:
        out.print("instructions are counted by valgrind, which is not installed: apt-get install valgrind", soft_wrap=True)


def _print_bench(found: dict) -> None:
    from rich.table import Table

    i = found["instructions"]
    table = Table("instructions a hop", "mean", "worst", title=f"{found['bundle']} on {found['board']}, {found['hops']} hops of real sound")
    for label, key in (("network", "network"), ("STFT, masks, inverse", "signal"), ("all", "hop")):
        table.add_row(label, f"{i[key]['mean']:,.0f}", f"{i[key]['worst']:,}")
    kinds = Table("kind of operator", "count", "MACs", "instructions a hop", "a MAC", "share")
    operators = Table("operator", "shapes", "MACs", "instructions", "a MAC")
    for o in found["kinds"]:
        share = f"{100 * o['instructions'] / i['hop']['mean']:.1f} %"
        kinds.add_row(_short(o["name"]), str(o["count"]), *_operator_cost(o), share)
    for number, o in enumerate(found["operators"]):
        if o["instructions"]:
            shapes = " to ".join("x".join(map(str, o[key])) for key in ("input", "output"))
            operators.add_row(f"{number} {_short(o['name'])}", shapes, *_operator_cost(o))
    functions = Table("function", "instructions a hop", "share")
    for function, count in found["functions"].items():
        if count >= 0.001 * i["hop"]["mean"]:
            functions.add_row(function, f"{count:,.0f}", f"{100 * count / i['hop']['mean']:.1f} %")
    memory = Table("flash", "bytes", "RAM", "bytes ")
    rows = [(k, v) for k, v in found["flash_bytes"].items()]
    rows += [("", None)] * (len(found["ram_bytes"]) - len(rows))
    for (flash, size), (ram, used) in zip(rows, found["ram_bytes"].items(), strict=True):
        memory.add_row(flash, f"{size:,}" if size is not None else "", ram, f"{used:,}")
    for t in (table, kinds, operators, functions, memory):
        for column in t.columns[1:]:
            column.justify = "right"
        out.print(t)
    out.print(f"network: {i['network_per_mac']:.2f} instructions for each of its {found['macs']:,} MACs", soft_wrap=True)
    for part, e in found["estimates"].items():
        out.print(f"{part} at {e['clock_hz'] / 1e6:.0f} MHz, an estimate: {100 * e['load']:.0f} % of a hop's time, if an instruction takes "
                  f"{e['cycles_per_instruction']} cycles", soft_wrap=True)  # fmt: skip
    for key, b in found["budget"].items():
        out.print(f"budget, {key}: {b['used']:,} of {b['limit']:,}", style="green" if b["ok"] else "red", soft_wrap=True)


def _short(operator: str) -> str:
    return operator.removeprefix("UNIDIRECTIONAL_SEQUENCE_")  # half a terminal's width


def _operator_cost(o: dict) -> tuple[str, str, str]:
    """Cells of a row: MACs, instructions, instructions for each MAC."""
    if not o["macs"]:
        return "-", f"{o['instructions']:,.0f}", "-"
    return f"{o['macs']:,}", f"{o['instructions']:,.0f}", f"{o['per_mac']:.2f}"


def inspect(
    name: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's name or folder, or a .tflite file.")],
    json: Json = False,
) -> None:
    """Operators, multiply-accumulates, parameters, memory, and what TFLM lacks. Exit code 1 when it lacks something."""
    from convert import inspection

    found = inspection.inspect(name)
    if json:
        print_json(found)
    else:
        from rich.table import Table

        table = Table("operator", "version", "count", "MACs", "share")
        for column in table.columns[1:]:
            column.justify = "right"
        for o in found["operators"]:
            share = f"{100 * o['macs'] / found['macs']:.1f} %" if o["macs"] else "-"
            table.add_row(o["name"], str(o["version"]), str(o["count"]), f"{o['macs']:,}" if o["macs"] else "-", share)
        out.print(table)
        refused = "unknown" if found["unsupported"] else "more than 16 MiB"
        arena = refused if found["arena_bytes"] is None else f"{found['arena_bytes']:,} bytes"
        out.print(f"{found['model']}: {found['model_bytes']:,} bytes, {found['parameters']:,} parameters, "
                  f"{found['macs']:,} MACs an invocation, arena of TFLM on this machine {arena}", soft_wrap=True)  # fmt: skip
        for o in found["unsupported"]:
            lacks = f"refuses {o['name']} here ({o['reason']})" if o["reason"] else f"lacks {o['name']}"
            out.print(f"TFLM {lacks}: {o['way_out']}", style="red", soft_wrap=True)
        for note in found["notes"]:
            out.print(f"note: {note}", soft_wrap=True)
    if found["unsupported"]:
        raise typer.Exit(1)


def parity(
    name: BundleName,
    checkpoint_name: CheckpointOption = None,
    hops: Annotated[int, typer.Option(min=1, help="Hops of real sound in a pass; there are two, with a reset between.")] = 1000,
    port: Annotated[str | None, typer.Option("--port", help="Hold a board on this serial port against TFLM: /dev/ttyACM0, COM3.")] = None,
    baud: Annotated[int, typer.Option(min=1, help="With --port: bits a second, for a UART; USB takes any.")] = 115200,
    json: Json = False,
) -> None:
    """Hold every runtime against its reference on the same real sound. Exit code 1 when TFLM's bytes are not all equal."""
    if port is not None:
        _parity_on_board(name, port, baud, hops, json)
        return
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import bundle
    from convert import parity as proof
    from tf_model import checkpoint

    opened = bundle.load(name)
    result = proof.parity(opened, checkpoint.load(checkpoint_name or opened.name), hops=hops)
    if json:
        print_json(result)
    else:
        print_parity(result)
    if not result["ok"]:
        raise typer.Exit(1)


def _parity_on_board(name: str, port: str, baud: int, hops: int, json: bool) -> None:
    from convert import bundle, serial_parity

    opened = bundle.load(name)
    with serial_parity.open_port(port, baud) as line:
        result = serial_parity.parity(opened, line, hops=hops)
    if json:
        print_json(result)
    else:
        from rich.table import Table

        table = Table("on the board", "hops", "equal", "cycles, mean", "worst", "load", title="{bundle} on {port}".format(**result))
        for column in table.columns[1:]:
            column.justify = "right"
        for label, found in (("network", result["network"]), ("PCM to PCM", result["sound"])):
            equal = (
                "all" if found["equal_bytes"] == 1 else f"{100 * found['equal_bytes']:.3f} %, from hop {found['first_different_hop']} on"
            )
            c = found["cycles"]
            cycles = (f"{c['mean']:,.0f}", f"{c['worst']:,}", f"{100 * c['load']:.1f} %") if c else ("-", "-", "-")
            table.add_row(label, str(found["hops"]), equal, *cycles)
        out.print(table)
        words = "requests sent again {repeated}, damaged answers {damaged}, resets of the board {resets}".format(**result["faults"])
        verdict = "the board computes the same bytes" if result["ok"] else "the board's bytes are NOT this machine's"
        out.print(f"{verdict}; {words}", style="green" if result["ok"] else "red", soft_wrap=True)
    if not result["ok"]:
        raise typer.Exit(1)


def print_parity(result: dict) -> None:
    """The table for people."""
    from rich.table import Table

    title = f"{result['bundle']}: {result['passes']} passes of {result['hops']} hops of real sound, a reset between"
    table = Table("runtime", "held against", "equal", "steps off", "SNR, dB", title=title, caption="SNR: against the float network")
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    for r in result["runtimes"]:
        if r["reference"] is None:
            table.add_row(r["name"], "-", "-", "-", "-")
            continue
        equal = "all" if r["equal_bytes"] == 1 else f"{100 * r['equal_bytes']:.3f} %"
        snr = "-" if r["snr_db"] is None else f"{r['snr_db']:.1f}"
        table.add_row(r["name"], r["reference"], equal, f"{r['max_steps']:.3g}", snr)
    out.print(table)
    style = "green" if result["ok"] else "red"
    words = "equal in every byte" if result["exact"] else "NOT equal"
    out.print(
        f"TFLM in C++ and in Python, plain C and the simulation: {words}; "
        f"Keras streaming within {result['streaming_difference']:.1e} of sequence",
        style=style, soft_wrap=True,
    )  # fmt: skip


def process(
    wav: Annotated[Path, typer.Argument(help="A sound file; other than 16 kHz mono 16-bit is converted.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the WAVs.")],
    name: Annotated[str, typer.Option("--bundle", help="A bundle's name or folder.")] = "enhance",
    plot: Annotated[Path | None, typer.Option(help="Draw the spectrograms of input and output into this PNG.")] = None,
    json: Json = False,
) -> None:
    """Run a sound file through the int8 network in TFLM (C++), hop by hop."""
    from convert import separation

    result = separation.separate(wav, name, folder, plot)
    if json:
        print_json(result)
        return
    for words in result["conversions"]:
        out.print(f"{wav}: {words}", soft_wrap=True)
    for path in result["outputs"] + ([str(plot)] if plot else []):
        out.print(path, soft_wrap=True)


def evaluate(
    name: Name,
    split: Split = "test",
    runtime: RuntimeOption = "tflm",
    mixtures: Annotated[int, typer.Option(min=2, help="How many mixtures of 4 s.")] = 300,
    corpus: CorpusOption = "debian",
    rooms: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Part of the mixtures that are in a simulated room; as the split's mixtures have unless told."),
    ] = None,
    worst: Annotated[Path | None, typer.Option("--worst", help="Folder for WAVs of the five mixtures that gained least.")] = None,
    json: Json = False,
) -> None:
    """SI-SDR, SDR, PESQ and STOI over unseen speakers and unseen noises, with 95 % intervals, and by SNR, room, noise, speaker and sex."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model import evaluate as evaluation

    run, sources = _separator(name, runtime)
    scores = evaluation.evaluate(run, split=split, sources=sources, mixtures=mixtures, corpus=corpus, rooms=rooms)
    result = {"name": name, "runtime": runtime, "corpus": corpus, **scores}
    if worst:
        which = {"split": split, "sources": sources, "corpus": corpus, "rooms": rooms}
        result["files"] = evaluation.write_worst(run, result["worst"], worst, **which)
    if json:
        print_json(result)
        return
    print_evaluation(result)


def _separator(name: str, runtime: str):
    """A separator (see `convert.separator`) and its sources: of a bundle in TFLM, or of a trained network in Keras."""
    from convert import bundle, runtimes, separator
    from tf_model import checkpoint

    if runtime == "keras":
        trained = checkpoint.load(name)
        return separator.from_keras(trained), trained.net.sources
    opened = bundle.load(name)
    return separator.from_runtime(opened, runtimes.Tflm(opened.model)), opened.sources


def interval(found: dict, digits: int = 2) -> str:
    """A mean and its 95 %."""
    return f"{found['mean']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def print_evaluation(result: dict) -> None:
    """Print what `groupcomm evaluate` found, as tables."""
    from rich.table import Table

    table = Table("", "in", "out", "better, 95 %", title="{name} by {runtime}, {split}, {mixtures} mixtures".format(**result))
    for measure, label in (("sisdr", "SI-SDR, dB"), ("sdr", "SDR, dB"), ("pesq", "PESQ-WB"), ("stoi", "STOI"), ("estoi", "eSTOI")):
        found = result["measures"][measure]
        if found["mixtures"] == 0:
            table.add_row(label, "-", "-", "found in no mixture")
            continue
        digits = 3 if "stoi" in measure else 2
        table.add_row(label, *(f"{found[key]:.{digits}f}" for key in ("in", "out")), interval(found["better"], digits))
    title = "by SNR, room, disturbance, noise, speaker and sex"
    groups = Table("", "mixtures", "SI-SDR better by, dB, 95 %", "worst twentieth, dB", "harmed", title=title)
    everything = {"mixtures": result["mixtures"], **result["sisdri_db"]}
    everything |= {"worst_twentieth": result["worst_twentieth_db"], "harm": result["harm"]}
    for kind in ({"all": everything}, *result["by"].values()):
        for group, found in kind.items():
            spread = (f"{found['worst_twentieth']:.2f}", f"{100 * found['harm']:.0f} %")
            groups.add_row(group, str(found["mixtures"]), interval(found), *spread)
        groups.add_section()
    for one in (table, groups):
        for column in one.columns[1:]:
            column.justify = "right"
        out.print(one)
    for one in result["worst"]:
        speakers, noises = ", ".join(one["speakers"]), ", ".join(one["categories"]) or "no noise"
        snr = "" if one["snr_db"] is None else f" at {one['snr_db']:.1f} dB"
        out.print(f"worst: mixture {one['index']}, {one['sisdri_db']:+.2f} dB: {speakers} in {noises}{snr}", soft_wrap=True)
    for path in result.get("files", []):
        out.print(path, soft_wrap=True)


def robustness(
    name: Name,
    split: Split = "test",
    runtime: RuntimeOption = "tflm",
    mixtures: Annotated[int, typer.Option(min=2, help="Mixtures of 4 s of each condition.")] = 40,
    corpus: CorpusOption = "debian",
    json: Json = False,
) -> None:
    """SI-SDR at good SNR, in rooms, at levels of -60 to 0 dBFS, clipped, resampled, with an offset, hum, infrasound, a pop, in music.

    Each row is the same mixtures, altered. Also what becomes of clean speech, of noise alone, and of silence.
    """
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model import robustness as conditions

    run, sources = _separator(name, runtime)
    found = conditions.robustness(run, split=split, sources=sources, mixtures=mixtures, corpus=corpus)
    result = {"name": name, "runtime": runtime, "corpus": corpus, **found}
    if json:
        print_json(result)
        return
    from rich import box
    from rich.table import Table

    title = "{name} by {runtime}, {split}, {mixtures} mixtures of each, SI-SDR in dB, 95 %".format(**result)
    table = Table("", "in", "better", "change in output", title=title, box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for condition, scores in result["conditions"].items():
        table.add_row(condition, f"{scores['sisdr_in_db']:.2f}", interval(scores["sisdri_db"]), interval(scores["against_db"]))
    for column in table.columns[1:]:
        column.justify = "right"
    out.print(table)
    out.print(f"without noise: SI-SDR {interval(result['without_noise_db'])} dB", soft_wrap=True)
    out.print(f"noise alone becomes softer by {interval(result['noise_alone_db'])} dB", soft_wrap=True)
    silence = result["silence_dbfs"]
    out.print("silence stays silence" if silence is None else f"silence: the largest sample is {silence:.1f} dBFS", soft_wrap=True)


def baselines(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[BUNDLE]...", help="Enhancement bundles; all that are committed unless told.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for scores, baselines.json and baselines.png.")] = Path("build/baselines"),
    split: Split = "test",
    mixtures: Annotated[int, typer.Option(min=2, help="How many mixtures of 4 s.")] = 200,
    corpus: CorpusOption = "debian",
    json: Json = False,
) -> None:
    """Enhancers of others (RNNoise, GTCRN, DTLN ...) and our int8 bundles on the same mixtures, with paired differences."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert import baselines as others
    from convert import bundle

    names = names or [name for name in bundle.names() if bundle.load(name).sources == 1]
    result = others.compare(names, folder, split=split, mixtures=mixtures, corpus=corpus)
    if json:
        print_json(result)
        return
    from rich.table import Table

    table = Table(
        "",
        "parameters",
        "MMAC/s",
        "window, ms",
        "SI-SDRi, dB",
        "SDR, dB",
        "PESQ",
        "STOI",
        "eSTOI",
        title="{split}, {mixtures} mixtures".format(**result),
    )
    for s in result["systems"]:
        sizes = (f"{s['params']:,}", f"{s['macs_per_second'] / 1e6:.1f}") if s["params"] else ("-", "-")
        table.add_row(s["name"], *sizes, f"{s['latency_ms']:g}", *(f"{s[m]['mean']:.2f}" for m in ("sisdri_db", "sdr", "pesq")),
                      *(f"{s[m]['mean']:.3f}" for m in ("stoi", "estoi")), style="bold" if s["ours"] else None)  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    out.print(table)
    out.print("paired differences with 95 % intervals; above 0: ours is better")
    for ours, against in result["against"].items():
        for other, found in against.items():
            differences = (interval(found["sisdr"]), interval(found["pesq"]), interval(found["estoi"], 3))
            out.print(f"{ours} against {other}: SI-SDR {differences[0]} dB, PESQ {differences[1]}, eSTOI {differences[2]}", soft_wrap=True)
    for other, why in result["skipped"].items():
        out.print(f"{other}: skipped, {why}; {others.INSTALL}", soft_wrap=True)
    out.print(f"{folder / 'baselines.json'}, {folder / 'baselines.png'}", soft_wrap=True)


def demo(
    name: Annotated[str, typer.Option("--bundle", help="A bundle's name or folder.")] = "enhance",
    checkpoint_name: CheckpointOption = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for WAVs and pictures.")] = Path("build/demo"),
    json: Json = False,
) -> None:
    """Run the committed demo mixtures through the int8 network in TFLM (C++): scores, parity, WAVs, spectrograms."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from convert.demo import run_demo

    result = run_demo(name, checkpoint_name, folder)
    if json:
        print_json(result)
    else:
        from rich.table import Table

        table = Table("mixture", "SI-SDR in", "float (Keras)", "int8 (TFLM, C++)", title="SI-SDR, dB")
        for column in table.columns[1:]:
            column.justify = "right"
        for m in result["mixtures"]:
            table.add_row(m["name"], *(f"{m[key]:.2f}" for key in ("sisdr_in_db", "sisdr_float_db", "sisdr_int8_db")))
        out.print(table)
        print_parity(result["parity"])
        for path in result["files"]:
            out.print(path, soft_wrap=True)
    if not result["parity"]["ok"]:
        raise typer.Exit(1)

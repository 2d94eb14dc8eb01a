"""The commands that bring networks to boards and to sound files."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from convert.commands import tables
from convert.commands.options import BundleName, BundleOption, CheckpointOption, Json, ModelName
from groupcomm.console import line, note, report, step
from groupcomm.errors import UserError
from groupcomm.files import output_file, output_folder


def compile_network(
    name: ModelName,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            callback=output_folder,
            help="Folder for the files; by default in build/static or build/wasm.",
        ),
    ] = None,
    target: Annotated[
        Literal["c", "wasm"],
        typer.Option(help="c: NAME.c and NAME.h. wasm: NAME.wasm and groupcomm.mjs."),
    ] = "c",
    as_json: Json = False,
) -> None:
    """Write a bundle or a .tflite as plain C for the kernels in micro/kernels.

    The C code needs no interpreter and computes the same bytes as TFLM. A bundle has the signal
    path around its network; a .tflite becomes three functions: init, reset and invoke. With
    `--target wasm`, network and signal path of a bundle are WebAssembly for browsers and Node; this
    needs the extra `wasm`.
    """
    from convert import bundle
    from convert.codegen import c_source, model_source

    if target == "wasm":
        _compile_wasm(name, folder, as_json)
        return
    if name.endswith(".tflite"):
        written = model_source.compile_model(Path(name), folder)
        then = f"groupcomm parity {name}"
    else:
        opened = bundle.load(name)
        written = c_source.compile_bundle(opened, folder or Path("build") / "static" / opened.name)
        then = f"groupcomm package arduino {name} --out build/arduino/{opened.name}"

    def show() -> None:
        line(
            "{weight_bytes:,} bytes of weights, {state_bytes:,} of state, {arena_bytes:,} of "
            "activations "
            "({unplanned_bytes:,} without sharing)".format(**written)
        )
        for file in written["files"]:
            line(file)

    internal = ("operator_lines", "operators", "model")
    result = {key: value for key, value in written.items() if key not in internal}
    report(result, as_json, show, then=then)


def _compile_wasm(name: str, folder: Path | None, as_json: bool) -> None:
    from convert import bundle
    from convert.codegen import wasm

    if name.endswith(".tflite"):
        raise UserError(f"{name}: --target wasm takes a bundle, which has a signal path")
    opened = bundle.load(name)
    with step(f"compile {opened.name}"):
        written = wasm.write(opened, folder or Path("build") / "wasm" / opened.name)

    def show() -> None:
        line("{bytes:,} bytes of WebAssembly".format(**written))
        for file in written["files"]:
            line(file)

    report({"name": opened.name} | written, as_json, show)


def package(
    kind: Annotated[
        Literal["arduino", "zephyr"],
        typer.Argument(
            help="arduino: a library for the Arduino IDE. zephyr: a module with an application "
            "for Nordic's boards."
        ),
    ],
    name: ModelName,
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="Folder of the package; for arduino also NAME.zip, for Add .ZIP Library."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Write a bundle as a package for the tools of a board.

    It has the network, the kernels, the stream and the FFT as plain C and C++, and applications. Of
    a .tflite, it has the network and the kernels.
    """
    from convert import bundle
    from convert.codegen import arduino, model_package, zephyr

    if name.endswith(".tflite"):
        files = model_package.write(Path(name), folder, kind)
        result = {"model": name, "folder": str(folder), "files": files}
        report(result, as_json, lambda: line(f"{folder}: {len(files)} files; read its README.md"))
        return
    opened = bundle.load(name)
    with step(f"write {opened.name} for {kind}"):
        files = zephyr.write(opened, folder) if kind == "zephyr" else arduino.write(opened, folder)
    then = {
        "arduino": (
            f"in the Arduino IDE, Sketch > Include Library > Add .ZIP Library > {folder}"
            if folder.suffix == ".zip"
            else f"copy {folder} to libraries/ of the sketchbook"
        )
        + ", and open its example Benchmark (File > Examples)",
        "zephyr": f"west build -b nrf5340dk/nrf5340/cpuapp {folder / 'app'} (see "
        f"{folder / 'README.md'})",
    }
    result = {"bundle": opened.name, "folder": str(folder), "files": files}
    report(result, as_json, lambda: line(f"{folder}: {len(files)} files"), then=then[kind])


def process(
    wav: Annotated[
        Path,
        typer.Argument(
            help="A sound file; it is converted to 16 kHz mono 16-bit PCM if necessary."
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--out", callback=output_folder, help="Folder for the WAV files.")
    ],
    name: BundleOption = "enhance",
    plot: Annotated[
        Path | None,
        typer.Option(
            callback=output_file,
            help="Draw the spectrograms of input and output into this PNG file.",
        ),
    ] = None,
    attenuation_limit: Annotated[
        float | None,
        typer.Option(
            help="Attenuate a sound by at most this many dB. Some of the noise remains, and speech "
            "is distorted less."
        ),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The channel to use, from 1. By default all of them are mixed, without silent "
            "ones; of channels that cancel, the loudest is used.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a sound file through the int8 network of a bundle, hop by hop, in TFLM."""
    from convert.run.process import separate

    result = separate(wav, name, folder, plot, attenuation_limit, channel)

    def show() -> None:
        for words in result["conversions"]:
            line(f"{wav}: {words}")
        for path in result["outputs"] + ([str(plot)] if plot else []):
            line(path)

    report(result, as_json, show, then=f"groupcomm fit {name} --board nano33ble")


def live(
    name: BundleName,
    source: Annotated[
        Path | None,
        typer.Option("--input", help="A sound file in place of the microphone, with --output."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            callback=output_file,
            help="A WAV file in place of the headphones, with --input.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--record",
            callback=output_folder,
            help="Folder for before.wav and after.wav, which are aligned.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.01, help="Length; by default until Ctrl-C."),
    ] = None,
    attenuation_limit: Annotated[
        float | None,
        typer.Option(help="Attenuate a sound by at most this many dB."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run sound from the microphone through a network to the headphones, in plain C.

    Use headphones: loudspeakers feed back into the microphone. The space bar switches between the
    output of the network and its input, which is delayed equally. Ctrl-C ends the command and keeps
    the recording. It needs the extra `live`, PortAudio and a C compiler.
    """
    from convert.run import live as sound

    if (source is None) != (output is None):
        alone, other = ("--input", "--output") if source else ("--output", "--input")
        raise UserError(f"{alone} {source or output}: also give {other}, or neither of them")
    files = (source, output) if source and output else None
    with step(f"compile {name}", is_endless=True) as shown:
        result = sound.live(
            name,
            files=files,
            folder=folder,
            seconds=seconds,
            attenuation_limit_db=attenuation_limit,
            report=lambda meters: shown.update(tables.live_meters(meters)),
        )
    report(result, as_json, lambda: tables.show_live(result))


def demo(
    name: BundleOption = "enhance",
    checkpoint: CheckpointOption = None,
    folder: Annotated[
        Path,
        typer.Option("--out", callback=output_folder, help="Folder for WAV files and pictures."),
    ] = Path("build/demo"),
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Then serve the page to browsers of this machine, until Ctrl-C."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the committed demo mixtures through an int8 network in TFLM (C++).

    Write scores, parity, WAV files, spectrograms, and a page to listen to them, or live to a
    microphone. The exit code is 1 when the parity fails.
    """
    from convert import bundle
    from convert.run import resolve
    from tf_model import load_tensorflow

    opened = bundle.load(name)
    trained = resolve.checkpoint_of(opened, checkpoint)
    load_tensorflow()
    from convert.measure.demo import run_demo
    from convert.report.report import write_page

    result, processed = run_demo(name, str(trained.weights.parent), folder)
    page = write_page(
        opened, folder / "report.html", processed, trained=trained, parity=result["parity"]
    )
    result["files"].append(page["file"])
    ok = result["parity"]["ok"]
    then = f"open {page['file']} in a browser, to listen" if ok and not serve else ""
    report(result, as_json, lambda: tables.show_demo(result), then=then)
    if serve:
        from convert.report import serve as server

        tell = note if as_json else line
        server.serve(Path(page["file"]), lambda url: tell(f"open {url}; Ctrl-C: end"))
        sys.stdout.flush()
        os._exit(0 if ok else 1)  # the end of TensorFlow takes seconds, and everything is written
    if not ok:
        raise typer.Exit(1)

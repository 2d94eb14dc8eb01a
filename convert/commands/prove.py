"""The commands that compare runtimes with each other."""

from pathlib import Path
from typing import Annotated

import typer

from convert.commands import tables
from convert.commands.options import (
    BundleName,
    CheckpointOption,
    Core,
    CorpusOption,
    Json,
    ModelName,
    Split,
)
from groupcomm.console import report, step
from groupcomm.errors import UserError
from groupcomm.files import output_folder


def parity(
    name: ModelName,
    checkpoint: CheckpointOption = None,
    hops: Annotated[
        int,
        typer.Option(
            min=1,
            max=1_000_000,
            help="Hops of real sound (invocations of a .tflite) in a pass; a reset is between two "
            "passes.",
        ),
    ] = 1000,
    given: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE.npz",
            help="Of a .tflite: one array (n, shape) for each input, by the names that `groupcomm "
            "compile` prints; by default random.",
        ),
    ] = None,
    board: Annotated[
        Core | None,
        typer.Option("--board", help="Of a .tflite: an emulated core that runs it too."),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            "--port", help="Compare a board on this serial port with TFLM: /dev/ttyACM0, COM3."
        ),
    ] = None,
    baud: Annotated[
        int, typer.Option(min=1, help="With --port: bit/s of a UART; USB ignores it.")
    ] = 115200,
    as_json: Json = False,
) -> None:
    """Compare every runtime with its reference on the same real sound, byte by byte.

    A .tflite without a signal path is compared as plain C with TFLM, on random inputs. The exit
    code is 1 when a byte of TFLM, plain C or the simulation differs.
    """
    is_model = name.endswith(".tflite")
    for option, value, needs_model in (
        ("--input", given, True),
        ("--board", board, True),
        ("--port", port, False),
        ("--checkpoint", checkpoint, False),
    ):
        if value and needs_model != is_model:
            raise UserError(f"{option} is for a {'.tflite' if needs_model else 'bundle'}: {name}")
    if is_model:
        from convert.verify import model_parity

        with step("run the model in TFLM and as plain C"):
            result = model_parity.parity(Path(name), invocations=hops, given=given, board=board)
        show = tables.show_model_parity
    elif port is not None:
        from convert import bundle
        from convert.verify import serial_link, serial_parity

        opened = bundle.load(name)
        with serial_link.open_port(port, baud) as connection:
            result = serial_parity.parity(opened, connection, hops=hops)
        show = tables.show_board_parity
    else:
        import groupcomm

        result = groupcomm.parity(name, checkpoint, hops=hops).to_dict()
        show = tables.show_parity
    report(
        result,
        as_json,
        lambda: show(result),
        then=f"groupcomm {'bench' if is_model else 'evaluate'} {name}" if result["ok"] else "",
    )
    if not result["ok"]:
        raise typer.Exit(1)


def verify(name: BundleName, as_json: Json = False) -> None:
    """Derive again what a bundle says of its files: checksums, sizes, operators, arena.

    The golden features come from the golden sound by the Python signal path, the golden masks from
    the official TFLM. The names of the budget are checked, and `groupcomm bench` measures its
    figures. The exit code is 1 when a claim is wrong.
    """
    from convert.verify import claims

    with step("derive what the bundle claims"):
        result = claims.verify(name)
    report(
        result,
        as_json,
        lambda: tables.show_claims(result),
        then=f"groupcomm parity {name}" if result["ok"] else "",
    )
    if not result["ok"]:
        raise typer.Exit(1)


def listen(
    folder: Annotated[
        Path,
        typer.Option("--out", callback=output_folder, help="Folder of before.wav and after.wav."),
    ],
    port: Annotated[
        str, typer.Option("--port", help="Serial port of the board: /dev/ttyACM0, COM3.")
    ],
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.01, help="Length; by default until Ctrl-C."),
    ] = None,
    bypass: Annotated[
        bool, typer.Option("--bypass", help="Let the board output its input, delayed.")
    ] = False,
    attenuation_limit: Annotated[
        int | None,
        typer.Option(
            "--attenuation-limit",
            min=0,
            max=27,
            help="Limit by how many dB the board attenuates: a multiple of 3.",
        ),
    ] = None,
    gain: Annotated[
        int | None,
        typer.Option(
            min=-20,
            max=20,
            help="Gain of the board's microphone in dB: a multiple of 2. By default as it is.",
        ),
    ] = None,
    baud: Annotated[int, typer.Option(min=1, help="Bit/s of a UART; USB ignores it.")] = 115200,
    as_json: Json = False,
) -> None:
    """Record the sound before and after the network of a board, and show levels and lost hops.

    The board runs the example EnhanceMicrophone. Ctrl-C ends the recording and keeps it.
    """
    from convert.verify import listen as recording
    from convert.verify import serial_link

    if attenuation_limit is not None and attenuation_limit % 3:
        raise UserError(f"--attenuation-limit {attenuation_limit}: not a multiple of 3 dB")
    if gain is not None and gain % 2:
        raise UserError(f"--gain {gain}: not a multiple of 2 dB")
    keys = b"x" if attenuation_limit is None else b"%d" % (attenuation_limit // 3)
    keys += b"b" if bypass else b"a"
    keys += b"" if gain is None else bytes([ord("A") + (gain + 20) // 2])
    with (
        serial_link.open_port(port, baud) as connection,
        step("wait for sound", is_endless=True) as shown,
    ):
        serial_link.Link(connection).send(keys)
        result = recording.listen(
            connection,
            folder,
            seconds=seconds,
            report=lambda p: shown.update(
                f"{p.hops} hops: before {p.before_db:.0f} dBFS, after {p.after_db:.0f} dBFS, "
                f"{p.lost} lost by the board, {p.damaged} frames damaged"
            ),
        )
    report(result, as_json, lambda: tables.show_recording(result))


def drift(
    name: BundleName,
    checkpoint: CheckpointOption = None,
    minutes: Annotated[
        int,
        typer.Option(
            min=3, max=1440, help="Length of the stream, which repeats one minute of sound."
        ),
    ] = 30,
    split: Split = "validation",
    corpus: CorpusOption = None,
    as_json: Json = False,
) -> None:
    """Compare int8 with float32 minute by minute in one long stream.

    The exit code is 1 when the SI-SDR of the last minute differs by more than 0.05 dB from that of
    the second minute.
    """
    from convert import bundle
    from convert.run import resolve
    from tf_model import load_tensorflow
    from tf_model.training.checkpoint import corpus_of

    opened = bundle.load(name)
    trained = resolve.checkpoint_of(opened, checkpoint)
    load_tensorflow()
    from convert.measure.drift import DRIFT
    from convert.measure.drift import drift as measure

    found = measure(
        opened, trained, minutes=minutes, split=split, corpus=corpus or corpus_of(trained)
    )
    stable = abs(found["drift_db"]) <= DRIFT
    then = f"groupcomm evaluate {name}" if stable else ""
    report(found, as_json, lambda: tables.show_drift(found, stable), then=then)
    if not stable:
        raise typer.Exit(1)

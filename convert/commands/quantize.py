"""The commands that quantize networks and examine the result."""

import functools
from pathlib import Path
from typing import Annotated, Literal

import typer

from convert.commands import tables
from convert.commands.options import (
    MAX_MIXTURES,
    CorpusOption,
    Json,
    Mixtures,
    NetworkName,
    RangesMethod,
    Split,
    complete_bundle,
)
from groupcomm.console import line, note, report, step
from groupcomm.errors import UserError
from groupcomm.files import output_file, output_folder
from tf_model.commands import Batch, ValidationMixtures

# Options of `convert`.
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="DIR",
        help="Folder of sound files to observe the ranges of activations on, in place of the "
        "committed clips.",
    ),
]
ConversionRanges = Annotated[
    RangesMethod | None,
    typer.Option(
        "--ranges",
        help="Ranges of activations: min-max (default for 16 bits), percentile (default for 8 "
        "bits; all but 0.01 % of the values), or error (the smallest mean squared error).",
    ),
]
ActivationBits = Annotated[
    Literal["8", "16"],
    typer.Option(help="Bits of activations. 16 is TFLite's 16x8, with int8 weights."),
]
ConversionWeights = Annotated[
    Literal["8", "4"] | None,
    typer.Option(
        help="Bits of the weights of FULLY_CONNECTED; by default as trained, or 8. An LSTM has 8. "
        "4 is an experiment that only TFLM runs."
    ),
]
InFloat = Annotated[
    bool,
    typer.Option(
        "--float", help="Write a float32 .tflite and no bundle; also of an untrained network."
    ),
]
FloatSeconds = Annotated[
    float,
    typer.Option(
        min=0.001,
        max=600,
        help="With --float: length of the mixture, for a network that processes a whole "
        "recording at once.",
    ),
]


def convert(
    network: NetworkName,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of the bundle, by default build/bundles/NAME; with --float the file, by "
            "default build/float/NAME.tflite.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the bundle; by default that of the network."),
    ] = None,
    calibration: Calibration = None,
    method: ConversionRanges = None,
    activations: ActivationBits = "8",
    weights: ConversionWeights = None,
    in_float: InFloat = False,
    seconds: FloatSeconds = 4.0,
    as_json: Json = False,
) -> None:
    """Quantize a trained network to int8 or 16x8 and write its bundle.

    With --float, write a float32 .tflite.
    """
    if in_float:
        for option, given in (("--name", name), ("--calibration", calibration)):
            if given is not None:
                raise UserError(f"{option} {given}: is for a bundle; leave it out with --float")
        _convert_float(network, folder, seconds, as_json)
        return
    import groupcomm

    with step(f"quantize {network}"):
        written = groupcomm.convert(
            network,
            folder,
            ranges=method,
            activations=int(activations),
            weights=int(weights) if weights else None,
            name=name,
            calibration=calibration,
        )

    def show() -> None:
        line(
            f"{written.bundle}: model {written.model_bytes:,} bytes, arena "
            f"{written.arena_bytes:,} bytes"
        )

    report(
        written.to_dict(), as_json, show, then=f"groupcomm fit {written.bundle} --board nano33ble"
    )


def _convert_float(name: str, file: Path | None, seconds: float, as_json: bool) -> None:
    from groupcomm.files import atomic_path
    from tf_model import load_tensorflow, networks
    from tf_model.training import checkpoint

    untrained = name in networks.NETWORKS and name not in checkpoint.names()
    network = checkpoint.untrained(name) if untrained else checkpoint.load(name)
    load_tensorflow()
    from convert.quantization import export

    file = file or Path("build") / "float" / f"{network.name}.tflite"
    output_file(file)
    with step(f"convert {network.name}"):
        content = export.to_float(network, seconds=seconds)
    with atomic_path(file) as part:
        part.write_bytes(content)
    weights = "untrained, with random weights" if untrained else f"weights of {network.weights}"
    result = {"model": str(file), "model_bytes": len(content), "trained": not untrained}
    report(
        result,
        as_json,
        lambda: line(f"{file}: {len(content):,} bytes; {weights}"),
        then=f"groupcomm inspect {file}",
    )


QatFolder = Annotated[
    Path | None,
    typer.Option(
        "--out", callback=output_folder, help="Folder of the run; by default build/qat/NETWORK."
    ),
]


def qat(
    name: NetworkName,
    folder: QatFolder = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 1000,
    batch: Batch = 16,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="Length of a training mixture, s.")
    ] = 2.5,
    learning_rate: Annotated[
        float, typer.Option(min=0.0, help="Peak of Adam's learning rate, for weights and ranges.")
    ] = 2e-4,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the mixtures.")] = 2,
    validate_every: Annotated[
        int, typer.Option(min=1, help="Steps between validations and saved states.")
    ] = 100,
    validation_mixtures: ValidationMixtures = 256,
    patience: Annotated[
        int, typer.Option(min=1, help="Validations without improvement before the run stops.")
    ] = 12,
    corpus: CorpusOption = None,
    method: Annotated[
        RangesMethod,
        typer.Option("--ranges", help="First ranges of activations, as for `groupcomm convert`."),
    ] = "percentile",
    weights: Annotated[
        Literal["8", "4"],
        typer.Option(
            help="Bits of the weights of FULLY_CONNECTED. An LSTM has 8. 4 is an experiment that "
            "only TFLM runs."
        ),
    ] = "8",
    as_json: Json = False,
) -> None:
    """Continue to train a network in int8 arithmetic (quantization-aware training).

    `groupcomm convert` then uses the trained ranges. The same command continues a run that was
    stopped.
    """
    from tf_model import load_tensorflow
    from tf_model.training import checkpoint

    trained = checkpoint.load(name)
    load_tensorflow()
    from convert.quantization.qat import fake_quantized
    from tf_model.training import train

    folder = folder or Path("build") / "qat" / (
        trained.name if weights == "8" else f"{trained.name}-int4"
    )
    before = trained.training.get("recipe", {})
    recipe = train.Recipe(
        steps=steps,
        batch=batch,
        seconds=seconds,
        learning_rate=learning_rate,
        seed=seed,
        validate_every=validate_every,
        validation_mixtures=validation_mixtures,
        patience=patience,
        start=name,
        ranges=method,
        weights=int(weights),
        corpus=corpus or checkpoint.corpus_of(trained),
        **{k: before[k] for k in ("objective", "rooms", "noise") if k in before},
    )
    # Called after another recipe is refused, because observing the ranges takes seconds.
    wrap_model = functools.partial(fake_quantized, trained, method=method, weights=int(weights))
    result = train.train(trained.name, trained.net, recipe, folder, wrap_model=wrap_model)

    def show() -> None:
        note(
            f"best at step {result['best_step']}: {result['sisdri_db']:.2f} dB in int8 "
            f"arithmetic; {result['checkpoint']}"
        )

    report(result, as_json, show, then=f"groupcomm convert {result['checkpoint']}")


def variants(
    name: NetworkName,
    after_qat: Annotated[
        list[str] | None,
        typer.Option(
            "--qat",
            help="Run of `groupcomm qat` of the same network, also with --weights 4. Can be "
            "repeated.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            callback=output_folder,
            help="Folder for bundles, scores and plot; by default build/variants/NETWORK.",
        ),
    ] = None,
    split: Split = "validation",
    mixtures: Mixtures = 200,
    levels: Annotated[
        int,
        typer.Option(min=0, max=MAX_MIXTURES, help="Mixtures at each level of -10 to -50 dBFS."),
    ] = 40,
    corpus: CorpusOption = None,
    as_json: Json = False,
) -> None:
    """Compare float32, int8 by each method of ranges and after `qat`, 16x8, and int4 weights.

    The comparison has quality with paired losses, bytes and instructions.
    """
    from tf_model import load_tensorflow
    from tf_model.training import checkpoint

    trained, after = checkpoint.load(name), [checkpoint.load(one) for one in after_qat or ()]
    load_tensorflow()
    from convert.measure.variants import compare

    folder = folder or Path("build") / "variants" / trained.name
    corpus = corpus or checkpoint.corpus_of(trained)
    found = compare(
        trained, after, folder, split=split, mixtures=mixtures, levels=levels, corpus=corpus
    )

    def show() -> None:
        tables.show_variants(found)
        line(f"{folder / 'variants.json'}, {folder / 'variants.png'}")

    report(found, as_json, show, then=f"groupcomm convert {name}")


def sensitivity(
    name: NetworkName,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            callback=output_folder,
            help="Folder for sensitivity.json and sensitivity.png; by default "
            "build/sensitivity/NETWORK.",
        ),
    ] = None,
    method: Annotated[
        RangesMethod | None,
        typer.Option(
            "--ranges",
            help="Ranges of activations, as for `groupcomm convert`; by default as trained, or "
            "percentile.",
        ),
    ] = None,
    split: Split = "validation",
    mixtures: Mixtures = 32,
    minutes: Annotated[
        int,
        typer.Option(
            min=1,
            max=1440,
            help="Minutes of sound, in streams of 30 s, that the use of the ranges is measured on.",
        ),
    ] = 60,
    corpus: CorpusOption = None,
    as_json: Json = False,
) -> None:
    """Quantize one operator, state or activation at a time.

    For each, report the loss of SI-SDR and how much of its range it uses.
    """
    from tf_model import load_tensorflow
    from tf_model.training import checkpoint

    trained = checkpoint.load(name)
    load_tensorflow()
    from convert.measure.sensitivity import sensitivity as measure

    folder = folder or Path("build") / "sensitivity" / trained.name
    if method is None and "ranges" not in trained.training:
        method = "percentile"
    corpus = corpus or checkpoint.corpus_of(trained)
    found = measure(
        trained,
        folder,
        method=method,
        split=split,
        mixtures=mixtures,
        minutes=minutes,
        corpus=corpus,
    )

    def show() -> None:
        tables.show_sensitivity(found)
        line(f"{folder / 'sensitivity.json'}, {folder / 'sensitivity.png'}")

    report(found, as_json, show, then=f"groupcomm variants {name}")


def inspect(
    name: Annotated[
        str,
        typer.Argument(
            metavar="BUNDLE",
            help="Name or folder of a bundle, or a .tflite file.",
            autocompletion=complete_bundle,
        ),
    ],
    as_json: Json = False,
) -> None:
    """List operators, multiply-accumulates (MACs), parameters, memory and state of a model.

    Report what TFLM lacks or refuses; the exit code is 1 exactly when it refuses the model.
    """
    from convert.verify import inspection

    found = inspection.inspect(name)
    refused = found["refusal"] is not None
    then = "" if refused or name.endswith(".tflite") else f"groupcomm parity {name}"
    report(found, as_json, lambda: tables.show_inspection(found), then=then)
    if refused:
        raise typer.Exit(1)

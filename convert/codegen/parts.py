"""What every package for a board contains: the network, and files of this repository."""

from pathlib import Path

from convert import boards, contract
from convert import bundle as bundles
from convert.codegen import c_source
from groupcomm.files import kernel_files, resource

MICRO = resource("micro")
ROOT = MICRO.parent  # of the paths in #include
_HEADERS = (
    "micro/api/engine_api.h",
    "micro/boards/package/dwt.h",
    "micro/boards/package/package.h",
    "micro/contract/bundle_fields.h",
    "micro/contract/static_model.h",
    "micro/contract/tanh_table.h",
    "micro/engine/engine.h",
    "micro/engine/static_engine.h",
    "micro/include/groupcomm.h",
    "micro/parity/frame.h",
    "micro/parity/live.h",
    "micro/parity/server.h",
    "micro/stream/stream.h",
)
_SOURCES = (
    "micro/api/groupcomm.cc",
    "micro/boards/package/package.cc",
    *(f"micro/parity/{name}.cc" for name in ("frame", "live", "server")),
)
_TFLM_HEADERS = (
    "micro/contract/lstm_inputs.h",
    "micro/contract/operators.h",
    *(f"micro/engine/{name}.h" for name in ("operators", "tflm", "tflm_engine", "tflm_kernels")),
)
_TFLM_SOURCES = ("micro/engine/tflm_engine.cc", "micro/engine/tflm_kernels.cc")
_OPERATORS = "micro/engine/operators.cc"
_NETWORK = """/* The network of this package, written by `groupcomm package`. */
#ifndef GROUPCOMM_NETWORK_H_
#define GROUPCOMM_NETWORK_H_

#include "{name}.h"

#define GROUPCOMM_NETWORK groupcomm_{name}
{sizes}
{tflm}
#endif
"""
_NETWORK_TFLM = """
/* For TensorFlow Lite Micro. */
#define GROUPCOMM_TFLITE_BYTES {bytes}
#define GROUPCOMM_ARENA_BYTES {arena}
#define GROUPCOMM_OPERATOR_NAMES {names}
#ifdef __cplusplus
extern "C"
#else
extern
#endif
const unsigned char groupcomm_tflite[GROUPCOMM_TFLITE_BYTES]; /* (bytes) at a multiple of 16 */
"""


def network(bundle: bundles.Bundle, source: Path, include: Path, *, tflm: bool) -> str:
    """Write the files of the network, and return its name in C.

    They are NAME.c, NAME.h and groupcomm_network.h, and with TFLM the model as NAME_tflite.c.
    """
    written = c_source.compile_bundle(bundle, source)
    name = written["name"]
    include.mkdir(parents=True, exist_ok=True)
    if include != source:
        (source / f"{name}.h").rename(include / f"{name}.h")
    of_tflm = ""
    if tflm:
        names = ", ".join(f'"{operator}"' for operator in _operators(bundle))
        of_tflm = _NETWORK_TFLM.format(
            bytes=len(bundle.model), arena=bundle.description["arena_bytes"], names=names
        )
        values = ",\n".join(
            ", ".join(map(str, bundle.model[at : at + 24]))
            for at in range(0, len(bundle.model), 24)
        )
        declaration = "_Alignas(16) const unsigned char groupcomm_tflite[GROUPCOMM_TFLITE_BYTES]"
        array = f"{declaration} = {{\n{values}}};\n"
        (source / f"{name}_tflite.c").write_text(f'#include "groupcomm_network.h"\n\n{array}')
    sizes = "\n".join(
        f"#define GROUPCOMM_{'NETWORK_' * size.endswith('BYTES')}{size} {value}"
        for size, value in written["sizes"].items()
    )
    text = _NETWORK.format(name=name, sizes=sizes, tflm=of_tflm)
    (include / "groupcomm_network.h").write_text(text)
    return name


def repository(source: Path, include: Path, suffix: str, *, tflm: bundles.Bundle | None) -> None:
    """Copy the files of this repository that every package has.

    With TFLM they include its engine, reduced to the operators of the bundle.
    """
    for header in _HEADERS + (_TFLM_HEADERS if tflm else ()):
        copy(ROOT / header, include / header)
    for file in kernel_files(".h"):
        copy(file, include / file.relative_to(ROOT))
    for file in kernel_files(".c"):
        copy(file, source / file.relative_to(ROOT))
    for file in _SOURCES + (_TFLM_SOURCES if tflm else ()):
        copy(ROOT / file, (source / file).with_suffix(suffix))
    if tflm:
        used = " ".join(
            f"X({operator}, {contract.OPERATORS[operator]})" for operator in _operators(tflm)
        )
        copy(
            ROOT / _OPERATORS,
            (source / _OPERATORS).with_suffix(suffix),
            f"#define GROUPCOMM_OPERATORS(X) {used}\n",
        )


def _operators(bundle: bundles.Bundle) -> list[str]:
    return [operator["name"] for operator in bundle.description["operators"]]


def words(bundle: bundles.Bundle) -> tuple[str, str]:
    """Describe a package in a sentence and in a paragraph."""
    signal = bundle.signal
    parameters = bundle.counts.parameters
    return (
        "Removes noise from speech."
        if bundle.sources == 1
        else f"Separates {bundle.sources} speakers.",
        f"The Group Communication network {bundle.name} ({parameters:,} parameters, "
        "int8) and its stream in plain C and C++: "
        f"PCM in hops of {1000 * signal.hop / signal.sample_rate:g} ms, "
        f"latency {1000 * signal.window / signal.sample_rate:g} ms.",
    )


def latency(bundle: bundles.Bundle) -> str:
    """Return the latency of a bundle, with its unit."""
    return f"{1000 * bundle.signal.window / bundle.signal.sample_rate:g} ms"


def needs(bundle: bundles.Bundle, board: boards.Board) -> dict[str, str]:
    """Return what a bundle needs at most on a board, by its budget; {} where it has none."""
    budget, signal = bundle.description.get("budget", {}).get(board.core, {}), bundle.signal
    cycles = board.clock_hz * signal.hop // signal.sample_rate
    labels = {
        "flash_bytes": ("flash", " bytes"),
        "ram_bytes": ("RAM, with the stack", " bytes"),
        "instructions": ("instructions per hop", f", for which the board has {cycles:,} cycles"),
    }
    return {
        label: f"at most {budget[key]:,}{words}"
        for key, (label, words) in labels.items()
        if key in budget
    }


def files(folder: Path) -> list[str]:
    """Return the files in a folder, relative to it."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def copy(given: Path, to: Path, first: str = "") -> None:
    """Copy a text file, with lines in front of it."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(first + given.read_text(encoding="utf-8-sig"), encoding="utf-8")

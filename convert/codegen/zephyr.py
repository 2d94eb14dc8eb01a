"""A bundle as a Zephyr module (Zephyr's documentation, "Modules")."""

import shutil
from pathlib import Path

from convert import boards
from convert import bundle as bundles
from convert.codegen import cmsis_dsp, parts
from groupcomm import __version__
from groupcomm.files import atomic_folder, kernel_files, resource

BOARDS = ("nrf52840dk", "nrf5340dk", "nrf5340_audio_dk")  # of the application, as `fit` names them
_ZEPHYR, _STREAM = parts.MICRO / "boards" / "zephyr", parts.MICRO / "stream"


def write(bundle: bundles.Bundle, folder: Path) -> list[str]:
    """Write a Zephyr module (Zephyr's documentation, "Modules").

    ``app/`` is an application for Nordic's boards. The module has both engines, and Kconfig chooses
    one: the network as plain C, and the ``.tflite`` for the module tflite-micro.

    Parameters
    ----------
    bundle : Bundle
        The network.
    folder : Path
        The module; it appears whole or not at all, and replaces one that is there.

    Returns
    -------
    list of str
        Its files, relative to the module.

    Raises
    ------
    UserError
        When the bundle has an operator without a kernel, pip cannot fetch CMSIS-DSP, or the folder
        cannot be written.
    """
    dsp = cmsis_dsp.sources()
    with atomic_folder(folder) as part:
        source, include = part / "src", part / "include"
        for name in ("app", "zephyr"):
            shutil.copytree(_ZEPHYR / name, part / name)
        shutil.copy(_ZEPHYR / "README.md", part)
        shutil.copy(resource("LICENSE"), part)
        name = parts.network(bundle, source, include, tflm=True)
        (part / "network").mkdir()
        (include / "groupcomm_network.h").rename(part / "network" / "groupcomm_network.h")
        parts.repository(source, include, ".cc", tflm=bundle)
        parts.copy(_ZEPHYR / "groupcomm_audio.h", include / "groupcomm_audio.h")
        parts.copy(_ZEPHYR / "audio.cc", source / "audio.cc", cmsis_dsp.INCLUDE)
        for file in ("stream.cc", "audio_48k.cc", "audio_48k.h"):
            parts.copy(
                _STREAM / file,
                source / "micro" / "stream" / file,
                cmsis_dsp.INCLUDE if file.endswith(".cc") else "",
            )
        folders = (part / "cmsis_dsp" / "include", part / "cmsis_dsp")
        users = [_STREAM / "stream.cc", _STREAM / "audio_48k.cc"]
        cmsis_dsp.write(dsp, *folders, source, cmsis_dsp.FFT + cmsis_dsp.FIR, users, "")
        (part / "network.cmake").write_text(_cmake(name))
        _fill(part, bundle, name)
        return parts.files(part)


def _symbol(name: str) -> str:
    return f"GROUPCOMM_{name.upper()}"


def _cmake(name: str) -> str:
    """Return network.cmake: what differs between modules, and lists of files."""
    lists = {
        "VERSION": [__version__],
        "NAME": [name],
        "SYMBOL": [_symbol(name)],
        "KERNELS": [
            file.relative_to(parts.MICRO / "kernels").with_suffix("").as_posix()
            for file in kernel_files(".c")
        ],
        "FFT": [Path(file).name for file in cmsis_dsp.FFT],
        "FIR": [Path(file).name for file in cmsis_dsp.FIR],
    }
    return "".join(f"set(GROUPCOMM_{key} {' '.join(values)})\n" for key, values in lists.items())


def _fill(part: Path, bundle: bundles.Bundle, name: str) -> None:
    """Replace the marks in the texts of a module."""
    sentence, paragraph = parts.words(bundle)
    hop_ms = 1000 * bundle.signal.hop / bundle.signal.sample_rate
    marks = {
        "NAME": bundle.name,
        "C_NAME": name,
        "SYMBOL": _symbol(name),
        "WINDOW": str(bundle.signal.window),
        "HOP_MS": f"{hop_ms:g}",
        "SENTENCE": sentence,
        "PARAGRAPH": paragraph,
        "FIGURES": _figures(bundle),
    }
    texts = [part / "README.md", *(part / "zephyr").iterdir(), *(part / "app").glob("*.*")]
    for file in texts:
        text = file.read_text()
        for mark, value in marks.items():
            text = text.replace(f"@{mark}@", value)
        file.write_text(text)


def _figures(bundle: bundles.Bundle) -> str:
    """Return a table of what the network needs on the boards of the application."""
    latency = f"The latency is {parts.latency(bundle)}.\n\n"
    rows = ["| board | what the network needs at most |", "|---|---|"]
    for name in BOARDS:
        board = boards.find(name)
        needs = parts.needs(bundle, board)
        if needs:
            cells = "; ".join(
                f"{key}: {value.removeprefix('at most ')}" for key, value in needs.items()
            )
            rows.append(f"| {board.title} | {cells} |")
    table = "\n".join(rows) + "\n\n" if rows[2:] else ""
    return f"{latency}{table}`groupcomm fit {bundle.name}` estimates the load of each board."

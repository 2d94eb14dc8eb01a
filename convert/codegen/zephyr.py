"""A bundle as a Zephyr module (Zephyr's documentation, "Modules")."""

import shutil
from pathlib import Path

from convert import bundle as bundles
from convert.codegen import cmsis_dsp, parts
from groupcomm import __version__
from groupcomm.files import atomic_folder, kernel_files, resource

_BOARDS, _STREAM = parts.MICRO / "boards", parts.MICRO / "stream"


def write(bundle: bundles.Bundle, folder: Path) -> list[str]:
    """Write a Zephyr module (Zephyr's documentation, "Modules").

    ``app/`` is an application for Nordic's boards. The module has both engines, and Kconfig chooses
    one: the network as plain C, and the ``.tflite`` for the module tflite-micro. Parameters, result
    and errors are those of `arduino`.
    """
    dsp = cmsis_dsp.sources()
    with atomic_folder(folder) as part:
        source, include = part / "src", part / "include"
        for name in ("app", "zephyr"):
            shutil.copytree(_BOARDS / "zephyr" / name, part / name)
        shutil.copy(resource("LICENSE"), part)
        name = parts.network(bundle, source, include, tflm=True)
        parts.repository(source, include, ".cc", tflm=bundle)
        parts.copy(_BOARDS / "zephyr" / "groupcomm_audio.h", include / "groupcomm_audio.h")
        parts.copy(_BOARDS / "zephyr" / "audio.cc", source / "audio.cc", cmsis_dsp.INCLUDE)
        for file in ("stream.cc", "audio_48k.cc", "audio_48k.h"):
            parts.copy(
                _STREAM / file,
                source / "micro" / "stream" / file,
                cmsis_dsp.INCLUDE if file.endswith(".cc") else "",
            )
        folders = (part / "cmsis_dsp" / "include", part / "cmsis_dsp")
        cmsis_dsp.write(
            dsp,
            *folders,
            source,
            cmsis_dsp.FFT + cmsis_dsp.FIR,
            [_STREAM / "stream.cc", _STREAM / "audio_48k.cc"],
            "",
        )
        names = [[Path(file).name for file in files] for files in (cmsis_dsp.FFT, cmsis_dsp.FIR)]
        lists = {
            "VERSION": [__version__],
            "NAME": [name],
            "WINDOW": [str(bundle.signal.window)],
            "KERNELS": [
                file.relative_to(parts.MICRO / "kernels").with_suffix("").as_posix()
                for file in kernel_files(".c")
            ],
            "FFT": names[0],
            "FIR": names[1],
        }
        (part / "network.cmake").write_text(
            "".join(f"set(GROUPCOMM_{key} {' '.join(values)})\n" for key, values in lists.items())
        )
        sentence, paragraph = parts.words(bundle)
        readme = (_BOARDS / "zephyr" / "README.md").read_text()
        for mark, text in (
            ("@NAME@", bundle.name),
            ("@SENTENCE@", sentence),
            ("@PARAGRAPH@", paragraph),
        ):
            readme = readme.replace(mark, text)
        (part / "README.md").write_text(readme)
        return parts.files(part)

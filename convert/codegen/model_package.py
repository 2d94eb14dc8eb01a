"""Any `.tflite` as an Arduino library or a Zephyr module: the model as C, and the kernels."""

import math
import re
import shutil
from pathlib import Path
from typing import Literal

from convert.codegen import model_source, parts
from groupcomm import __version__
from groupcomm.files import (
    atomic_folder,
    atomic_path,
    folder_files,
    kernel_files,
    resource,
    scratch_folder,
    write_zip,
)

_PROPERTIES = """name={name}
version={version}
author=The GroupComm Micro authors
maintainer=The GroupComm Micro authors
sentence=The model {file} as plain C.
paragraph={memory} bytes of memory, {weights} of weights. The same bytes as TensorFlow Lite Micro.
category=Signal Input/Output
url=https://arxiv.org/abs/2011.08397
architectures=mbed_nano,mbed
includes={name}.h
"""
_SKETCH = """// Runs the model on zeros and prints the time of an invocation.
#include <{name}.h>

alignas(16) static uint8_t memory[{upper}_MEMORY_BYTES];
{buffers}

void setup() {{
  Serial.begin(115200);
  if ({name}_init(memory, sizeof(memory)) != 0) Serial.println("the memory does not fit");
}}

void loop() {{
  const uint32_t before = micros();
  {name}_invoke(memory, {arguments});
  Serial.println(micros() - before);
  delay(1000);
}}
"""
_MODULE = """name: {name}
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
"""
_KCONFIG = """config {upper}
\tbool "The model {file} as plain C"
\tdefault y
"""
_CMAKE = """if(CONFIG_{upper})
  zephyr_library_named({name})
  zephyr_library_sources({sources})
  zephyr_include_directories(../src)
endif()
"""
_README = """# {name}

The model {file} as plain C, written by `groupcomm package {kind}`. It needs {memory} bytes of
memory (state and activations), and has {weights} bytes of weights. `{name}.h` has the functions,
and shape, type, scale and zero point of each input and output:

    {name}_init(memory, sizeof(memory));
    {name}_invoke(memory, {arguments});
    {name}_reset(memory);

{use}
A program can contain one package of this kind, because each contains the kernels. To use several
models, run `groupcomm compile` for each and compile the kernels once.
"""
_USE = {
    "arduino": "In the Arduino IDE: Sketch, Include Library, Add .ZIP Library. The example\n"
    "Benchmark prints the time of an invocation.\n",
    "zephyr": "Add this folder to `ZEPHYR_EXTRA_MODULES` or to the west manifest. Kconfig:\n"
    "`CONFIG_{upper}`, on by default.\n",
}


def write(path: Path, folder: Path, kind: Literal["arduino", "zephyr"]) -> list[str]:
    """Write a package of a model.

    Parameters
    ----------
    path : Path
        The `.tflite`.
    folder : Path
        The package; it appears whole or not at all. An Arduino library may be a .zip file.
    kind : {"arduino", "zephyr"}

    Returns
    -------
    list of str
        Its files, relative to the package.

    Raises
    ------
    UserError
        When the model cannot be compiled, or the folder cannot be written.
    """
    name = model_source.program_name(path)
    if kind == "arduino" and folder.suffix == ".zip":
        with scratch_folder() as scratch, atomic_path(folder) as part:
            files = write(path, scratch / name, kind)
            write_zip(part, folder_files(scratch / name))
            return files
    with atomic_folder(folder) as part:
        source = part / "src"
        written = model_source.compile_model(path, source)
        for file in (*kernel_files(".h"), *kernel_files(".c")):
            parts.copy(file, source / file.relative_to(parts.ROOT))
        table = "micro/contract/tanh_table.h"
        parts.copy(parts.ROOT / table, source / table)
        shutil.copy(resource("LICENSE"), part)
        values = _values(written, path, kind)
        (part / "README.md").write_text(_README.format(use=_USE[kind].format(**values), **values))
        if kind == "arduino":
            (part / "library.properties").write_text(_PROPERTIES.format(**values))
            sketch = part / "examples" / "Benchmark" / "Benchmark.ino"
            sketch.parent.mkdir(parents=True)
            sketch.write_text(_SKETCH.format(**values))
        else:
            (part / "zephyr").mkdir()
            for file, text in (
                ("module.yml", _MODULE),
                ("Kconfig", _KCONFIG),
                ("CMakeLists.txt", _CMAKE),
            ):
                (part / "zephyr" / file).write_text(text.format(**values))
        return parts.files(part)


def _values(written: dict, path: Path, kind: str) -> dict[str, str]:
    """Return what the texts contain."""
    name = written["name"]
    tensors = [*written["inputs"], *written["outputs"]]
    buffers = "\n".join(
        f"static {t['dtype']}_t {t['name']}[{math.prod(t['shape'])}];  // {tuple(t['shape'])}"
        for t in tensors
    )
    sources = [f"src/{name}.c"] + [
        f"src/{file.relative_to(parts.ROOT).as_posix()}" for file in kernel_files(".c")
    ]
    return {
        "name": name,
        "upper": name.upper(),
        "file": re.sub(r"[^\w.-]", "_", path.name),
        "kind": kind,
        "version": __version__,
        "memory": str(written["memory_bytes"]),
        "weights": str(written["weight_bytes"]),
        "arguments": ", ".join(t["name"] for t in tensors),
        "buffers": buffers,
        "sources": "\n    ".join(f"../{file}" for file in sources),
    }

"""Packages of a `.tflite` without a bundle."""

import re
import subprocess
import zipfile

import pytest
import yaml

from convert import bundle
from convert.codegen import model_package
from groupcomm.files import REPO
from tests.helpers.cli import ok

MODEL = bundle.load("enhance-nano").path / "model.tflite"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Write the Arduino library of a committed network."""
    folder = tmp_path_factory.mktemp("arduino") / "model"
    model_package.write(MODEL, folder, "arduino")
    return folder


def test_arduino_library_compiles_as_the_core_does(library, tmp_path):
    """C is gnu11, and the sketch gnu++14, with warnings as errors."""
    sources = sorted((library / "src").rglob("*.c"))
    assert library / "src" / "model.c" in sources and len(sources) > 10
    flags = ["-Wall", "-Wextra", "-Werror", "-Os", f"-I{library / 'src'}"]
    subprocess.run(
        ["cc", "-std=gnu11", *flags, "-shared", "-fPIC", *sources, "-o", tmp_path / "m.so"],
        check=True,
    )
    sketch = tmp_path / "sketch.cpp"
    example = library / "examples" / "Benchmark" / "Benchmark.ino"
    sketch.write_text(f"#include <Arduino.h>\n{example.read_text()}")
    core = f"-I{REPO / 'tests/convert/arduino'}"
    command = ["g++", "-std=gnu++14", *flags, core, "-fsyntax-only", sketch]
    subprocess.run(command, check=True)


def test_arduino_library_has_the_fields_that_its_tools_require(library):
    lines = (library / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    assert fields["name"] == "model" and fields["includes"] == "model.h"
    assert (library / "src" / "model.h").is_file()
    for text in ("README.md", "examples/Benchmark/Benchmark.ino", "library.properties"):
        assert not re.search(r"\{\w+\}", (library / text).read_text())


def test_zip_file_has_the_files_of_the_folder(library, tmp_path):
    found = ok("package", "arduino", str(MODEL), "--out", str(tmp_path / "m.zip"), "--json")
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        names = {name.split("/", 1)[1] for name in archive.namelist()}
    assert names == set(found["files"])
    assert set(found["files"]) == {
        str(f.relative_to(library)) for f in library.rglob("*") if f.is_file()
    }


def test_zephyr_module_names_its_files(tmp_path):
    files = model_package.write(MODEL, tmp_path / "module", "zephyr")
    module = yaml.safe_load((tmp_path / "module/zephyr/module.yml").read_text())
    assert module["name"] == "model" and module["build"]["kconfig"] in files
    cmake = (tmp_path / "module/zephyr/CMakeLists.txt").read_text()
    listed = {word.strip(")") for word in cmake.split() if word.strip(")").endswith(".c")}
    sources = {f"../{f}" for f in files if f.endswith(".c")}
    assert sources == {word.split("(")[-1] for word in listed}

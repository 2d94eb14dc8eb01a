"""An Arduino library: the specification's rules, and every example compiled and linked as Arduino does it."""

import re
import subprocess

import pytest

from convert import bench, bundle, package
from groupcomm.files import REPO

# What arduino:mbed_nano's platform gives the compiler for a Nano 33 BLE, as far as it is not of Mbed itself.
FLAGS = [
    "-c",
    "-w",
    "-g3",
    "-Os",
    "-nostdlib",
    "-mcpu=cortex-m4",
    "-mfloat-abi=softfp",
    "-mfpu=fpv4-sp-d16",
    "-mthumb",
    "-ffunction-sections",
    "-fdata-sections",
]
FLAGS += ["-fmessage-length=0", "-fno-exceptions", "-funsigned-char", "-DARDUINO=10819", "-DARDUINO_ARCH_MBED_NANO"]
CPP = ["-std=gnu++14", "-fno-rtti"]
LINK = [
    "-mcpu=cortex-m4",
    "-mfloat-abi=softfp",
    "-mfpu=fpv4-sp-d16",
    "-mthumb",
    "-Wl,--gc-sections",
    "--specs=nosys.specs",
    "--specs=nano.specs",
]
EXAMPLES = ["Benchmark", "EnhanceMicrophone", "EnhanceSerial"]


@pytest.fixture(scope="module", params=[("enhance-nano", "static"), ("enhance-fast", "static"), ("enhance-nano", "tflm")], ids="-".join)
def library(request, tmp_path_factory):
    name, engine = request.param
    folder = tmp_path_factory.mktemp("libraries") / name
    files = package.arduino(bundle.load(name), folder, engine=engine)
    return name, engine, folder, files


def compiled(source, out, folder):
    compiler = "arm-none-eabi-gcc" if source.suffix == ".c" else "arm-none-eabi-g++"
    extra = [] if source.suffix == ".c" else CPP
    before = ["-x", "c++", "-include", "Arduino.h"] if source.suffix == ".ino" else []
    includes = ["-I", folder / "src", "-I", REPO / "tests" / "convert" / "arduino", "-I", REPO / "micro" / "testing" / "upstream"]
    done = subprocess.run([compiler, *FLAGS, *extra, *includes, *before, source, "-o", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_the_specifications_rules(library):
    """https://docs.arduino.cc/arduino-cli/library-specification, revision 2.2."""
    _, engine, folder, files = library
    pairs = [line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines()]
    said = dict(pairs)
    assert len(said) == len(pairs)
    keys = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures", "includes"}
    assert set(said) == keys | ({"depends"} if engine == "tflm" else set())
    assert all(said.values()) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", said["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", said["version"]) and said["category"] == "Signal Input/Output"
    assert (folder / "src" / said["includes"]).is_file() and (folder / "LICENSE").is_file()
    assert not {"extras", "utility", "lib"} & {path.name for path in folder.iterdir()}
    for example in (folder / "examples").iterdir():
        assert (example / f"{example.name}.ino").is_file()
    for line in (folder / "keywords.txt").read_text().splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL[12])", line)
    assert files == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert {path.suffix for path in (folder / "src").rglob("*") if path.is_file()} <= {".c", ".cpp", ".h", ""}
    assert str(REPO) not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_every_example_compiles_and_links(library, tmp_path):
    name, engine, folder, _ = library
    sources = sorted(path for path in (folder / "src").rglob("*") if path.suffix in (".c", ".cpp"))
    objects = [compiled(source, tmp_path / f"{i}.o", folder) for i, source in enumerate(sources)]
    objects.append(compiled(REPO / "tests" / "convert" / "arduino" / "core.cpp", tmp_path / "core.o", folder))
    sizes = {}
    for example in EXAMPLES:
        sketch = compiled(folder / "examples" / example / f"{example}.ino", tmp_path / f"{example}.o", folder)
        elf = tmp_path / f"{example}.elf"
        done = subprocess.run(["arm-none-eabi-g++", *LINK, sketch, *objects, "-lm", "-o", elf], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        text, data, bss = map(int, subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True).stdout.split()[6:9])
        sizes[example] = {"flash": text + data, "ram": data + bss}
    assert all(one["flash"] < 983_040 and one["ram"] < 262_144 for one in sizes.values())
    if engine == "tflm":  # headers of upstream's shape, an interpreter that runs no model: its size says nothing
        return
    foretold = sum(bench.bench(bundle.load(name), "cortex-m4")["flash_bytes"].values())  # what `groupcomm fit` goes by
    assert {key: one["flash"] for key, one in sizes.items()} == pytest.approx(dict.fromkeys(EXAMPLES, foretold), rel=0.05)

"""Arduino libraries follow the specification, and every example compiles, links and runs."""

import json
import re
import shutil
import subprocess
import wave
import zipfile

import numpy as np
import pytest

from convert import bundle
from convert.codegen import arduino
from convert.measure import bench
from convert.run import host_tools
from convert.verify import listen, serial_link
from groupcomm.files import REPO
from tests.helpers.cli import groupcomm, ok
from tests.helpers.serial_line import Line, emulator, equal, prove

pytestmark = [pytest.mark.bazel, pytest.mark.board]

# Compiler options of ArduinoCore-mbed for a Nano 33 BLE, without those of Mbed. Its compiler is GCC
# 7, whose arm_acle.h has no functions of the DSP extension: GC_NO_ACLE selects what that compiler
# gets, and tests/convert/arduino/acle has such a header.
CORE = ["-mcpu=cortex-m4", "-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16", "-mthumb"]
FLAGS = ["-c", "-g3", "-Os", "-nostdlib", *CORE]
FLAGS += ["-ffunction-sections", "-fdata-sections", "-fmessage-length=0", "-fno-exceptions"]
FLAGS += ["-funsigned-char", "-DARDUINO=10819", "-DARDUINO_ARCH_MBED_NANO", "-DGC_NO_ACLE"]
FLAGS += ["-isystem", REPO / "tests/convert/arduino/acle"]
C, CPP = ["-std=gnu11"], ["-std=gnu++14", "-fno-rtti"]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
LINK = [*CORE, "-Wl,--gc-sections", "--specs=nano.specs"]
CORTEX_M = REPO / "micro" / "boards" / "cortex_m"
EXAMPLES = ["Benchmark", "EnhanceMicrophone", "EnhanceSerial"]


@pytest.fixture(scope="module", params=["enhance-nano", "enhance-fast", "enhance-nano-dc"])
def library(request, tmp_path_factory):
    name = request.param
    folder = tmp_path_factory.mktemp("libraries") / name
    if name.endswith("-dc"):  # a bundle with DC removal
        name = str(without_dc(name, tmp_path_factory.mktemp("bundle")))
    files = arduino.write(bundle.load(name), folder)
    return name, folder, files


def without_dc(name, folder):
    shutil.copytree(bundle.BUNDLES / name.removesuffix("-dc"), folder / name)
    file = folder / name / "bundle.json"
    description = json.loads(file.read_text())
    description["signal"]["dc"] = 0.5
    file.write_text(json.dumps(description | {"name": name}))
    return folder / name


def compiled(source, out, folder):
    compiler = "arm-none-eabi-gcc" if source.suffix == ".c" else "arm-none-eabi-g++"
    extra = C if source.suffix == ".c" else CPP
    extra = [*extra, *(["-w"] if "cmsis_dsp" in source.parts else WARNINGS)]
    before = ["-x", "c++", "-include", "Arduino.h"] if source.suffix == ".ino" else []
    includes = [folder / "src", REPO / "tests/convert/arduino"]
    done = subprocess.run(
        [compiler, *FLAGS, *extra, *(f"-I{path}" for path in includes), *before, source, "-o", out],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_library_follows_the_arduino_specification(library):
    """See https://docs.arduino.cc/arduino-cli/library-specification, revision 2.2."""
    _, folder, files = library
    pairs = [
        line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines()
    ]
    properties = dict(pairs)
    assert len(properties) == len(pairs)
    assert set(properties) == {
        "name",
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "url",
        "architectures",
        "includes",
    }
    # The rules of arduino-lint that apply, in strict mode, by their codes.
    name = properties["name"]
    assert all(properties.values())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", name)  # LP010, LP011
    assert not re.search("arduino|library", name, re.IGNORECASE)  # LP014, LP016
    assert (
        properties["includes"] == f"{name}.h" and (folder / "src" / f"{name}.h").is_file()
    )  # LS008
    assert (folder / "README.md").is_file()  # LD001
    assert not re.search("arduino", properties["maintainer"] + properties["author"], re.IGNORECASE)
    assert not properties["paragraph"].startswith(properties["sentence"])
    assert set(properties["architectures"].split(",")) <= {"mbed", "mbed_nano"}  # LP045, LP046
    assert (
        re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])
        and properties["category"] == "Signal Input/Output"
    )
    assert (folder / "src" / properties["includes"]).is_file() and (folder / "LICENSE").is_file()
    assert not {"extras", "utility", "lib"} & {path.name for path in folder.iterdir()}
    for example in (folder / "examples").iterdir():
        assert (example / f"{example.name}.ino").is_file()
    for line in (folder / "keywords.txt").read_text().splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL[12])", line)
    assert files == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
    assert {path.suffix for path in (folder / "src").rglob("*") if path.is_file()} <= {
        ".c",
        ".cpp",
        ".h",
        "",
    }
    assert str(REPO) not in "".join(
        path.read_text() for path in folder.rglob("*") if path.is_file()
    )


def test_every_example_compiles_and_links(library, tmp_path):
    name, folder, _ = library
    sources = sorted(path for path in (folder / "src").rglob("*") if path.suffix in (".c", ".cpp"))
    objects = [
        compiled(source, tmp_path / f"{i}_{source.stem}.o", folder)
        for i, source in enumerate(sources)
    ]
    objects.append(
        compiled(REPO / "tests" / "convert" / "arduino" / "core.cpp", tmp_path / "core.o", folder)
    )
    elfs = {}
    for example in EXAMPLES:
        sketch = compiled(
            folder / "examples" / example / f"{example}.ino", tmp_path / f"{example}.o", folder
        )
        elfs[example] = tmp_path / f"{example}.elf"
        run(
            "arm-none-eabi-g++",
            *LINK,
            "--specs=nosys.specs",
            sketch,
            *objects,
            "-lm",
            "-o",
            elfs[example],
        )
    sizes = {}
    for example, elf in elfs.items():
        text, data, bss = map(int, run("arm-none-eabi-size", elf).split()[6:9])
        sizes[example] = {"flash": text + data, "ram": data + bss}
    assert all(one["flash"] < 983_040 and one["ram"] < 262_144 for one in sizes.values())
    # Floats round as on the host. The compiler would fuse operations by default.
    assert "vfma" not in run(
        "arm-none-eabi-objdump",
        "-d",
        *(path for path in objects if path.stem.endswith(("stream", "_f32"))),
    )
    predicted = bench.bench(bundle.load(name), "cortex-m4")  # the figures of `groupcomm fit`
    flash = sum(predicted["flash_bytes"].values())
    assert {key: one["flash"] for key, one in sizes.items()} == pytest.approx(
        dict.fromkeys(EXAMPLES, flash), rel=0.05
    )
    lines = run("arm-none-eabi-nm", "-SC", elfs["Benchmark"]).splitlines()
    symbol_sizes = {
        fields[3]: int(fields[1], 16)
        for fields in (line.split(maxsplit=3) for line in lines)
        if len(fields) == 4
    }
    assert symbol_sizes["(anonymous namespace)::memory"] == pytest.approx(
        sum(predicted["ram_bytes"][kind] for kind in ("state", "activations", "stream")), rel=0.05
    )

    # On the emulated M4, with its own startup code, the bytes equal those of TFLM and of the host.
    for file in ("startup.c", "board.cc"):
        objects.append(tmp_path / f"{file}.o")
        compiler = "arm-none-eabi-gcc" if file.endswith(".c") else "arm-none-eabi-g++"
        run(compiler, *LINK[:4], "-O2", "-c", "-I", REPO, CORTEX_M / file, "-o", objects[-1])
    scripts = [
        "-nostartfiles",
        *(f"-T{CORTEX_M / script}" for script in ("cortex_m4.ld", "sections.ld")),
    ]
    firmware = {}
    for example in ("EnhanceSerial", "EnhanceMicrophone"):
        firmware[example] = tmp_path / f"{example}.firmware.elf"
        sketch = tmp_path / f"{example}.o"
        run("arm-none-eabi-g++", *LINK, *scripts, sketch, *objects, "-lm", "-o", firmware[example])
    with Line(emulator("mps2-an386", firmware["EnhanceSerial"])) as line:
        assert equal(prove(line, name, timeout=20))
    recording_equals_this_machine(firmware["EnhanceMicrophone"], name, tmp_path / "perfect")
    keys_change_the_sound(firmware["EnhanceMicrophone"], name, tmp_path / "keys")
    faults = {"drop": 5e-5, "flip": 5e-5}
    found = recording_equals_this_machine(
        firmware["EnhanceMicrophone"], name, tmp_path / "faults", **faults
    )
    assert found["damaged"] > 0


def recording_equals_this_machine(firmware, name, folder, **faults) -> dict:
    """Record the microphone of the emulated board; every hop that arrives is right."""
    with (
        Line(emulator("mps2-an386", firmware), **faults) as line,
        serial_link.open_port(line.name, 115200) as port,
    ):
        found = listen.listen(port, folder, seconds=0.8, silence=20)
    opened = bundle.load(name)
    hop, latency = opened.signal.hop, opened.signal.window - opened.signal.hop
    first, count = found["first_hop"], found["hops"]
    pcm, noise = np.zeros((first + count) * hop, np.int16), 1
    for i in range(len(pcm)):
        noise = (noise * 1664525 + 1013904223) % 2**32
        pcm[i] = noise >> 20
    # This machine's stream drops the output before its first sample: those hops are not compared.
    after = host_tools.separate_pcm(opened, np.pad(pcm, (0, latency)))[2]
    late = np.pad(after, ((0, 0), (latency, 0)))[:, : len(pcm)]
    with wave.open(str(folder / "before.wav")) as file:
        before = np.frombuffer(file.readframes(-1), "<i2").reshape(count, hop)
    with wave.open(str(folder / "after.wav")) as file:
        heard = np.frombuffer(file.readframes(-1), "<i2").reshape(count, hop, -1)
    right = pcm.reshape(-1, hop)[first:], late.T.reshape(-1, hop, len(late))[first:]
    missing = ~before.any(1)
    assert missing.sum() == count - found["received"] < count / 4
    assert np.array_equal(before[~missing], right[0][~missing])
    known = ~missing & (first + np.arange(count) >= -(-latency // hop))
    assert np.array_equal(heard[known], right[1][known]) and not heard[missing].any()
    assert known.sum() > count / 2
    return found


def keys_change_the_sound(firmware, name, folder) -> None:
    """Record with a bypass, and then with a gain that the microphone of core.cpp has as silence."""
    signal = bundle.load(name).signal
    late = signal.window - signal.hop
    with (
        Line(emulator("mps2-an386", firmware)) as line,
        serial_link.open_port(line.name, 115200) as port,
    ):
        for key in (b"b", b"A"):
            for _ in range(40):  # pipes hold seconds of sound from before the key
                serial_link.Link(port).send(key)
                listen.listen(port, folder, seconds=0.3, silence=20)
                sound = (pcm_of(folder / file) for file in ("before.wav", "after.wav"))
                before, after = (pcm[len(pcm) // 2 :] for pcm in sound)
                if np.array_equal(after[late:], before[:-late]) and before.any() == (key == b"b"):
                    break
            else:
                pytest.fail(f"key {key!r} has no effect")


def pcm_of(file) -> np.ndarray:
    with wave.open(str(file)) as opened:
        return np.frombuffer(opened.readframes(-1), "<i2")


def run(*command) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_zip_file_has_the_library_and_the_same_bytes_twice(tmp_path):
    opened = bundle.load("enhance-nano")
    folder = tmp_path / "GroupComm_enhance-nano"
    files = arduino.write(opened, folder)
    for name in ("a.zip", "b.zip"):
        assert arduino.write(opened, tmp_path / name) == files
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {f"{folder.name}/{file}": (folder / file).read_bytes() for file in files}
    readme = (folder / "README.md").read_text()
    assert "@" not in readme and f"#include <{folder.name}.h>" in readme
    budget = opened.description["budget"]["cortex-m4"]
    for limit in budget.values():
        assert f"at most {limit:,}" in readme
    assert "the board has 512,000 cycles |" in readme  # 8 ms of the nRF52840
    assert "| latency | 16 ms |" in readme


def test_two_libraries_in_one_sketchbook(tmp_path):
    """A sketch uses one of two installed libraries; with both, it ends with one clear error."""
    libraries = {}
    for bundle_name in ("enhance-nano", "enhance-fast"):
        opened = bundle.load(bundle_name)
        name = arduino.library_name(opened)
        libraries[name] = tmp_path / name
        arduino.write(opened, tmp_path / name)
    first, second = libraries
    # The IDE finds a library by the first header that a sketch includes.
    for name, other in ((first, second), (second, first)):
        sketch = (libraries[name] / "examples/EnhanceSerial/EnhanceSerial.ino").read_text()
        assert re.search("#include <(.*)>", sketch)[1] == f"{name}.h"
        assert not (libraries[other] / "src" / f"{name}.h").exists()

    def errors(*sketch: str, found: tuple[str, ...]) -> list[str]:
        """Compile a sketch against the libraries that the IDE found, in its order."""
        file = tmp_path / "sketch.cpp"
        file.write_text("".join(f"#include <{name}.h>\n" for name in sketch))
        includes = [f"-I{libraries[name] / 'src'}" for name in found]
        command = ["g++", "-std=gnu++14", "-fsyntax-only", *WARNINGS, *includes, file]
        done = subprocess.run(command, capture_output=True, text=True)
        return re.findall("error: (.*)", done.stderr)

    for found in ((first, second), (second, first)):
        assert errors(found[0], found=found) == []
        expected = f"#error A sketch can contain only one GroupComm library. Include {found[1]}.h"
        for sketch in (found, found[1:]):  # in one file of the sketch, and in two
            [error] = errors(*sketch, found=found)
            assert error.replace('"', "").startswith(expected)


def test_command(tmp_path):
    found = ok("package", "arduino", "enhance-nano", "--out", tmp_path / "library", "--json")
    assert found["bundle"] == "enhance-nano" and all(
        (tmp_path / "library" / file).is_file() for file in found["files"]
    )
    assert (
        ok("package", "arduino", "enhance-nano", "--out", tmp_path / "library", "--json") == found
    )
    done = groupcomm("package", "zephyr", "enhance-nano", "--out", tmp_path / "library")
    assert (
        done.returncode == 2 and "which would be lost; choose another output folder" in done.stderr
    )
    done = groupcomm("package", "arduino", "enhance-nano", "--out", "/proc/library")
    assert (
        done.returncode == 2
        and "Traceback" not in done.stderr
        and "cannot write here" in done.stderr
    )

"""A Zephyr module: Kconfig, devicetree, CMake, and its applications on both emulated cores."""

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kconfiglib
import numpy as np
import pytest
import yaml
from devicetree import edtlib

from convert import bundle
from convert.codegen import zephyr
from convert.measure import bench
from convert.run import host_tools
from convert.verify import serial_parity
from groupcomm.files import REPO
from tests.helpers.serial_line import Line, emulator, equal, prove

pytestmark = [pytest.mark.bazel, pytest.mark.board]

STAND_IN = REPO / "tests" / "convert" / "zephyr"
CORTEX_M = REPO / "micro" / "boards" / "cortex_m"
# The board, its core, and the emulated machine with that core.
BOARDS = {
    "nrf52840dk": (
        "nrf52840dk_nrf52840",
        "cortex-m4",
        "mps2-an386",
        # This board has the functions of Zephyr 3.7 LTS and 4.x, the others those of main.
        "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -DSTAND_IN_ZEPHYR_LTS",
    ),
    "nrf5340_audio_dk": (
        "nrf5340_audio_dk_nrf5340_cpuapp",
        "cortex-m33",
        "mps2-an505",
        "-mcpu=cortex-m33 -mfpu=fpv5-sp-d16",
    ),
    "nrf5340dk": (
        "nrf5340dk_nrf5340_cpuapp",
        "cortex-m33",
        "mps2-an505",
        "-mcpu=cortex-m33 -mfpu=fpv5-sp-d16",
    ),
}
FLAGS = "-mthumb -mfloat-abi=hard -O2 -ffunction-sections -fdata-sections -Wall -Werror"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a function that writes a module once, and returns its folder and files."""

    @functools.cache
    def write(name):
        folder = tmp_path_factory.mktemp("modules") / name
        opened = bundle.load(name)
        return folder, zephyr.write(opened, folder)

    return write


@pytest.fixture(scope="module", params=["enhance-nano", "enhance-fast"])
def module(request, package):
    return request.param, *package(request.param)


@pytest.fixture(scope="module")
def nano(package):
    return package("enhance-nano")[0]


def own(app):
    """Return the module of an application that is in one."""
    return [app.parent] if app.name == "app" else []


def configured(app, confs, tmp_path, monkeypatch, *, board="nrf5340dk", modules=()):
    """Evaluate the application's Kconfig as Zephyr does. Every assignment must take effect."""
    kconfigs = [f'osource "{one / "zephyr" / "Kconfig"}"' for one in (*own(app), *modules)]
    (tmp_path / "Kconfig.modules").write_text("\n".join(kconfigs) + "\n")
    monkeypatch.setenv("srctree", str(STAND_IN))
    monkeypatch.setenv("MODULES_KCONFIG", str(tmp_path / "Kconfig.modules"))
    monkeypatch.setenv("BOARD", board)
    kconfig = kconfiglib.Kconfig(str(app / "Kconfig"), warn_to_stderr=False)
    kconfig.warn_assign_undef, kconfig.warn_assign_override = True, False
    for i, conf in enumerate(confs):
        kconfig.load_config(str(app / conf), replace=i == 0)
    for symbol in kconfig.unique_defined_syms:
        if symbol.user_value is not None and symbol.choice is None:
            wanted = (
                symbol.user_value
                if isinstance(symbol.user_value, str)
                else "nmy"[symbol.user_value]
            )
            assert symbol.str_value == wanted, symbol.name
    assert kconfig.warnings == []
    kconfig.write_config(str(tmp_path / ".config"))
    kconfig.write_autoconf(str(tmp_path / "autoconf.h"))
    return kconfig


def devicetree(app, overlay, tmp_path):
    """Preprocess and read the board's tree with the overlay, as Zephyr does."""
    tree = tmp_path / "board.dts"
    command = ["gcc", "-E", "-P", "-undef", "-nostdinc", "-x", "assembler-with-cpp"]
    command += [f"-I{STAND_IN / 'dts'}", "-DAUDIO_DK" if "audio" in overlay else "-DDK"]
    given = (STAND_IN / "board.dts", app / "boards" / f"{overlay}.overlay")
    (tmp_path / "all.dts").write_text("".join(f'#include "{file}"\n' for file in given))
    subprocess.run([*command, tmp_path / "all.dts", "-o", tree], check=True)
    return edtlib.EDT(str(tree), [str(STAND_IN / "bindings")])


def devicetree_header(tree):
    """Return the macros of stand-ins for the chosen nodes and the aliases of an application."""
    lines = [
        f"#define DT_CHOSEN_{re.sub(r'[^a-z]', '_', name)} {node.labels[0]}"
        for name, node in tree.chosen_nodes.items()
        if name.startswith("groupcomm,")
    ]
    for node in tree.nodes:
        for alias in node.aliases:
            [pin] = node.props["gpios"].val
            value = (
                f"{{&stand_in_{pin.controller.labels[0]}, {pin.data['pin']}, {pin.data['flags']}}}"
            )
            lines += [
                f"#define DT_ALIAS_{alias} {node.labels[0]}",
                f"#define STAND_IN_{node.labels[0]}_gpios {value}",
            ]
    return "\n".join(lines) + "\n"


def built(app, tmp_path, monkeypatch, board, confs=("prj.conf",), modules=()):
    """Build an application with its own CMake, and the startup code of the emulated board."""
    overlay, core, _, core_flags = BOARDS[board]
    tmp_path.mkdir(parents=True, exist_ok=True)
    configured(app, confs, tmp_path, monkeypatch, board=board, modules=modules)
    header = devicetree_header(devicetree(app, overlay, tmp_path)) if own(app) else ""
    (tmp_path / "devicetree_generated.h").write_text(header)
    flags = f"{core_flags} {FLAGS} -I{tmp_path}"
    scripts = [f"-T{CORTEX_M / name}" for name in (f"{core.replace('-', '_')}.ld", "sections.ld")]
    sources = [STAND_IN / "stand_in.cc", CORTEX_M / "startup.c", CORTEX_M / "board.cc"]
    options = {
        "CMAKE_TOOLCHAIN_FILE": STAND_IN / "toolchain.cmake",
        "Zephyr_DIR": STAND_IN / "cmake",
        "CMAKE_C_FLAGS": flags,
        "CMAKE_CXX_FLAGS": f"{flags} -fno-exceptions -fno-rtti -fno-threadsafe-statics",
        "CMAKE_EXE_LINKER_FLAGS": "-nostartfiles --specs=nano.specs -Wl,--gc-sections "
        + " ".join(scripts),
        "STAND_IN_CONFIG": tmp_path / ".config",
        "STAND_IN_AUTOCONF": tmp_path / "autoconf.h",
        "STAND_IN_ROOT": REPO,
        "STAND_IN_SOURCES": ";".join(map(str, sources)),
        "ZEPHYR_EXTRA_MODULES": ";".join(map(str, modules)),
    }
    cmake = Path(sys.executable).with_name("cmake")
    for command in (
        [
            cmake,
            "-S",
            app,
            "-B",
            tmp_path / "build",
            *(f"-D{key}={value}" for key, value in options.items()),
        ],
        [cmake, "--build", tmp_path / "build", "--parallel", "2"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return tmp_path / "build" / "zephyr.elf"


def test_sample_yaml_names_boards_and_configurations_that_exist(module):
    _, folder, _ = module
    sample = yaml.safe_load((folder / "app" / "sample.yaml").read_text())
    known = {overlay for overlay, *_ in BOARDS.values()}
    for test in sample["tests"].values():
        assert {name.replace("/", "_") for name in test["platform_allow"]} <= known
        for name in test.get("extra_args", []):
            assert (folder / "app" / name.partition("=")[2]).is_file()


def sizes(elf):
    text, data, bss = map(
        int,
        subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True).stdout.split()[
            6:9
        ],
    )
    return text + data, data + bss


def symbols(elf):
    lines = subprocess.run(
        ["arm-none-eabi-nm", "-SC", elf], capture_output=True, text=True
    ).stdout.splitlines()
    return {
        fields[3]: int(fields[1], 16)
        for fields in (line.split(maxsplit=3) for line in lines)
        if len(fields) == 4
    }


def test_module_yaml(module):
    """See https://docs.zephyrproject.org/latest/develop/modules.html."""
    name, folder, files = module
    module_file = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert set(module_file) == {"name", "build"} and set(module_file["build"]) == {
        "cmake",
        "kconfig",
    }
    assert (folder / module_file["build"]["cmake"] / "CMakeLists.txt").is_file() and (
        folder / module_file["build"]["kconfig"]
    ).is_file()
    assert files == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
    text = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert str(REPO) not in text and not re.search("@[A-Z_]+@", text)
    assert module_file["name"] == f"groupcomm_{name.replace('-', '_')}"


def test_readme_has_the_budget_of_the_bundle(module):
    name, folder, _ = module
    budget = bundle.load(name).description["budget"]["cortex-m33"]
    assert (
        f"| Nordic nRF5340 DK, application core | flash: {budget['flash_bytes']:,} bytes; "
        f"RAM, with the stack: {budget['ram_bytes']:,} bytes; "
        f"instructions per hop: {budget['instructions']:,}, for which the board has "
        f"{128_000 * 1000 * bundle.load(name).signal.hop // 16_000:,} cycles |\n"
    ) in (folder / "README.md").read_text()


def test_kconfig(module, tmp_path, monkeypatch):
    _, folder, _ = module

    def on(*confs, modules=()):
        kconfig = configured(folder / "app", confs, tmp_path, monkeypatch, modules=modules)
        return {name for name, symbol in kconfig.syms.items() if symbol.str_value == "y"}

    plain = on("prj.conf")
    assert {
        "GROUPCOMM",
        "GROUPCOMM_ENGINE_STATIC",
        "GROUPCOMM_APP_PARITY",
        "UART_INTERRUPT_DRIVEN",
    } <= plain
    assert {"REQUIRES_FULL_LIBCPP", "FPU", "FPU_SHARING", "STD_CPP17"} <= plain and not {
        "CONSOLE",
        "PRINTK",
    } & plain
    benchmark = on("prj.conf", "benchmark.conf")
    assert {
        "GROUPCOMM_APP_BENCHMARK",
        "PRINTK",
        "UART_CONSOLE",
    } <= benchmark and "GROUPCOMM_APP_PARITY" not in benchmark
    tflm = on("prj.conf", "tflm.conf", modules=[STAND_IN / "tflite-micro"])
    assert "GROUPCOMM_ENGINE_TFLM" in tflm and "GROUPCOMM_ENGINE_STATIC" not in tflm
    with pytest.raises(AssertionError, match="undefined symbol TENSORFLOW_LITE_MICRO"):
        on("prj.conf", "tflm.conf")  # without the module, Zephyr reports an error
    for missing, named in (("CONFIG_CPP=y", "GROUPCOMM"), ("CONFIG_STD_CPP17=y", "GROUPCOMM")):
        (folder / "app" / "less.conf").write_text(
            (folder / "app" / "prj.conf").read_text().replace(missing, "")
        )
        with pytest.raises(AssertionError, match=named):
            on("less.conf")
        (folder / "app" / "less.conf").unlink()


def test_kconfig_of_two_networks(package, tmp_path, tmp_path_factory, monkeypatch):
    """One of the enabled networks is that of package.h."""
    app = tmp_path_factory.mktemp("application")
    (app / "Kconfig").write_text('source "Kconfig.zephyr"\n')
    modules = [package(name)[0] for name in ("enhance-nano", "enhance-fast")]

    def on(*names):
        text = "".join(f"CONFIG_{name}=y\n" for name in ("CPP", "STD_CPP17", *names))
        (app / "prj.conf").write_text(text)
        kconfig = configured(app, ["prj.conf"], tmp_path, monkeypatch, modules=modules)
        return {
            name
            for name, symbol in kconfig.syms.items()
            if name.startswith("GROUPCOMM") and symbol.str_value == "y"
        }

    nano, fast = "GROUPCOMM_ENHANCE_NANO", "GROUPCOMM_ENHANCE_FAST"
    always = {"GROUPCOMM", "GROUPCOMM_ENGINE_STATIC"}
    windows = {nano: "GROUPCOMM_WINDOW_256", fast: "GROUPCOMM_WINDOW_128"}
    assert on() == set()
    for name, window in windows.items():
        assert on(name) == always | {name, window, f"{name}_PACKAGE"}
    both = always | {nano, fast, *windows.values()}
    assert on(nano, fast) == both | {f"{nano}_PACKAGE"}
    assert on(nano, fast, f"{fast}_PACKAGE") == both | {f"{fast}_PACKAGE"}


def test_devicetree(module, tmp_path):
    _, folder, _ = module
    overlays = sorted(path.stem for path in (folder / "app" / "boards").glob("*.overlay"))
    assert overlays == [
        "nrf52840dk_nrf52840",
        "nrf5340_audio_dk_nrf5340_cpuapp",
        "nrf5340dk_nrf5340_cpuapp",
    ]
    for overlay in overlays:
        node = devicetree(folder / "app", overlay, tmp_path).chosen_node("groupcomm,parity-uart")
        assert node.labels == ["uart0"] and node.status == "okay"


# The nRF5340 Audio DK has the core and the functions of the nRF5340 DK.
@pytest.mark.parametrize("board", ["nrf52840dk", "nrf5340dk"])
def test_application_equals_this_machine(module, tmp_path, monkeypatch, board):
    """The application's own CMake and main give TFLM's bytes on the emulated core.

    Flash and RAM are as predicted by `groupcomm fit`.
    """
    name, folder, _ = module
    elf = built(folder / "app", tmp_path, monkeypatch, board)
    with Line(emulator(BOARDS[board][2], elf)) as line:
        found = prove(line, name, timeout=20)
    assert equal(found) and found["clock_hz"] == (128_000_000 if "nrf5340" in board else 64_000_000)
    predicted = bench.bench(bundle.load(name), BOARDS[board][1])
    assert sizes(elf)[0] == pytest.approx(sum(predicted["flash_bytes"].values()), rel=0.05)
    symbol_sizes = symbols(elf)
    memory = symbol_sizes["(anonymous namespace)::memory"]
    assert memory == pytest.approx(
        sum(predicted["ram_bytes"][kind] for kind in ("state", "activations", "stream")), rel=0.05
    )
    print(
        f"{name} on {board}: flash {sizes(elf)[0]:,}, "
        f"predicted {sum(predicted['flash_bytes'].values()):,}; memory {memory:,}"
    )


def test_benchmark_prints_its_result(nano, tmp_path, monkeypatch):
    """Here nrfx has the functions of the clock in the header that no other test uses."""
    (nano / "app" / "clock.conf").write_text("CONFIG_CLOCK_CONTROL_NRF=n\n")
    confs = ("prj.conf", "benchmark.conf", "clock.conf")
    elf = built(nano / "app", tmp_path, monkeypatch, "nrf5340dk", confs)
    # The emulator's cycle counter does not advance.
    assert run(elf, "nrf5340dk") == (
        "128 MHz, cycles a hop: mean 0, worst 0 of 1024000, load 0.0 %\n"
    )


def test_tflm_engine_builds(nano, tmp_path, monkeypatch):
    """The firmware has the model, and not the network as plain C. TFLM's headers are stubs."""
    confs, modules = ("prj.conf", "tflm.conf"), [STAND_IN / "tflite-micro"]
    elf = built(nano / "app", tmp_path, monkeypatch, "nrf5340dk", confs, modules)
    symbol_sizes = symbols(elf)
    opened = bundle.load("enhance-nano")
    assert symbol_sizes["groupcomm_tflite"] == len(opened.model)
    assert symbol_sizes["(anonymous namespace)::arena"] == opened.description["arena_bytes"]
    assert not {"run", "reset"} & set(symbol_sizes)


def run(elf, board, folder=None):
    """Run a program on the emulated core, and return what it prints."""
    command = emulator(BOARDS[board][2], elf, "none")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def exported(library):
    command = ["arm-none-eabi-nm", "-gC", "--defined-only", library]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split(maxsplit=2)[2] for line in lines if len(line.split(maxsplit=2)) == 3}


def processed(name, pcm):
    """Return the output of this machine's stream for PCM that begins with silence."""
    opened = bundle.load(name)
    latency = opened.signal.window - opened.signal.hop
    assert not pcm[:latency].any()
    return np.pad(host_tools.separate_pcm(opened, pcm)[2][0], (latency, 0))[: len(pcm)]


def recorded(folder, hops):
    """Write in.pcm, and return it. Its first hop is silence."""
    pcm = np.pad(serial_parity.speech(hops - 1, 128), (128, 0)).astype("<i2")
    pcm.tofile(folder / "in.pcm")
    return pcm


PRINTED = {
    "nrf52840dk": ("pdm 16125", "i2s 16129", 64_000_000 * 128 // 16129),
    "nrf5340_audio_dk": ("pdm 16000", "i2s 16000", 128_000_000 * 128 // 16000),
}


@pytest.mark.parametrize("board", PRINTED)
def test_sound_from_the_microphone_to_i2s(nano, tmp_path, monkeypatch, board):
    """Every hop is heard, except where the stand-in's microphone stops once.

    The functions for frames of 48 kHz are in the same firmware.
    """
    (nano / "app" / "audio.conf").write_text("CONFIG_GROUPCOMM_AUDIO_48K=y\n")
    confs = ("prj.conf", "sound.conf", "audio.conf")
    elf = built(nano / "app", tmp_path, monkeypatch, board, confs)
    pcm = recorded(tmp_path, 100).reshape(100, 128)
    pdm, i2s, most = PRINTED[board]
    assert run(elf, board, tmp_path).splitlines() == [
        pdm,
        i2s,
        "hops 88, late 0, overruns 1, underruns 1, failures 0",
        f"worst hop 0 of {most} cycles, bypass off",
        "led 29",  # of 100 hops, and the attempt to read another one
    ]
    heard = np.delete(pcm, slice(60, 72), axis=0)  # (88, hop)
    expected = processed("enhance-nano", heard.reshape(-1)).reshape(heard.shape)
    # The bypass begins and ends in the hop after that which reads the button a second time.
    expected[21:41] = heard[20:40]
    silence = np.zeros((2, 128), np.int16)
    # I2S runs out; the hop that finds it so is lost, and silence goes ahead again.
    played = np.concatenate([silence, expected[:60], silence, expected[61:]])
    out = np.fromfile(tmp_path / "out.pcm", "<i2").reshape(-1, 128, 2)
    np.testing.assert_array_equal(out[:, :, 0], played[: len(out)])
    np.testing.assert_array_equal(out[:, :, 1], out[:, :, 0])
    assert len(played) - len(out) <= 3  # in the queue of I2S
    library = elf.parent / "modules" / "groupcomm_enhance_nano"
    names = exported(library / "libgroupcomm.a") | exported(library / "libgroupcomm_enhance_nano.a")
    assert {"groupcomm_audio_48k", "groupcomm_arm_fir_decimate_f32"} <= names
    # The application may contain its own CMSIS-DSP.
    assert not [
        name
        for name in names
        if not name.removeprefix("vtable for ").startswith(("groupcomm", "gc_"))
    ]


def test_two_networks_in_one_image(package, tmp_path, monkeypatch):
    """What both modules have in common is in the image once, and each gives its own bytes."""
    modules = [package(name)[0] for name in ("enhance-nano", "enhance-fast")]
    elf = built(STAND_IN / "two", tmp_path, monkeypatch, "nrf5340dk", modules=modules)
    pcm = recorded(tmp_path, 40)
    run(elf, "nrf5340dk", tmp_path)
    for name in ("nano", "fast"):
        out = np.fromfile(tmp_path / f"{name}.pcm", "<i2")
        np.testing.assert_array_equal(out, processed(f"enhance-{name}", pcm))
    budgets = [bundle.load(module.name).description["budget"]["cortex-m33"] for module in modules]
    assert sizes(elf)[0] < sum(budget["flash_bytes"] for budget in budgets)
    print(f"two networks: flash {sizes(elf)[0]:,}")


def test_two_networks_of_different_versions_are_refused(package, tmp_path, monkeypatch):
    modules = [package("enhance-nano")[0], tmp_path / "enhance-fast"]
    shutil.copytree(package("enhance-fast")[0], modules[1])
    cmake = modules[1] / "network.cmake"
    cmake.write_text(re.sub("VERSION .*", "VERSION 0)", cmake.read_text(), count=1))
    with pytest.raises(AssertionError, match=r"both\s+networks\s+with\s+one\s+version"):
        built(STAND_IN / "two", tmp_path, monkeypatch, "nrf5340dk", modules=modules)

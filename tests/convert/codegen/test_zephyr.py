"""A Zephyr module: Kconfig, devicetree, CMake, and parity of its application on both cores."""

import subprocess
import sys
from pathlib import Path

import kconfiglib
import pytest
import yaml
from devicetree import edtlib

from convert import bundle
from convert.codegen import zephyr
from convert.measure import bench
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


@pytest.fixture(scope="module", params=["enhance-nano", "enhance-fast"])
def module(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules") / request.param
    files = zephyr.write(bundle.load(request.param), folder)
    return request.param, folder, files


def configured(folder, confs, tmp_path, monkeypatch, *, board="nrf5340dk", modules=()):
    """Evaluate the application's Kconfig as Zephyr does. Every assignment must take effect."""
    kconfigs = [f'osource "{one / "zephyr" / "Kconfig"}"' for one in (folder, *modules)]
    (tmp_path / "Kconfig.modules").write_text("\n".join(kconfigs) + "\n")
    monkeypatch.setenv("srctree", str(STAND_IN))
    monkeypatch.setenv("MODULES_KCONFIG", str(tmp_path / "Kconfig.modules"))
    monkeypatch.setenv("BOARD", board)
    kconfig = kconfiglib.Kconfig(str(folder / "app" / "Kconfig"), warn_to_stderr=False)
    kconfig.warn_assign_undef, kconfig.warn_assign_override = True, False
    for i, conf in enumerate(confs):
        kconfig.load_config(str(folder / "app" / conf), replace=i == 0)
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


def devicetree(folder, overlay, tmp_path):
    tree = tmp_path / "board.dts"
    tree.write_text(
        (STAND_IN / "board.dts").read_text()
        + (folder / "app" / "boards" / f"{overlay}.overlay").read_text()
    )
    return edtlib.EDT(str(tree), [str(STAND_IN / "bindings")])


def built(folder, tmp_path, monkeypatch, board, confs=("prj.conf",), modules=()):
    """Build the application with its own CMake, and the startup code of the emulated board."""
    overlay, core, _, core_flags = BOARDS[board]
    tmp_path.mkdir(parents=True, exist_ok=True)
    configured(folder, confs, tmp_path, monkeypatch, board=board, modules=modules)
    node = devicetree(folder, overlay, tmp_path).chosen_node("groupcomm,parity-uart")
    (tmp_path / "devicetree_generated.h").write_text(
        f"#define DT_CHOSEN_groupcomm_parity_uart {node.labels[0]}\n"
    )
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
            folder / "app",
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
    _, folder, files = module
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
    assert str(REPO) not in text and "@NAME@" not in text


def test_kconfig(module, tmp_path, monkeypatch):
    _, folder, _ = module

    def on(*confs, modules=()):
        kconfig = configured(folder, confs, tmp_path, monkeypatch, modules=modules)
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


def test_devicetree(module, tmp_path):
    _, folder, _ = module
    overlays = sorted(path.stem for path in (folder / "app" / "boards").glob("*.overlay"))
    assert overlays == [
        "nrf52840dk_nrf52840",
        "nrf5340_audio_dk_nrf5340_cpuapp",
        "nrf5340dk_nrf5340_cpuapp",
    ]
    for overlay in overlays:
        node = devicetree(folder, overlay, tmp_path).chosen_node("groupcomm,parity-uart")
        assert node.labels == ["uart0"] and node.status == "okay"


@pytest.mark.parametrize("board", BOARDS)
def test_application_equals_this_machine(module, tmp_path, monkeypatch, board):
    """The application's own CMake and main give TFLM's bytes on the emulated core.

    Flash and RAM are as predicted by `groupcomm fit`.
    """
    name, folder, _ = module
    elf = built(folder, tmp_path, monkeypatch, board)
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


@pytest.mark.parametrize("clock", ["CONFIG_CLOCK_CONTROL_NRF=y", "CONFIG_CLOCK_CONTROL_NRF=n"])
def test_benchmark_prints_its_result(module, tmp_path, monkeypatch, clock):
    """Both clock interfaces of nrfx are supported."""
    name, folder, _ = module
    (folder / "app" / "clock.conf").write_text(clock + "\n")
    elf = built(
        folder, tmp_path, monkeypatch, "nrf5340dk", ("prj.conf", "benchmark.conf", "clock.conf")
    )
    (folder / "app" / "clock.conf").unlink()
    done = subprocess.run(
        emulator(BOARDS["nrf5340dk"][2], elf, "none"), capture_output=True, text=True, timeout=120
    )
    # The emulator's cycle counter does not advance.
    most = 128_000_000 * bundle.load(name).signal.hop // 16_000
    assert (
        done.stdout == f"128 MHz, cycles a hop: mean 0, worst 0 of {most}, load 0.0 %\n"
        and done.returncode == 0
    )


def test_tflm_engine_builds(module, tmp_path, monkeypatch):
    """The firmware has the model, and not the network as plain C. TFLM's headers are stubs."""
    name, folder, _ = module
    elf = built(
        folder,
        tmp_path,
        monkeypatch,
        "nrf5340dk",
        ("prj.conf", "tflm.conf"),
        [STAND_IN / "tflite-micro"],
    )
    symbol_sizes = symbols(elf)
    assert symbol_sizes["groupcomm_tflite"] == len(bundle.load(name).model)
    assert (
        symbol_sizes["(anonymous namespace)::arena"] == bundle.load(name).description["arena_bytes"]
    )
    assert not {"run", "reset"} & set(symbol_sizes)


def test_48_khz_audio_builds(module, tmp_path, monkeypatch):
    _, folder, _ = module
    (folder / "app" / "audio.conf").write_text("CONFIG_GROUPCOMM_AUDIO_48K=y\n")
    elf = built(folder, tmp_path, monkeypatch, "nrf5340dk", ("prj.conf", "audio.conf"))
    (folder / "app" / "audio.conf").unlink()
    library = elf.parent / "modules" / folder.name / "libgroupcomm.a"
    lines = subprocess.run(
        ["arm-none-eabi-nm", "-gC", "--defined-only", library], capture_output=True, text=True
    ).stdout.splitlines()
    names = {line.split(maxsplit=2)[2] for line in lines if len(line.split(maxsplit=2)) == 3}
    assert {"groupcomm_audio_48k", "groupcomm_arm_fir_decimate_f32"} <= names
    # The application may contain its own CMSIS-DSP.
    assert not [
        name
        for name in names
        if not name.removeprefix("vtable for ").startswith(("groupcomm", "gc_"))
    ]

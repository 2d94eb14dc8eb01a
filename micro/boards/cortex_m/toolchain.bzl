"""@cortex_m: GCC for Cortex-M and QEMU, as Debian's packages install them."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load("@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl", "feature", "flag_group", "flag_set", "tool_path")
load(":boards.bzl", "BOARDS")

QemuInfo = provider(fields = ["path"])

# Files that a C++ compiler for firmware needs, and the packages that contain them.
_HEADERS = {
    "nano.specs": "libnewlib-arm-none-eabi",
    "libstdc++_nano.a": "libstdc++-arm-none-eabi-newlib",
}

_BUILD = """
load("@groupcomm//micro/boards/cortex_m:toolchain.bzl", "cortex_m_toolchains", "qemu")

package(default_visibility = ["//visibility:public"])

qemu(
    name = "qemu",
    path = "{qemu}",
)

cortex_m_toolchains(
    name = "toolchains",
    include_directories = {include_directories},
    tools = "{tools}",
)
"""

def _missing(what, package):
    fail("%s is missing, and board tests need it; run `make setup`, or: apt-get install --no-install-recommends %s" % (what, package))

def _cortex_m_impl(ctx):
    gcc = ctx.which("arm-none-eabi-gcc") or _missing("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    qemu = ctx.which("qemu-system-arm") or _missing("qemu-system-arm", "qemu-system-arm")
    for file, package in _HEADERS.items():
        # GCC prints a path if it finds the file, and the bare name otherwise.
        if ctx.execute([gcc, "-print-file-name=" + file]).stdout.strip() == file:
            _missing(file, package)
    searched = ctx.execute([gcc, "-xc++", "-E", "-v", "/dev/null"]).stderr
    listed = searched.split("#include <...> search starts here:")[1].split("End of search list.")[0]
    ctx.file("BUILD", _BUILD.format(
        include_directories = [str(ctx.path(line.strip())) for line in listed.strip().split("\n")],
        qemu = qemu,
        tools = str(gcc)[:-len("gcc")],
    ))

cortex_m = repository_rule(
    implementation = _cortex_m_impl,
    environ = ["PATH"],
    configure = True,
    local = True,
)

def _qemu_impl(ctx):
    return QemuInfo(path = ctx.attr.path)

qemu = rule(
    implementation = _qemu_impl,
    attrs = {"path": attr.string()},
)

def _config_impl(ctx):
    core = ["-mthumb", "-mfloat-abi=hard"] + ctx.attr.core_flags
    compile = core + ["-O2", "-ffunction-sections", "-fdata-sections", "-no-canonical-prefixes", "-fno-canonical-system-headers"]
    cxx = ["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]

    # There are no start files and no _sbrk, so code that calls malloc does not link.
    link = core + ["-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-lstdc++", "-lm"]
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        toolchain_identifier = ctx.attr.cpu,
        host_system_name = "local",
        target_system_name = "arm-none-eabi",
        target_cpu = ctx.attr.cpu,
        target_libc = "newlib",
        compiler = "gcc",
        abi_version = "eabi",
        abi_libc_version = "newlib",
        cxx_builtin_include_directories = ctx.attr.include_directories,
        tool_paths = [
            tool_path(name = name, path = ctx.attr.tools + name)
            for name in ["ar", "cpp", "gcc", "gcov", "ld", "nm", "objcopy", "objdump", "strip"]
        ],
        features = [
            feature(name = "firmware", enabled = True, flag_sets = [
                flag_set(
                    actions = [ACTION_NAMES.c_compile, ACTION_NAMES.cpp_compile, ACTION_NAMES.assemble, ACTION_NAMES.preprocess_assemble],
                    flag_groups = [flag_group(flags = compile)],
                ),
                flag_set(actions = [ACTION_NAMES.cpp_compile], flag_groups = [flag_group(flags = cxx)]),
                flag_set(actions = [ACTION_NAMES.cpp_link_executable], flag_groups = [flag_group(flags = link)]),
            ]),
        ],
    )

_config = rule(
    implementation = _config_impl,
    attrs = {
        "core_flags": attr.string_list(),
        "cpu": attr.string(),
        "include_directories": attr.string_list(),
        "tools": attr.string(),
    },
    provides = [CcToolchainConfigInfo],
)

def cortex_m_toolchains(name, include_directories, tools):
    """Defines a cc_toolchain_suite with a toolchain for each board."""
    native.filegroup(name = "none")
    for cpu, board in BOARDS.items():
        _config(name = cpu + "_config", cpu = cpu, core_flags = board.flags, include_directories = include_directories, tools = tools)
        native.cc_toolchain(
            name = cpu,
            all_files = ":none",
            compiler_files = ":none",
            dwp_files = ":none",
            linker_files = ":none",
            objcopy_files = ":none",
            strip_files = ":none",
            supports_param_files = False,
            toolchain_config = cpu + "_config",
            toolchain_identifier = cpu,
        )
    native.cc_toolchain_suite(name = name, toolchains = {cpu: cpu for cpu in BOARDS})

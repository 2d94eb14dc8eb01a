"""Rules for firmware on emulated boards.

cortex_m_binary makes programs to run by hand or from Python, cortex_m_test tests for Bazel.
"""

load(":boards.bzl", "BOARDS")
load(":toolchain.bzl", "QemuInfo")

# The options of the host build (another compiler, position independence, sanitizers) do not apply
# to a board.
def _for_board_impl(_settings, attr):
    return {
        "//command_line_option:copt": [],
        "//command_line_option:cpu": attr.board,
        "//command_line_option:crosstool_top": "@cortex_m//:toolchains",
        "//command_line_option:force_pic": False,
        "//command_line_option:linkopt": [],
    }

_for_board = transition(
    implementation = _for_board_impl,
    inputs = [],
    outputs = ["//command_line_option:" + name for name in ["copt", "cpu", "crosstool_top", "force_pic", "linkopt"]],
)

def _emulated_impl(ctx):
    elf = ctx.actions.declare_file(ctx.label.name + ".elf")
    ctx.actions.symlink(output = elf, target_file = ctx.attr.firmware[0][DefaultInfo].files_to_run.executable)
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = ctx.file._template,
        output = program,
        is_executable = True,
        substitutions = {
            "{counter}": "/".join([".."] * len(ctx.label.package.split("/"))) + "/" + ctx.file._counter.short_path,
            "{machine}": BOARDS[ctx.attr.board].machine,
            "{qemu}": ctx.attr._qemu[QemuInfo].path,
        },
    )
    return [DefaultInfo(
        executable = program,
        files = depset([program, elf]),
        runfiles = ctx.runfiles(files = [elf, ctx.file._counter] + ctx.files.data),
    )]

_EMULATED = {
    "board": attr.string(values = BOARDS.keys()),
    "data": attr.label_list(allow_files = True),
    "firmware": attr.label(cfg = _for_board),
    "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    "_counter": attr.label(default = "//micro/boards/cortex_m/counter:counter.so", allow_single_file = True),
    "_qemu": attr.label(default = "@cortex_m//:qemu"),
    "_template": attr.label(default = "//micro/boards/cortex_m:emulate.sh", allow_single_file = True),
}

_emulated_binary = rule(implementation = _emulated_impl, attrs = _EMULATED, executable = True)

_emulated_test = rule(implementation = _emulated_impl, attrs = _EMULATED, test = True)

def _firmware(name, srcs, deps, testonly):
    # It builds only for a board, so no target pattern may build it for the host.
    native.cc_binary(
        name = name + "_firmware",
        testonly = testonly,
        srcs = srcs,
        additional_linker_inputs = ["//micro/boards/cortex_m:memory", "//micro/boards/cortex_m:sections.ld"],
        linkopts = ["-T$(location //micro/boards/cortex_m:memory)", "-T$(location //micro/boards/cortex_m:sections.ld)"],
        tags = ["manual"],
        deps = deps + ["//micro/boards/cortex_m:startup"],
    )
    return name + "_firmware"

def cortex_m_binary(name, srcs, deps = [], boards = BOARDS.keys(), testonly = False, **kwargs):
    """Defines NAME_BOARD for each board, which runs the firmware NAME_BOARD.elf under QEMU."""
    firmware = _firmware(name, srcs, deps, testonly)
    for board in boards:
        _emulated_binary(name = name + "_" + board, board = board, firmware = firmware, tags = ["board"], testonly = testonly, **kwargs)

def cortex_m_test(name, srcs, deps = [], boards = BOARDS.keys(), size = "small", manual = False, **kwargs):
    """Defines NAME_BOARD for each board, a test that passes when main returns 0 under QEMU."""
    firmware = _firmware(name, srcs, deps, True)
    tags = ["board"] + (["manual"] if manual else [])
    for board in boards:
        _emulated_test(name = name + "_" + board, board = board, firmware = firmware, size = size, tags = tags, **kwargs)

def script_test(name, script, files, args = [], size = "small", manual_boards = []):
    """Defines NAME_BOARD for each board, a test on the host that runs SCRIPT ARGS... FILES...

    In the label of a file, {board} is the board. The tests of `manual_boards` run only by name.
    """
    for board in BOARDS:
        labels = [file.replace("{board}", board) for file in files]
        native.sh_test(
            name = name + "_" + board,
            size = size,
            srcs = [script],
            args = args + ["$(rootpath %s)" % label for label in labels],
            data = {label: None for label in labels}.keys(),
            tags = ["board"] + (["manual"] if board in manual_boards else []),
        )

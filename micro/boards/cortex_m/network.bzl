"""Rules for firmware with a network that `groupcomm compile` wrote."""

load("//micro/engine:engine.bzl", "network_library")
load(":cortex_m.bzl", "cortex_m_binary")

def network_firmware(name, network, source, header, stream, kernels = "//micro/kernels", main = "network_firmware.cc"):
    """Defines NAME_BOARD for each board: a program of micro/boards/cortex_m with this network."""
    network_library(
        name = name + "_network",
        source = source,
        header = header,
        kernels = kernels,
        tags = ["manual"],
    )
    native.cc_library(
        name = name + "_main",
        srcs = ["//micro/boards/cortex_m:" + main],
        local_defines = [
            "GROUPCOMM_NETWORK=groupcomm_" + network,
            "GROUPCOMM_NETWORK_BYTES=GROUPCOMM_%s_BYTES" % network.upper(),
            "GROUPCOMM_NETWORK_MEMORY_BYTES=GROUPCOMM_%s_MEMORY_BYTES" % network.upper(),
            "GROUPCOMM_NETWORK_HEADER=\\\"%s.h\\\"" % network,
        ],
        tags = ["manual"],
        alwayslink = True,
        deps = [
            name + "_network",
            "//micro/boards/cortex_m:board",
            "//micro/api",
            "//micro/parity",
            stream,
        ],
    )
    cortex_m_binary(
        name = name,
        srcs = [],
        deps = [name + "_main"],
    )

def model_firmware(name, source, header, glue, kernels = "//micro/kernels"):
    """Defines NAME_BOARD for each board: a program that runs a model without a signal path."""
    native.cc_library(
        name = name + "_model",
        srcs = [source],
        hdrs = [header, glue],
        includes = ["."],
        # `groupcomm bench` finds the call of an operator by its line numbers.
        copts = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g"],
        tags = ["manual"],
        deps = [kernels],
    )
    native.cc_library(
        name = name + "_main",
        srcs = ["//micro/boards/cortex_m:model_firmware.cc"],
        tags = ["manual"],
        alwayslink = True,
        deps = [
            name + "_model",
            "//micro/boards/cortex_m:board",
        ],
    )
    cortex_m_binary(
        name = name,
        srcs = [],
        deps = [name + "_main"],
    )

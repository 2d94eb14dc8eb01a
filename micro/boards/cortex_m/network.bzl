"""Firmware of a network that `groupcomm compile` wrote."""

load(":cortex_m.bzl", "cortex_m_binary")

def network_firmware(name, network, source, header, stream, kernels = "//micro/kernels"):
    """NAME_BOARD for each board: micro/boards/cortex_m/network_firmware.cc with the network of these C files in it."""
    native.cc_library(
        name = name + "_network",
        srcs = [source],
        hdrs = [header],
        strip_include_prefix = "/" + Label("//%s:BUILD" % native.package_name()).relative(header).package,
        # The generated file is in no folder that .bazelrc knows. By its lines `groupcomm bench` knows an operator's call; they are in
        # the ELF file, not in flash.
        copts = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g"],
        tags = ["manual"],
        deps = ["//micro/engine:static_engine", kernels],
    )
    native.cc_library(
        name = name + "_main",
        srcs = ["//micro/boards/cortex_m:network_firmware.cc"],
        local_defines = [
            "GROUPCOMM_NETWORK=groupcomm_" + network,
            "GROUPCOMM_NETWORK_MEMORY_BYTES=GROUPCOMM_%s_MEMORY_BYTES" % network.upper(),
            "GROUPCOMM_NETWORK_HEADER=\\\"%s.h\\\"" % network,
        ],
        tags = ["manual"],
        alwayslink = True,
        deps = [
            name + "_network",
            "//micro/boards/cortex_m:board",
            "//micro/engine:static_engine",
            stream,
        ],
    )
    cortex_m_binary(
        name = name,
        srcs = [],
        deps = [name + "_main"],
    )

"""Rules for both engines: TFLM, and networks as plain C."""

def network_library(name, source, header, kernels = "//micro/kernels", **kwargs):
    """Builds a network that `groupcomm compile` wrote."""
    native.cc_library(
        name = name,
        srcs = [source],
        hdrs = [header],
        strip_include_prefix = "/" + Label("//%s:BUILD" % native.package_name()).relative(header).package,
        # The generated file is in no folder that .bazelrc names. `groupcomm bench` finds the call
        # of an operator by its line numbers, which are in the ELF file and not in flash.
        copts = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g"],
        deps = ["//micro/engine:static_engine", kernels],
        **kwargs
    )

def tflm_engine(name, deps, **kwargs):
    """Builds the engine's sources with one of the distributions of TFLM."""
    native.cc_library(
        name = name,
        srcs = [
            "operators.cc",
            "tflm_engine.cc",
            "tflm_kernels.cc",
        ],
        hdrs = [
            "operators.h",
            "tflm.h",
            "tflm_engine.h",
            "tflm_kernels.h",
        ],
        deps = [
            ":engine",
            "//micro/kernels",
        ] + deps,
        **kwargs
    )

"""Both engines: TFLM's sources as they come, and networks as plain C."""

def network_library(name, source, header, kernels = "//micro/kernels", **kwargs):
    """A network that `groupcomm compile` wrote."""
    native.cc_library(
        name = name,
        srcs = [source],
        hdrs = [header],
        strip_include_prefix = "/" + Label("//%s:BUILD" % native.package_name()).relative(header).package,
        # The generated file is in no folder that .bazelrc knows. By its lines `groupcomm bench` knows an operator's call; they are in
        # the ELF file, not in flash.
        copts = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-g"],
        deps = ["//micro/engine:static_engine", kernels],
        **kwargs
    )

def tflm_engine(name, deps, **kwargs):
    """The engine's sources, compiled against one of the ways in which TFLM comes."""
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

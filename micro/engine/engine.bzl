"""The engine's sources, compiled against one of the ways in which TFLM comes."""

def tflm_engine(name, deps, **kwargs):
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

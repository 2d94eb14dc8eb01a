"""@cmsis_dsp: the real FFT of CMSIS-DSP, from the source distribution of the PyPI package cmsisdsp."""

load("//micro/third_party:python.bzl", "find_python")

# cmsis_dsp.json pins the package, and lists the files of the FFT and of the filters, for Bazel, CMake
# and `groupcomm package`.
#
# __GNUC_PYTHON__ compiles the sources as in their Python package, without the header of CMSIS-Core,
# which that package lacks. It changes nothing else for floats, on a host or on a board.
# ARM_MATH_AUTOVECTORIZE excludes the Helium variants, which add in another order: occasionally a
# feature would differ by one, and the state of the network would propagate the difference to the
# output.
_BUILD = """
cc_library(
    name = "rfft_f32",
    srcs = {fft} + glob(["PrivateInclude/*.h"]),
    hdrs = glob(["Include/**/*.h"]),
    copts = ["-O2", "-w", "-I" + package_name() + "external/cmsis_dsp/PrivateInclude"],
    defines = {defines},
    includes = ["Include"],
    visibility = ["//visibility:public"],
)

cc_library(
    name = "fir_f32",
    srcs = {fir} + glob(["PrivateInclude/*.h"]),
    copts = ["-O2", "-w", "-I" + package_name() + "external/cmsis_dsp/PrivateInclude"],
    visibility = ["//visibility:public"],
    deps = [":rfft_f32"],
)

cc_library(
    name = "rfft_fixed",
    srcs = [
        "Core/cmsis_compiler.h",
        "Source/BasicMathFunctions/arm_shift_q15.c",
        "Source/BasicMathFunctions/arm_shift_q31.c",
        "Source/TransformFunctions/arm_cfft_q15.c",
        "Source/TransformFunctions/arm_cfft_q31.c",
        "Source/TransformFunctions/arm_cfft_radix4_q15.c",
        "Source/TransformFunctions/arm_cfft_radix4_q31.c",
        "Source/TransformFunctions/arm_rfft_init_q15.c",
        "Source/TransformFunctions/arm_rfft_init_q31.c",
        "Source/TransformFunctions/arm_rfft_q15.c",
        "Source/TransformFunctions/arm_rfft_q31.c",
    ] + glob(["PrivateInclude/*.h"]),
    copts = ["-O2", "-w", "-U__GNUC_PYTHON__"] + ["-I" + package_name() + "external/cmsis_dsp/" + d for d in ["Core", "PrivateInclude"]],
    tags = ["manual"],
    visibility = ["//visibility:public"],
    deps = [":rfft_f32"],
)
"""

# The instructions of the DSP extension that the fixed-point FFTs use from CMSIS-Core's header of
# this name. Only a comparison needs them.
_INSTRUCTIONS = [
    name
    for group in [
        "CLZ QADD QADD16 QADD8 QASX QSAX QSUB QSUB16 QSUB8 ROR SHADD16 SHASX SHSAX SHSUB16",
        "SMLAD SMLADX SMLALD SMLALDX SMLSDX SMUAD SMUADX SMUSD SMUSDX SSAT SXTB16 USAT",
    ]
    for name in group.split(" ")
]
_CORE = """#include <arm_acle.h>
#define __STATIC_FORCEINLINE static inline __attribute__((always_inline))
#define __STATIC_INLINE static inline
#define __ALIGNED(x) __attribute__((aligned(x)))
#define __WEAK
#define __ASM __asm
#define __PKHBT(a, b, shift) ((int32_t)(((uint32_t)(a) & 0xffff) | ((uint32_t)(b) << (shift) & 0xffff0000)))
#define __PKHTB(a, b, shift) ((int32_t)(((uint32_t)(a) & 0xffff0000) | ((uint32_t)((b) >> (shift)) & 0xffff)))
""" + "".join(["#define __%s __%s\n" % (name, name.lower()) for name in _INSTRUCTIONS])

def _cmsis_dsp_impl(ctx):
    # pip is set up on every machine of this project; --require-hashes checks the archive. pip runs
    # the package's setup.py for its metadata, which needs setuptools and numpy;
    # --no-build-isolation uses those of the environment.
    pin = json.decode(ctx.read(ctx.path(Label("//micro/third_party:cmsis_dsp.json"))))
    version = pin["version"]
    ctx.file("requirements.txt", "cmsisdsp==%s --hash=sha256:%s\n" % (version, pin["sha256"]))
    pip = [find_python(ctx), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=cmsisdsp"]
    pip += ["--no-build-isolation", "--require-hashes", "--dest=."]
    got = ctx.execute(pip + ["--requirement=requirements.txt"], timeout = 600)
    if got.return_code != 0:
        fail("cmsisdsp %s: pip could not fetch its source distribution; check that pip can reach its index\n%s" % (version, got.stderr))
    ctx.extract("cmsisdsp-%s.tar.gz" % version, stripPrefix = "cmsisdsp-" + version)
    ctx.file("Core/cmsis_compiler.h", _CORE)
    build = _BUILD
    for key in ("fft", "fir"):
        build = build.replace("{%s}" % key, str(["Source/%s.c" % file for file in pin[key]]))
    ctx.file("BUILD", build.replace("{defines}", str(pin["defines"])))

# It is not fetched again when GROUPCOMM_PYTHON changes: every Python gets the same archive.
cmsis_dsp = repository_rule(implementation = _cmsis_dsp_impl)

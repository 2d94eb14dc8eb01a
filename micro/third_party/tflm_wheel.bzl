"""@tflm_wheel: the official TFLM binary from the installed tflite-micro wheel, as a C++ library."""

load("//micro/third_party:python.bzl", "find_python")

# micro/engine/tflm.h declares the binary interface of exactly this build, and was checked with it.
VERSION = "0.dev20261023182759"

_FIND = """
import importlib.metadata, importlib.util, pathlib, sysconfig
print(importlib.metadata.version("tflite-micro"))
print(pathlib.Path(importlib.util.find_spec("tflite_micro").origin).parent / "python/tflite_micro/_runtime.so")
print(pathlib.Path(sysconfig.get_config_var("LIBDIR")) / sysconfig.get_config_var("INSTSONAME"))
"""

_BUILD = """
package(default_visibility = ["//visibility:public"])

cc_import(name = "libpython", shared_library = "{libpython}")

cc_import(name = "runtime", shared_library = "lib_tflm_runtime.so")

cc_library(
    name = "tflm",
    deps = [":runtime", ":libpython"],
)
"""

def _tflm_wheel_impl(ctx):
    python = find_python(ctx)
    found = ctx.execute([python, "-c", _FIND])
    if found.return_code != 0:
        fail("%s: tflite-micro is not installed; run `make setup`\n%s" % (python, found.stderr))
    version, runtime, libpython = found.stdout.strip().split("\n")
    if version != VERSION:
        fail("%s: tflite-micro is %s, but micro/engine/tflm.h was checked with %s; run `make setup`" % (python, version, VERSION))
    if ".so" not in libpython or not ctx.path(libpython).exists:
        fail("%s: there is no shared libpython (%s), which the wheel's binary needs; use a Python built with --enable-shared" % (python, libpython))
    name = libpython.split("/")[-1]
    ctx.symlink(runtime, "lib_tflm_runtime.so")
    ctx.symlink(libpython, name)
    ctx.file("BUILD", _BUILD.format(libpython = name))

tflm_wheel = repository_rule(
    implementation = _tflm_wheel_impl,
    environ = ["GROUPCOMM_PYTHON"],
    configure = True,
    local = True,
)

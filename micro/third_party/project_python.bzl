"""@project_python//:python: this project's Python as a tool of rules."""

load("//micro/third_party:python.bzl", "find_python")

def _project_python_impl(ctx):
    # A script and not a link: the Python of a virtual environment finds its packages by its own
    # path.
    ctx.file("python", "#!/bin/sh\nexec '%s' \"$@\"\n" % find_python(ctx), executable = True)
    ctx.file("BUILD", "exports_files([\"python\"])\n")

project_python = repository_rule(implementation = _project_python_impl, environ = ["GROUPCOMM_PYTHON"], local = True)

"""Finds the Python that has this project's packages, for repository rules."""

def find_python(ctx):
    """Returns $GROUPCOMM_PYTHON, or the .venv/bin/python of the workspace."""
    here = ctx.path(Label("//micro/third_party:python.bzl"))
    python = ctx.os.environ.get("GROUPCOMM_PYTHON") or str(here.dirname.dirname.dirname) + "/.venv/bin/python"
    if ctx.execute([python, "--version"]).return_code != 0:
        fail("%s: this is no Python; run `make setup`, or set GROUPCOMM_PYTHON to a Python with this project's packages" % python)
    return python

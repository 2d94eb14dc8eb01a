"""The Python that holds this project's packages, for repository rules."""

def find_python(ctx):
    """$GROUPCOMM_PYTHON, else the workspace's .venv/bin/python."""
    here = ctx.path(Label("//micro/third_party:python.bzl"))
    python = ctx.os.environ.get("GROUPCOMM_PYTHON") or str(here.dirname.dirname.dirname) + "/.venv/bin/python"
    if ctx.execute([python, "--version"]).return_code != 0:
        fail("%s: no Python here; run `make setup`, or set GROUPCOMM_PYTHON to a Python with this project's packages" % python)
    return python

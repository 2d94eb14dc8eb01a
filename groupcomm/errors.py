"""The exception that a user is meant to see."""

# Packages that the core does not require, and the extra that installs each.
_EXTRAS = {
    **dict.fromkeys(("soundfile", "soxr"), "audio"),
    "sounddevice": "live",
    "ziglang": "wasm",
    **dict.fromkeys(("tensorflow", "tf_keras"), "train"),
    **dict.fromkeys(("tflite_runtime", "ai_edge_litert"), "convert"),
    **dict.fromkeys(("librosa", "scipy", "G722", "pyroomacoustics", "matplotlib"), "measure"),
    **dict.fromkeys(("fast_bss_eval", "pesq", "pystoi", "serial", "jinja2"), "measure"),
}


class UserError(Exception):
    """An error that the user can correct.

    The message is one line that names the value and how to correct it. The command line prints it
    without a traceback and exits with code 2. Any other exception is a defect of this program and
    keeps its traceback.

    Examples
    --------
    ``raise UserError("bundle.json: hop 120 does not divide window 256; use 64 or 128")``
    """


def missing_package(error: ModuleNotFoundError) -> Exception:
    """Say which extra installs a package that an import did not find.

    Parameters
    ----------
    error : ModuleNotFoundError

    Returns
    -------
    UserError
        Or `error` itself, when no extra has the package.
    """
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        return error
    install = f"pip install 'groupcomm-micro[{_EXTRAS[package]}]'"
    return UserError(f"the package {package} is not installed; {install}")

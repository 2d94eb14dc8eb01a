"""The programs that tests of JavaScript need: Node and Chromium."""

import importlib.util
import shutil
from pathlib import Path

import pytest


def node() -> str:
    """Return the path of Node: that of this machine, or the one in the Python package playwright.

    A test without either is skipped.
    """
    found = shutil.which("node")
    package = importlib.util.find_spec("playwright")
    if not found and package:
        found = str(Path(package.origin).parent / "driver" / "node")
    if not found:
        pytest.skip("Node is not installed; pip install playwright")
    return found


def chromium() -> str:
    """Return the path of Chromium; a test without it is skipped."""
    found = shutil.which("chromium")
    if not found:
        pytest.skip("Chromium is not installed; apt-get install chromium")
    return found

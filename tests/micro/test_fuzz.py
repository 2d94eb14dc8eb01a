"""The fuzz targets build, and a short run from their seeds finds nothing; `make fuzz` runs long."""

import importlib.util
import shutil

import pytest

from groupcomm.files import REPO

SPEC = importlib.util.spec_from_file_location("fuzz", REPO / "tools" / "fuzz.py")
fuzz = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_target(name):
    if not shutil.which("clang++-14"):
        pytest.skip("clang-14 is not installed")
    executed, edges, found = fuzz.fuzz(name, 5)
    assert found == []
    seeds = len(list(fuzz.seeds(name).iterdir()))
    assert executed > seeds > 2 and edges > 100

"""Fixtures of all tests, and two rules about the markers (pyproject.toml lists them).

A module whose ``pytestmark`` has a marker that ``-m`` excludes with ``not`` is not imported. So
``-m "not tensorflow"`` does not import TensorFlow at all, and then a test that imports it without
the marker fails.
"""

import functools
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

# Loaded after TensorFlow, its native module binds to TensorFlow's symbols and throws bad_alloc.
import tflite_runtime.interpreter  # noqa: F401, I001

import tf_model  # noqa: F401  selects Keras 2, before anything imports TensorFlow

pytest.register_assert_rewrite("tests.helpers")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def pytest_ignore_collect(collection_path, config):
    """Leave out a test module all of whose tests the expression of ``-m`` excludes."""
    excluded = set(re.findall(r"\bnot (\w+)", config.option.markexpr or ""))
    if excluded and collection_path.name.startswith("test_"):
        marks = re.search(r"^pytestmark = .*$", collection_path.read_text(), re.MULTILINE)
        if marks and excluded & set(re.findall(r"pytest\.mark\.(\w+)", marks[0])):
            return True
    return None


def pytest_collection_modifyitems(items):
    """Run the slow modules first, and modules that use Bazel by turns with others.

    The tests of `micro` come first, because they build what others need.
    """
    marks: dict[Path, set[str]] = {}
    for item in items:
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    turns: dict[Path, tuple] = {}
    counts = {"bazel": 0, "other": 0}
    for module, names in sorted(marks.items(), key=lambda one: one[0].parent.name != "micro"):
        if "slow" not in names and "bazel" not in names and "train" not in names:
            turns[module] = (1,)
            continue
        kind = "bazel" if "bazel" in names else "other"
        turns[module] = (0, counts[kind], kind)
        counts[kind] += 1
    items.sort(key=lambda item: turns[item.path])


def pytest_xdist_make_scheduler(config, log):
    """Let one worker at a time use Bazel, as long as there is anything else to do.

    One server of Bazel does one command at a time, so a second module that uses it waits. For five
    minutes of `bazel test //micro/...`, one of two workers had nothing to do.
    """
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneUsesBazel(LoadFileScheduling):
        def _assign_work_unit(self, node):
            others = (units for other, units in self.assigned_work.items() if other is not node)
            if any(_uses_bazel(name) and not all(unit.values())
                   for units in others for name, unit in units.items()):  # fmt: skip
                free = next((name for name in self.workqueue if not _uses_bazel(name)), None)
                if free:
                    self.workqueue.move_to_end(free, last=False)
            super()._assign_work_unit(node)

    return OneUsesBazel(config, log)


@functools.cache
def _uses_bazel(module: str) -> bool:
    return "pytest.mark.bazel" in (Path(__file__).parent.parent / module).read_text()


def pytest_collection_finish(session):
    if "not tensorflow" in (session.config.option.markexpr or "") and "tensorflow" in sys.modules:
        raise pytest.UsageError("a test module without the marker `tensorflow` imports TensorFlow")


@pytest.fixture(autouse=True)
def _tensorflow_is_marked(request):
    """Fail a test that is the first to import TensorFlow and lacks the marker."""
    loaded = "tensorflow" in sys.modules
    yield
    if not loaded and not request.node.get_closest_marker("tensorflow"):
        assert "tensorflow" not in sys.modules, "this test imports TensorFlow: mark it `tensorflow`"


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def tiny_net():
    """Return a network small enough to build and convert in seconds."""
    from tf_model.networks.streaming import Streaming

    return Streaming(features=32, groups=4, blocks=2, tac=6, hidden=8)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory) -> str:
    """Build a corpus of six buzzing "speakers" and six noises in its own cache; return its name."""
    from tests.helpers import corpora

    root = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPCOMM_CACHE", str(root / "cache"))
        corpora.build_buzzing_corpus(root)
        yield "tiny"

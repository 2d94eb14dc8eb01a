"""Fixtures of all tests, and the markers that a test gets by what it uses."""

import os

import numpy as np
import pytest

import tf_model

pytest.register_assert_rewrite("tests.helpers")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
tf_model.load_tensorflow()


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def tiny_net():
    """A network small enough to build and convert in seconds."""
    from tf_model.networks.streaming import Streaming

    return Streaming(features=32, groups=4, blocks=2, tac=6, hidden=8)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory) -> str:
    """Name of a corpus of six buzzing "speakers" and six noises, under a cache folder of its own."""
    from tests.helpers import corpora

    root = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPCOMM_CACHE", str(root / "cache"))
        corpora.build_buzzing_corpus(root)
        yield "tiny"

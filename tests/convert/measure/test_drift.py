"""Quality of int8 in a long stream."""

import numpy as np
import pytest

from convert import bundle
from convert.measure import drift
from tests.helpers.streaming_models import NETS, random_checkpoint

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drift")
    return random_checkpoint(folder / "net", NETS["tac"], "tac", np.random.default_rng(1))


@pytest.fixture(scope="module")
def made(network, tmp_path_factory):
    return bundle.write(network, tmp_path_factory.mktemp("bundle") / "bundle")


def test_stable_stream_does_not_drift(network, made, tiny_corpus, monkeypatch):
    monkeypatch.setattr(drift, "MINUTE", 8)
    found = drift.drift(made, network, minutes=3, split="validation", corpus=tiny_corpus)
    assert found["drift_db"] == found["int8_db"][2] - found["int8_db"][1]
    assert abs(found["drift_db"]) < drift.DRIFT
    np.testing.assert_allclose(found["int8_db"], found["float_db"], atol=1)


def test_drift_is_reported(network, made, tiny_corpus, monkeypatch):
    """The masks of this runtime get weaker from call to call."""
    monkeypatch.setattr(drift, "MINUTE", 8)

    class Tiring(drift.runtimes.Tflm):
        calls = 0

        def __call__(self, features):
            self.calls += 1
            masks = super().__call__(features)
            masks[::2] = np.maximum(masks[::2].astype(int) - 40 * self.calls, -128)
            return masks

    monkeypatch.setattr(drift.runtimes, "Tflm", Tiring)
    found = drift.drift(made, network, minutes=3, split="validation", corpus=tiny_corpus)
    assert abs(found["drift_db"]) > drift.DRIFT and found["settled"] is None

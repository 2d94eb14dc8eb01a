"""Converting a committed checkpoint again gives the committed bundle, byte for byte."""

import pytest

from convert import bundle
from tf_model.training import checkpoint

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
BY_HAND = ("budget", "producer")  # the fields that depend on more than the checkpoint


@pytest.mark.parametrize("name", bundle.names())
def test_conversion_gives_the_committed_bytes(name, tmp_path):
    committed = bundle.load(name)
    quantization = committed.description["quantization"]
    method = quantization["ranges"]
    made = bundle.write(
        checkpoint.load(name),
        tmp_path / name,
        method=None if method == "trained" else method,
        activations=committed.activations,
    )
    assert made.model == committed.model
    for part in ("pcm", "features", "masks"):
        file = committed.description["golden"][part]["file"]
        assert (made.path / file).read_bytes() == (committed.path / file).read_bytes(), file
    ours, theirs = (
        {k: v for k, v in b.description.items() if k not in BY_HAND} for b in (made, committed)
    )
    assert ours == theirs

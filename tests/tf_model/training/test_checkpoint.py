"""A saved checkpoint loads unchanged, and a damaged one is rejected."""

import json
import subprocess
import sys

import numpy as np
import pytest

from groupcomm.errors import UserError
from groupcomm.files import REPO
from tf_model.networks import streaming
from tf_model.training import checkpoint

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def folder(tmp_path, tiny_net):
    checkpoint.save(tmp_path / "net", "tiny", tiny_net, {"step": 3}, streaming.build(tiny_net))
    return tmp_path / "net"


def test_a_saved_checkpoint_loads_unchanged(folder, tiny_net):
    loaded = checkpoint.load(str(folder))
    assert (loaded.name, loaded.net, loaded.training) == ("tiny", tiny_net, {"step": 3})
    for a, b in zip(
        loaded.model("sequence").get_weights(), loaded.model("streaming").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_field_of_release_0_1_0_has_its_present_name(folder, tiny_net):
    file = folder / "network.json"
    file.write_text(file.read_text().replace('"group_comm"', '"talk"'))
    assert checkpoint.load(str(folder)).net == tiny_net


def test_an_unknown_network_is_rejected(tmp_path):
    with pytest.raises(UserError, match="nosuch: no trained network of this name"):
        checkpoint.load("nosuch")


def test_a_flipped_bit_in_the_weights_is_detected(folder):
    weights = bytearray((folder / "weights.h5").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "weights.h5").write_bytes(weights)
    with pytest.raises(UserError, match=r"weights\.h5: checksum differs"):
        checkpoint.load(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "schema 9"),
        ({"name": "../../../x"}, "name is '../../../x', not a name"),
        ({"network": {"groups": 3}}, "not a network description"),
        ({"weights_sha256": 1}, "checksum differs"),
    ],
)
def test_an_invalid_description_is_rejected(folder, change, message):
    file = folder / "network.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UserError, match=message):
        checkpoint.load(str(folder))


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (1 << 40, "hidden 1099511627776: must be at most 65536"),
        (60000, "parameters, more than .*weights.h5 holds"),
    ],
)
def test_a_network_is_not_larger_than_its_weights(folder, hidden, message):
    """It would be built before its weights are read."""
    file = folder / "network.json"
    description = json.loads(file.read_text())
    description["network"]["hidden"] = hidden
    file.write_text(json.dumps(description))
    with pytest.raises(UserError, match=message):
        checkpoint.load(str(folder))


def test_a_description_that_is_not_json_is_rejected(folder):
    (folder / "network.json").write_text("{")
    with pytest.raises(UserError, match="not a network description"):
        checkpoint.load(str(folder))


def test_missing_weights_are_rejected(folder):
    (folder / "weights.h5").unlink()
    with pytest.raises(UserError, match="not a network description"):
        checkpoint.load(str(folder))


def test_an_average_is_between_two_checkpoints(folder, tmp_path, tiny_net):
    other = streaming.build(tiny_net)
    other.set_weights([w + 1 for w in checkpoint.load(str(folder)).model().get_weights()])
    checkpoint.save(tmp_path / "other", "tiny", tiny_net, {"step": 4}, other)
    program = [sys.executable, REPO / "tools" / "average.py", folder, tmp_path / "other"]
    subprocess.run([*program, "0.25", tmp_path / "mean"], check=True, stderr=subprocess.DEVNULL)
    mean, first = (checkpoint.load(str(f)) for f in (tmp_path / "mean", folder))
    for a, b in zip(mean.model().get_weights(), first.model().get_weights(), strict=True):
        np.testing.assert_allclose(a, b + 0.25, atol=1e-6)
    assert mean.training["average"] == {"share": 0.25, "with_weights_sha256": first.sha256()}
    said = subprocess.run([*program, "2", tmp_path / "no"], capture_output=True, text=True)
    assert said.returncode == 1 and "choose a value in 0..1" in said.stderr
    assert not (tmp_path / "no").exists()

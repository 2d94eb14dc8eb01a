"""The converter's cell clip is removed, and the state of sequences is reset."""

import dataclasses
import json
import shutil
import zlib

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.quantization import export
from convert.tflite import counts, flatbuffer, graph, runtimes
from convert.verify import state
from groupcomm.errors import UserError
from groupcomm.files import sha256
from tests.helpers.random_operators import random_lstm
from tests.helpers.streaming_models import random_checkpoint
from tests.helpers.tflite_models import Official, carrying
from tf_model.training import checkpoint

pytestmark = pytest.mark.tensorflow

KINDS = [runtimes.Tflm, runtimes.LiteRT, runtimes.TfliteRuntime]


def cell_clips(content):
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    options = [op.builtinOptions for op in model.subgraphs[0].operators]
    return [o.cellClip for o in options if isinstance(o, schema.UnidirectionalSequenceLSTMOptionsT)]


def test_cell_clip_is_removed():
    """Trained cells exceed 10 on real sound.

    With the converter's clip, float TFLite would differ from Keras by far more.
    """
    trained = checkpoint.load("enhance")
    content = export.to_float(trained)
    assert (
        cell_clips(content) == [0] * trained.net.blocks == cell_clips(bundle.load("enhance").model)
    )
    features = bundle.stream_features(
        bundle.golden_pcm(400, trained.net.signal.hop), trained.net.signal
    )
    expected = trained.model("sequence")(features[None]).numpy()[0]
    np.testing.assert_allclose(runtimes.LiteRT(content)(features), expected, atol=1e-5)


def test_a_network_is_converted_again_when_its_weights_were_written_again(
    tmp_path, tiny_net, monkeypatch
):
    given = []
    monkeypatch.setattr(
        export, "streaming_float", lambda model, _: given.append(model.get_weights()) or b"float"
    )
    for seed in (1, 2):
        trained = random_checkpoint(tmp_path / "net", tiny_net, "tiny", np.random.default_rng(seed))
        for _ in range(2):
            export.to_float(trained)
        assert len(given) == seed
    assert any(np.any(a != b) for a, b in zip(*given, strict=True))


def test_sequence_state_is_reset_in_tflm():
    """The result is as after a reset before every call, for any zero point of the state."""
    drawn = [random_lstm(np.random.default_rng([seed, 5])) for seed in range(40)]
    sequences = [
        (model, cases) for model, cases in drawn if export.reset_sequence_state(model) is not model
    ]
    assert len(sequences) > 5
    for model, cases in sequences:
        plain, from_zero = Official(model), Official(export.reset_sequence_state(model))
        carried = 0
        for (x,) in (case for case in cases if case != "reset"):
            carried += np.count_nonzero(plain(x) != from_zero(x))
            plain.reset()
            np.testing.assert_array_equal(plain(x), from_zero(x))
        assert carried
        again = export.reset_sequence_state(model)
        assert export.reset_sequence_state(again) is again


@pytest.fixture(scope="module")
def opened(tmp_path_factory, tiny_net):
    """Write a bundle of a small network with a BLSTM across its groups and random weights."""
    folder = tmp_path_factory.mktemp("talk")
    net = dataclasses.replace(tiny_net, group_comm="blstm", blstm=5)
    checkpoint.save(
        folder / "net", "tiny", net, {}, checkpoint.Checkpoint("tiny", net, {}, None).model()
    )
    return bundle.write(checkpoint.load(str(folder / "net")), folder / "tiny")


def test_model_with_one_time_step_is_unchanged(opened):
    model = bundle.load("enhance").model
    assert export.reset_sequence_state(model) is model
    found = counts.read(opened.path / "model.tflite")
    number = {o.name: o.count for o in found.operators}
    assert (
        number["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 3 * 2
        and number["SQUEEZE"] == 2 * 2 * 2
        and found.stateful_sequences == 0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_group_state_resets_every_hop(opened, kind):
    features = opened.golden()[0][:20]
    runtime = kind(opened.model)
    masks = runtime(features)
    if kind is runtimes.Tflm:
        np.testing.assert_array_equal(masks, opened.golden()[1][:20])
    wrong = kind(carrying(opened.model))(features)
    np.testing.assert_array_equal(wrong[0], masks[0])
    assert (wrong[1:] != masks[1:]).any(axis=1).all()
    runtime.reset()
    np.testing.assert_array_equal(runtime(features), masks)
    if kind is runtimes.Tflm:
        return
    # In these runtimes, setting the tensor by hand gives the same result.
    runtime = kind(carrying(opened.model))
    operators = flatbuffer.read(carrying(opened.model)).graph.operators
    group_lstms = [op for op in operators if isinstance(op, graph.Lstm) and op.steps > 1]
    by_hand = []
    for frame in features:
        for t in (t for op in group_lstms for t in op.states):
            runtime._interpreter.set_tensor(t.index, np.full(t.shape, t.zero_point, t.dtype))
        by_hand.append(runtime(frame[None])[0])
    np.testing.assert_array_equal(by_hand, masks)


def test_bundle_with_persistent_group_state_is_rejected(opened, tmp_path):
    folder = shutil.copytree(opened.path, tmp_path / "b")
    model = folder / "model.tflite"
    content = carrying(opened.model)
    model.write_bytes(content)
    d = json.loads((folder / "bundle.json").read_text())
    d["model"] |= {"bytes": len(content), "sha256": sha256(model), "crc32": zlib.crc32(content)}
    (folder / "bundle.json").write_text(json.dumps(d))
    with pytest.raises(
        UserError, match="model.tflite: 4 LSTMs start a sequence with the state of the previous hop"
    ):
        bundle.load(str(folder))


def test_inspect_reports_how_group_state_is_handled(opened):
    carries, streams = state.notes(flatbuffer.read(carrying(opened.model)))
    assert carries == f"4 LSTMs {state.CARRIES_OVER_SEQUENCES}" and streams.startswith(
        "state of 2 LSTMs"
    )
    assert state.notes(flatbuffer.read(opened.model)) == [
        f"4 LSTMs {state.SET_BY_OPERATORS}",
        streams,
    ]

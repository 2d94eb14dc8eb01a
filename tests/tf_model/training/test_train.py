"""Training resumes exactly, follows its recipe, reduces the loss, and rejects invalid requests."""

import dataclasses
import json
import resource
import signal

import numpy as np
import pytest

from calibration_data.mixing import mixer
from groupcomm.errors import UserError
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.networks import streaming
from tf_model.training import checkpoint, train

pytestmark = [pytest.mark.tensorflow, pytest.mark.train]

RECIPE = train.Recipe(
    steps=6,
    batch=2,
    seconds=0.5,
    learning_rate=1e-2,
    validate_every=2,
    validation_mixtures=2,
    patience=9,
    corpus="tiny",
)


def weights(folder):
    return checkpoint.load(str(folder / "best")).model("sequence").get_weights()


def history_of(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("optimizer", train.OPTIMIZERS)
def test_a_stopped_run_ends_with_the_same_weights(
    optimizer, tiny_net, tiny_corpus, tmp_path, train_and_stop
):
    asked = dataclasses.replace(RECIPE, optimizer=optimizer, learning_rate=4e-3)
    straight = train.train("tiny", tiny_net, asked, tmp_path / "straight")
    assert straight["steps"] == 6 and not straight["stopped_early"]

    train_and_stop(3, "tiny", tiny_net, asked, tmp_path / "stopped")  # between two validations
    again = train.train("tiny", tiny_net, asked, tmp_path / "stopped")
    assert again["steps"] == 6
    assert again["sisdri_db"] == straight["sisdri_db"]
    for a, b in zip(weights(tmp_path / "straight"), weights(tmp_path / "stopped"), strict=True):
        np.testing.assert_array_equal(a, b)
    history = [history_of(tmp_path / run) for run in ("straight", "stopped")]
    assert [h["step"] for h in history[0]] == [2, 4, 6]
    assert [h["sisdri_db"] for h in history[0]] == [h["sisdri_db"] for h in history[1]]
    assert (tmp_path / "stopped" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_training_reduces_the_loss_and_stops_early(tiny_net, tiny_corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=40, validate_every=10)
    train.train("tiny", tiny_net, recipe, tmp_path / "run")
    losses = [h["loss"] for h in history_of(tmp_path / "run")]
    assert losses[-1] < losses[0] - 1  # dB
    lazy = dataclasses.replace(RECIPE, learning_rate=0.0, steps=40, validate_every=1, patience=3)
    result = train.train("tiny", tiny_net, lazy, tmp_path / "lazy")
    assert result["stopped_early"] and result["steps"] == 4 and result["best_step"] == 1


@pytest.mark.parametrize(
    ("losses", "weight", "message"),
    [
        ([1.0, np.nan], 1.0, "step 1: the loss is not a finite number, with mixtures 2 to 3 of"),
        ([1.0, 1.0], np.inf, "step 2: the weight of a layer is not a finite number, with"),
    ],
)
def test_a_number_that_is_not_finite_stops_the_run(
    losses, weight, message, tiny_net, tiny_corpus, tmp_path, monkeypatch
):
    """Nothing is saved then: a weight can be infinite when the loss of the step is not."""
    steps = iter(losses)
    learner = train._Learner
    monkeypatch.setattr(learner, "step", lambda *_: train.tf.constant([next(steps), 0.0]))
    monkeypatch.setattr(learner, "improvement", lambda *_: 1.0)
    monkeypatch.setattr(train._Run, "_save_checkpoint", lambda *_: None)
    monkeypatch.setattr(train.keras.Model, "get_weights", lambda _: [np.array([1, weight])])
    with pytest.raises(UserError, match=message) as raised:
        train.train("tiny", tiny_net, RECIPE, tmp_path / "run")
    assert "a lower --learning-rate (now 0.01)" in str(raised.value)
    assert [p.name for p in (tmp_path / "run").rglob("*")] == ["recipe.json"]


class _Learner(train.tf.Module):
    """What a state saves, without a network."""

    is_wrapped = False

    def __init__(self):
        super().__init__()
        self.model, self.optimizer = train.tf.Module(), train.tf.Module()
        self.model.weight = train.tf.Variable(np.zeros(1000))


@pytest.fixture
def saved(tmp_path):
    """Return the folder of two states, of the steps 1 and 2, whose weights are the step."""
    learner = _Learner()
    state = train._State(tmp_path / "state", learner)
    for step in (1, 2):
        state.done.assign(step)
        learner.model.weight.assign(np.full(1000, step))
        state.save()
    return tmp_path / "state"


def restored(folder):
    """Return the step and the weights that a new process restores, or None."""
    learner = _Learner()
    state = train._State(folder, learner)
    if not state.restore():
        return None
    return int(state.done), float(learner.model.weight.numpy().mean())


def test_a_copy_without_the_list_of_states_is_continued(saved):
    (saved / "checkpoint").unlink()
    assert restored(saved) == (2, 2)
    assert restored(saved / "elsewhere") is None


def test_what_a_killed_process_left_of_a_state_is_removed(saved):
    whole = {p.name for p in saved.iterdir()}
    (saved / "ckpt-3_temp").mkdir()
    for name in ("ckpt-3_temp/part", "ckpt-0.data-00000-of-00001", "checkpoint.tmp1", "notes.txt"):
        (saved / name).touch()
    assert restored(saved) == (2, 2)
    assert {p.name for p in saved.iterdir()} == whole | {"notes.txt"}


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("size", [0, 100])
def test_a_damaged_state_is_not_the_end_of_a_run(saved, suffix, size, capfd):
    """The state before it is used; without any, the run does not begin again by itself."""
    for number, expected in ((2, (1, 1)), (1, None)):
        file = saved / f"ckpt-{number}{suffix}"
        file.write_bytes(file.read_bytes()[:size])
        if expected:
            assert restored(saved) == expected
            assert "ckpt-2.index: damaged (" in capfd.readouterr().err
    with pytest.raises(UserError, match="no state can be read; choose another --out"):
        restored(saved)


def test_a_state_that_cannot_be_written_leaves_the_one_before(saved):
    """As on a full disk, by a limit of the size of files."""
    learner = _Learner()
    state = train._State(saved, learner)
    state.restore()
    before = {p.name: p.read_bytes() for p in saved.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot save the state \(File too large\); free some"):
            state.save()
        with pytest.raises(UserError, match="cannot write"):
            net = streaming.Streaming(features=8, groups=2, blocks=1, hidden=4, tac=4)
            checkpoint.save(saved.parent / "best", "tiny", net, {}, streaming.build(net))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert before == {p.name: p.read_bytes() for p in saved.iterdir()}
    assert restored(saved) == (2, 2)
    assert [p.name for p in saved.parent.iterdir()] == ["state"]


def test_a_run_without_its_state_is_not_begun_again(tiny_net, tiny_corpus, tmp_path):
    """A copy of a run without its state would overwrite best/."""
    (tmp_path / "run" / "best").mkdir(parents=True)
    with pytest.raises(UserError, match="in best/, and no state to continue from; choose another"):
        train.train("tiny", tiny_net, RECIPE, tmp_path / "run")


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("batch", "batch 1000000000"),
        ("validation_mixtures", "1000000000 validation mixtures"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_the_work(field, says, tiny_net, tmp_path):
    recipe = dataclasses.replace(RECIPE, **{field: 1_000_000_000})
    with pytest.raises(UserError, match=rf"{says}: needs about [\d,.]+ GB of memory, and"):
        train.train("tiny", tiny_net, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("learning_rate", np.inf), ("ceiling", np.nan), ("steps", 0), ("batch", 0)]
)
def test_a_recipe_has_finite_numbers(field, value):
    with pytest.raises(UserError, match=f"{field} {value}: not a finite number of at least"):
        dataclasses.replace(RECIPE, **{field: value})


@pytest.mark.parametrize(
    ("noise", "changed"),
    [
        ("recorded", {"room_probability": 0.25}),
        ("varied", mixer.VARIED),
        ("wide", mixer.WIDE),
    ],
)
def test_training_follows_the_recipe(noise, changed, tiny_net, tiny_corpus, tmp_path, monkeypatch):
    """The mixtures, the objective and the learning rate are those that the recipe names."""
    calls, measures, schedules = [], [], []

    def batch(corpus, spec, *, seed, indices, original=mixer.batch):
        calls.append((corpus.split, spec, seed, [int(i) for i in indices]))
        return original(corpus, spec, seed=seed, indices=indices)

    def objective(estimates, sources, measure, original=train.objective, **weighting):
        measures.append((measure, weighting["ceiling"], weighting["harm"]))
        return original(estimates, sources, measure, **weighting)

    def soap(schedule, *, original=train.OPTIMIZERS["soap"], **kwargs):
        schedules.append(schedule)
        return original(schedule, **kwargs)

    monkeypatch.setattr(mixer, "batch", batch)
    monkeypatch.setattr(train, "objective", objective)
    monkeypatch.setitem(train.OPTIMIZERS, "soap", soap)
    asked = {
        "steps": 3,
        "seed": 5,
        "objective": "si-sdr",
        "validate_every": 3,
        "optimizer": "soap",
        "ceiling": 20.0,
        "harm": 0.5,
    }
    recipe = dataclasses.replace(
        RECIPE,
        noise=noise,
        rooms=changed.get("room_probability", 0.0) if noise == "recorded" else 0.0,
        **asked,
    )
    train.train("tiny", tiny_net, recipe, tmp_path / "run")

    assert sorted(indices for split, *_, indices in calls if split == "train") == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]
    assert [indices for split, *_, indices in calls if split != "train"] == [[0, 1]]
    for split, spec, seed, _ in calls:
        if split == "train":
            assert spec == dataclasses.replace(mixer.ENHANCE, seconds=0.5, **changed)
            assert seed == 5
        else:
            assert (split, spec, seed) == ("validation", mixer.ENHANCE_EVAL, 1)
    assert set(measures) == {("si-sdr", 20.0, 0.5)}
    # The first of three steps warms up; the others follow half a cosine from the peak to 1 % of it.
    assert [float(schedules[0](step)) for step in range(4)] == pytest.approx(
        [0, 1e-2, 1e-2 * (1 + 0.01) / 2, 1e-4]
    )


def test_a_run_starts_from_a_network_without_bottleneck(tiny_net, tiny_corpus, tmp_path):
    train.train("tiny", tiny_net, RECIPE, tmp_path / "first")
    wider = dataclasses.replace(
        tiny_net, bottleneck=3, signal=dataclasses.replace(tiny_net.signal, dc=1.0)
    )
    still = dataclasses.replace(
        RECIPE, learning_rate=0.0, steps=1, start=str(tmp_path / "first" / "best")
    )
    train.train("tiny", wider, still, tmp_path / "second")
    first, second = (
        checkpoint.load(str(tmp_path / run / "best")).model() for run in ("first", "second")
    )
    features = (
        np.random.default_rng(0)
        .uniform(0, 1, (1, 20, tiny_net.signal.n_features))
        .astype(np.float32)
    )
    np.testing.assert_allclose(second(features), first(features), atol=1e-6)
    assert second.count_params() > first.count_params()
    with pytest.raises(UserError, match="its sizes are not those of tiny"):
        train.train("tiny", dataclasses.replace(wider, hidden=9), still, tmp_path / "third")


def test_a_run_starts_from_the_strongest_units_of_a_wider_network(
    tiny_net, tiny_corpus, tmp_path, random
):
    """Units without outgoing weights are dropped first, which does not change the output."""
    wide = streaming.build(tiny_net)
    for layer in wide.layers:
        if isinstance(layer, GroupedLSTM):
            kernel, recurrent, bias = layer.lstm.get_weights()
            project, project_bias = layer.project.get_weights()
            recurrent[[1, 5]] = 0
            project[[1, 5]] = 0
            layer.lstm.set_weights([kernel, recurrent, bias])
            layer.project.set_weights([project, project_bias])
    checkpoint.save(tmp_path / "wide", "tiny", tiny_net, {}, wide)
    narrow = dataclasses.replace(tiny_net, hidden=tiny_net.hidden - 2)
    still = dataclasses.replace(RECIPE, learning_rate=0.0, steps=1, start=str(tmp_path / "wide"))
    train.train("tiny", narrow, still, tmp_path / "narrow")
    features = random.uniform(0, 1, (1, 20, tiny_net.signal.n_features)).astype(np.float32)
    trained = checkpoint.load(str(tmp_path / "narrow" / "best")).model()
    np.testing.assert_allclose(trained(features), wide(features), atol=1e-6)


@pytest.mark.parametrize(("measure", "loss"), [("snr", 20 * np.log10(0.5)), ("si-sdr", -30)])
def test_only_the_snr_objective_depends_on_the_level(measure, loss, random):
    sources = random.standard_normal((3, 2, 800)).astype(np.float32)
    np.testing.assert_allclose(
        train.objective(0.5 * sources[:, ::-1], sources, measure), [loss] * 3, atol=0.05
    )


def test_harm_is_penalized_and_the_ceiling_limits_the_reward(random):
    sources = random.standard_normal((2, 1, 8000)).astype(np.float32)
    noise = random.standard_normal((2, 8000)).astype(np.float32)
    mixtures = sources[:, 0] + noise * np.array([[1.0], [0.1]], np.float32)  # 0 dB and 20 dB
    worse = sources + 2 * (mixtures[:, None] - sources)  # 6 dB worse than the mixture
    loss = train.objective(worse, sources, "snr", mixtures=mixtures, harm=0.5)
    np.testing.assert_allclose(loss, [6.0 + 0.5 * 6.0, -14.0 + 0.5 * 6.0], atol=0.4)
    better = sources + (mixtures[:, None] - sources) / 2
    np.testing.assert_array_equal(
        train.objective(better, sources, "snr", mixtures=mixtures, harm=0.5),
        train.objective(better, sources, "snr"),
    )
    limited = train.objective(better, sources, "snr", ceiling=20.0)  # SNRs of 6 and 26 dB
    np.testing.assert_allclose(
        limited, [10 * np.log10(10**-0.6 + 0.01), 10 * np.log10(10**-2.6 + 0.01)], atol=0.2
    )


def test_rooms_cannot_be_combined_with_wide_conditions(tiny_net, tiny_corpus, tmp_path):
    with pytest.raises(UserError, match="rooms 0.5: .*leave rooms at 0"):
        train.train(
            "tiny", tiny_net, dataclasses.replace(RECIPE, noise="wide", rooms=0.5), tmp_path / "run"
        )


def test_another_recipe_in_the_same_folder_is_rejected(tiny_net, tiny_corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=1)
    train.train("tiny", tiny_net, recipe, tmp_path / "run")
    with pytest.raises(UserError, match="batch is 2 in the run, 3 requested"):
        train.train("tiny", tiny_net, dataclasses.replace(recipe, batch=3), tmp_path / "run")


def test_an_older_run_resumes_with_defaults_for_new_fields(tiny_net, tiny_corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=1)
    train.train("tiny", tiny_net, recipe, tmp_path / "run")
    file = tmp_path / "run" / "recipe.json"
    asked = json.loads(file.read_text())
    del (
        asked["network"]["bottleneck"],
        asked["network"]["memory"],
        asked["network"]["signal"]["dc"],
        asked["recipe"]["optimizer"],
    )
    file.write_text(json.dumps(asked))
    assert train.train("tiny", tiny_net, recipe, tmp_path / "run")["steps"] == 1


def test_an_unknown_corpus_is_rejected(tiny_net, tiny_corpus, tmp_path):
    with pytest.raises(UserError, match="'nosuch'.*groupcomm data"):
        train.train(
            "tiny", tiny_net, dataclasses.replace(RECIPE, corpus="nosuch"), tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()

"""Training: mixtures on the fly, validation, early stop, checkpoints, exact resume, a curve.

A run is a folder: ``recipe.json`` (what was asked), ``state/`` (weights, optimizer, step: what resumes), ``history.jsonl``,
``curve.png`` and ``best/`` (a checkpoint folder, see `tf_model.checkpoint`). The same command on the same folder goes on where
it stopped, and ends with the same weights as a run that was never stopped.

It runs under `tf.distribute`: one device, all GPUs of a machine, or, with TF_CONFIG set, many machines (see `tf_model.distribution`).
The batch is the global one, so with Adam the run does not depend on their number (docs/design/training.md); only the chief writes.
"""

import contextlib
import dataclasses
import functools
import json
import signal
import time
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf
import tf_keras as keras

from calibration_data import corpus as corpora
from calibration_data import mixer
from groupcomm.console import err, progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_path
from tf_model import checkpoint, distribution, losses, networks, pruning
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.soap import SOAP

HARM_CEILING = 30.0  # dB
VALIDATION_BATCH = 16  # mixtures of 4 s that a replica takes at once


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    steps : optimizer steps; the learning rate warms up over the first 2 % and falls to 1 % of its peak by a cosine.
    batch : mixtures a step, of all replicas together.
    seconds : length of a training mixture.
    learning_rate : its peak.
    optimizer : ``"soap"`` (`tf_model.soap`) or ``"adam"``, which recipes of before there was a choice mean.
    seed : of the weights and of every mixture.
    validate_every : steps between validations; each saves the state.
    validation_mixtures : mixtures of 4 s in the validation set, always the same.
    patience : validations without a better score before the run stops.
    corpus : name of the corpus (`groupcomm data`).
    objective : what is made large: ``"snr"`` keeps the level right; ``"si-sdr"`` does not, and leaves sooner the plateau in which a
        separation network gives the louder speaker and silence; ``"spectral"`` is half SNR and half that of compressed spectra.
    rooms : part of the training mixtures that are in a simulated room (see `mixer.MixtureSpec`); with ``noise="wide"``, of which rooms are
        a part, it must be 0.
    noise : conditions of the training mixtures. ``"varied"``: noises much faster and slower, more often two, and synthetic ones
        (`mixer.VARIED`). ``"wide"``: SNR, level, rooms, microphones and noises as devices meet them (`mixer.WIDE`).
    ceiling : dB; estimates that come near it are rewarded less and less. Lower, and noisy mixtures count more than good ones.
    harm : weight of a penalty of 1 dB for each dB by which an estimate is worse than the mixture; 0: none.
    start : a trained network (name or folder) whose weights are the first; "" starts at random. It has the same sizes, or no bottleneck, or
        more hidden units, of which those with the largest outgoing weights are taken.
    ranges : in quantization-aware training, how the ranges of activations are found to begin with; "" in float.
    weights : there, bits of a FULLY_CONNECTED's weights.
    keep : parameters that are left; all others are pruned away over the first half of the steps (see `tf_model.pruning`). 0 keeps all.
    """

    steps: int = 8000
    batch: int = 24
    seconds: float = 2.5
    learning_rate: float = 2e-3
    optimizer: Literal["adam", "soap"] = "adam"
    seed: int = 0
    validate_every: int = 250
    validation_mixtures: int = 256
    patience: int = 12
    corpus: str = "open"
    objective: Literal["snr", "si-sdr", "spectral"] = "snr"
    rooms: float = 0.0
    noise: Literal["recorded", "varied", "wide"] = "recorded"
    ceiling: float = 30.0
    harm: float = 0.0
    start: str = ""
    ranges: str = ""
    weights: int = 8
    keep: int = 0


OPTIMIZERS = {"adam": keras.optimizers.Adam, "soap": SOAP}


def _spectral(estimate, reference, *, ceiling_db: float):
    measures = (losses.snr, losses.spectral_snr)
    return sum(measure(estimate, reference, ceiling_db=ceiling_db) for measure in measures) / len(
        measures
    )


MEASURES = {"snr": losses.snr, "si-sdr": losses.limited_si_sdr, "spectral": _spectral}


def objective(
    estimates,
    sources,
    measure: str = "snr",
    *,
    mixtures=None,
    ceiling: float = 30.0,
    harm: float = 0.0,
):
    """Loss of each mixture: minus the measure in dB with the best order of sources, plus a penalty of harm.

    Parameters
    ----------
    estimates, sources : tensor [shape=(batch, sources, samples), float32]
    measure : str
        A key of `MEASURES`.
    mixtures : tensor [shape=(batch, samples), float32] or None
        Needed where ``harm`` is not 0.
    ceiling, harm : float
        See `Recipe`. Harm is measured up to 30 dB.

    Returns
    -------
    tensor [shape=(batch,), float32]
    """
    loss = -losses.pit(functools.partial(MEASURES[measure], ceiling_db=ceiling), estimates, sources)
    if not harm:
        return loss
    fine = functools.partial(MEASURES[measure], ceiling_db=HARM_CEILING)
    before = tf.reduce_mean(fine(mixtures[:, None], sources), 1)
    return loss + harm * tf.nn.relu(before - losses.pit(fine, estimates, sources))


def _dataset(corpus, spec, recipe: Recipe, first_step: int, context: tf.distribute.InputContext):
    """Batches (mixtures, sources) of one worker's replicas from ``first_step`` on, in turn.

    Mixture i of the run is the same in every run, and step n is made of mixtures n * batch to (n + 1) * batch - 1. Workers and replicas
    take their parts of a step side by side: together the batch that one alone would take, and no mixture twice.
    """
    replicas = context.num_replicas_in_sync
    local = replicas // context.num_input_pipelines
    size = context.get_per_replica_batch_size(recipe.batch)

    def indices(i):
        step, replica = i // local, i % local
        start = (step * replicas + context.input_pipeline_id * local + replica) * size
        return tf.range(start, start + size)

    def make(indices):
        return mixer.batch(corpus, spec, seed=recipe.seed, indices=indices)

    def to_tensors(indices):
        mixtures, references = tf.numpy_function(
            make, [indices], (tf.float32, tf.float32), stateful=False
        )
        mixtures.set_shape([size, spec.samples])
        references.set_shape([size, spec.sources, spec.samples])
        return mixtures, references

    parts = tf.data.Dataset.range(first_step * local, recipe.steps * local).map(indices)
    return parts.map(to_tensors, num_parallel_calls=2, deterministic=True).prefetch(4)


def _validation(corpus, spec, mixtures: int, strategy: tf.distribute.Strategy) -> list:
    """The validation set, shared out: rounds of (mixtures, sources, weights) on every replica; what fills the last up has weight 0."""
    replicas = strategy.num_replicas_in_sync
    size = min(VALIDATION_BATCH, -(-mixtures // replicas))

    def part(context, round):
        start = (round * replicas + context.replica_id_in_sync_group) * size
        rows = np.arange(start, start + size)
        made = mixer.batch(corpus, spec, seed=1, indices=np.minimum(rows, mixtures - 1))
        return tuple(map(tf.constant, (*made, (rows < mixtures).astype(np.float32))))

    return [
        strategy.experimental_distribute_values_from_function(
            lambda context, round=round: part(context, round)
        )
        for round in range(-(-mixtures // (replicas * size)))
    ]


def _plot(history: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    steps = [h["step"] for h in history]
    left.plot(steps, [h["loss"] for h in history])
    left.set(xlabel="step", ylabel="training loss (dB)")
    right.plot(steps, [h["sisdri_db"] for h in history], color="tab:green")
    right.set(xlabel="step", ylabel="validation SI-SDR improvement (dB)")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)


@contextlib.contextmanager
def _finish_step_first():
    """Let Ctrl-C or a terminate signal wait for the end of the step, so that weights and step count agree; yields the flag."""
    asked: list[int] = []
    handlers = {
        s: signal.signal(s, lambda number, frame: asked.append(number))
        for s in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)


def train(name: str, net: networks.Network, recipe: Recipe, folder: Path, *, around=None) -> dict:
    """Train a network, or go on with a run that was stopped.

    Parameters
    ----------
    name : name that the checkpoint will carry.
    net, recipe : sizes and recipe; a folder holds one recipe only.
    folder : the run's folder.
    around : function of the network's sequence view: a `tf.Module` that is called in its place, whose variables are trained and kept, the
        network's weights among them, and whose ``notes()`` stand beside the figures in the checkpoint. None: the view itself.

    Returns
    -------
    dict with ``best_step``, ``sisdri_db`` (validation), ``steps``, ``stopped_early``.

    Raises
    ------
    UserError
        When the folder holds a run of another recipe, the corpus is missing, ``start`` is another network, or ``keep`` cannot be.
    """
    asked = json.loads(
        json.dumps(
            {"name": name, "network": dataclasses.asdict(net), "recipe": dataclasses.asdict(recipe)}
        )
    )
    recipe_file = folder / "recipe.json"
    _refuse_another(recipe_file, asked, net)
    strategy = distribution.strategy()
    replicas = strategy.num_replicas_in_sync
    if recipe.batch % replicas:
        below = recipe.batch - recipe.batch % replicas
        raise UserError(
            f"batch {recipe.batch}: {replicas} replicas cannot share it evenly; use {below or replicas} or {below + replicas}"
        )
    chief = distribution.is_chief(strategy)
    first = _first(recipe.start, name, net)

    separation = net.sources == 2
    training_spec = mixer.SEPARATE if separation else mixer.ENHANCE
    training_spec = dataclasses.replace(
        training_spec, seconds=recipe.seconds, room_probability=recipe.rooms
    )
    if recipe.noise == "wide" and recipe.rooms:
        raise UserError(
            f"rooms {recipe.rooms}: with noise wide, a part of the mixtures is in rooms already; leave rooms at 0"
        )
    conditions = {
        "recorded": {},
        "varied": mixer.VARIED,
        "wide": mixer.WIDE_SEPARATE if separation else mixer.WIDE,
    }
    training_spec = dataclasses.replace(training_spec, **conditions[recipe.noise])
    validation_spec = mixer.SEPARATE_EVAL if separation else mixer.ENHANCE_EVAL
    training_corpus = corpora.open_corpus("train", name=recipe.corpus)
    validation_corpus = corpora.open_corpus("validation", name=recipe.corpus)
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()  # the same run twice gives the same weights
    family = networks.family(net)
    warmup = max(1, recipe.steps // 50)
    with strategy.scope():
        model = family.build(net)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, recipe.steps - warmup),
            alpha=0.01,
            warmup_target=recipe.learning_rate,
            warmup_steps=warmup,
        )
        optimizer = OPTIMIZERS[recipe.optimizer](schedule, global_clipnorm=5.0)
        if first:
            _set_weights(model, first)
        forward = around(model) if around else model
        variables = forward.trainable_variables
        optimizer.build(variables)
        pruner = (
            pruning.Pruner(model.trainable_variables, recipe.keep, recipe.steps)
            if recipe.keep
            else None
        )
    if chief:
        with atomic_path(recipe_file) as part:
            part.write_text(json.dumps(asked, indent=2) + "\n")

    def learn(mixtures, sources, stop):
        with tf.GradientTape() as tape:
            estimates = family.separate(forward, mixtures, net)
            each = objective(
                estimates,
                sources,
                recipe.objective,
                mixtures=mixtures,
                ceiling=recipe.ceiling,
                harm=recipe.harm,
            )
            loss = tf.nn.compute_average_loss(each, global_batch_size=recipe.batch)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return tf.stack([loss, stop])

    def score(mixtures, sources, weights):
        estimates = family.separate(forward, mixtures, net)
        before = tf.reduce_mean(losses.si_sdr(mixtures[:, None], sources), 1)
        return tf.reduce_sum(weights * (losses.pit(losses.si_sdr, estimates, sources) - before))

    @tf.function(reduce_retracing=True)
    def everywhere(function, *arguments):
        """Run on every replica; the sum, which all workers see."""
        return strategy.reduce("SUM", strategy.run(function, arguments), axis=None)

    validation = _validation(
        validation_corpus, validation_spec, recipe.validation_mixtures, strategy
    )
    done, best_step, waited = (
        tf.Variable(0, dtype=tf.int64),
        tf.Variable(0, dtype=tf.int64),
        tf.Variable(0, dtype=tf.int64),
    )
    best = tf.Variable(-np.inf, dtype=tf.float64)
    kept = {"around": forward} if around else {}
    state = tf.train.Checkpoint(
        model=model,
        optimizer=optimizer,
        done=done,
        best=best,
        best_step=best_step,
        waited=waited,
        **kept,
    )
    manager = tf.train.CheckpointManager(state, folder / "state", max_to_keep=2)
    if manager.latest_checkpoint:
        state.restore(manager.latest_checkpoint).assert_consumed()
        err.print(f"{folder}: going on at step {int(done)} of {recipe.steps}", soft_wrap=True)
    distribution.check_agreement(strategy, int(done), f"{folder}: the step to go on from")

    history_file = folder / "history.jsonl"
    history = (
        [json.loads(line) for line in history_file.read_text().splitlines()]
        if history_file.is_file()
        else []
    )
    history = [h for h in history if h["step"] <= int(done)]
    recent: list[float] = []
    start = time.monotonic()
    batches = strategy.distribute_datasets_from_function(
        lambda context: _dataset(training_corpus, training_spec, recipe, int(done), context)
    )
    with progress() as bar, _finish_step_first() as stop:
        task = bar.add_task(f"train {name}", total=recipe.steps, completed=int(done))
        for mixtures, sources in batches:
            if int(waited) >= recipe.patience:
                break
            loss, stopping = everywhere(
                learn, mixtures, sources, tf.constant(float(bool(stop)))
            ).numpy()
            recent.append(float(loss))
            done.assign_add(1)
            if pruner:
                pruner(int(done))
            bar.update(
                task,
                advance=1,
                description=f"train {name}: loss {np.mean(recent[-50:]):.2f} dB, best {float(best):.2f} dB",
            )
            if int(done) % recipe.validate_every == 0 or int(done) == recipe.steps:
                improvement = (
                    sum(float(everywhere(score, *part)) for part in validation)
                    / recipe.validation_mixtures
                )
                history.append(
                    {"step": int(done), "loss": float(np.mean(recent)), "sisdri_db": improvement}
                )
                recent.clear()
                final = (
                    pruner is None or int(done) >= pruner.end
                )  # before, there is more left than was asked for
                waited.assign_add(int(final))
                if final and improvement > float(best):
                    best.assign(improvement)
                    best_step.assign(done)
                    waited.assign(0)
                    if chief:
                        training = {
                            "recipe": asked["recipe"],
                            "step": int(done),
                            "validation_sisdri_db": improvement,
                        }
                        training |= forward.metadata() if around else {}
                        checkpoint.save(folder / "best", name, net, training, model)
                if chief:
                    manager.save()
                    with atomic_path(history_file) as part:
                        part.write_text("".join(json.dumps(h) + "\n" for h in history))
                    _plot(history, folder / "curve.png")
                err.print(
                    f"step {int(done)}: loss {history[-1]['loss']:.2f} dB, validation {improvement:.2f} dB, best {float(best):.2f} dB, "
                    f"{time.monotonic() - start:.0f} s"
                )
            if stopping:  # some worker was asked to; all are at the same step
                if chief:
                    manager.save()
                raise KeyboardInterrupt
    return {
        "best_step": int(best_step),
        "sisdri_db": float(best),
        "steps": int(done),
        "stopped_early": int(done) < recipe.steps,
        "checkpoint": str(folder / "best"),
    }


def _first(start: str, name: str, net: networks.Network) -> checkpoint.Checkpoint | None:
    """The trained network to start from, None for random weights."""
    if not start:
        return None
    trained = checkpoint.load(start)
    expected = net
    if isinstance(net, networks.Streaming) and isinstance(trained.net, networks.Streaming):
        expected = dataclasses.replace(
            net,
            signal=dataclasses.replace(net.signal, dc=trained.net.signal.dc),  # it has no weights
            bottleneck=trained.net.bottleneck and net.bottleneck,
            hidden=max(net.hidden, trained.net.hidden),
        )
    if trained.net != expected:
        raise UserError(
            f"start {start}: its sizes are not those of {name}; start from a network of the same sizes, one without a bottleneck, or one "
            "with more hidden units"
        )
    return trained


def _set_weights(model, trained: checkpoint.Checkpoint) -> None:
    """Begin with what was trained. A layer that was not there begins as the identity; a wider LSTM gives its strongest units."""
    before = {layer.name: layer for layer in trained.model().layers}
    for layer in model.layers:
        if layer.name not in before:
            continue
        if isinstance(layer, GroupedLSTM) and layer.hidden < before[layer.name].hidden:
            _narrow(before[layer.name], layer)
        else:
            layer.set_weights(before[layer.name].get_weights())


def _narrow(wide: GroupedLSTM, narrow: GroupedLSTM) -> None:
    """Copy the units whose outgoing weights are largest by their norm."""
    kernel, recurrent, bias = wide.lstm.get_weights()
    project, project_bias = wide.project.get_weights()
    outgoing = np.linalg.norm(np.concatenate([project, recurrent], 1), axis=1)
    units = np.sort(np.argsort(-outgoing, kind="stable")[: narrow.hidden])
    gates = (np.arange(4)[:, None] * wide.hidden + units).ravel()  # columns of the four gates
    narrow.lstm.set_weights([kernel[:, gates], recurrent[units][:, gates], bias[gates]])
    narrow.project.set_weights([project[units], project_bias])


def _refuse_another(recipe_file: Path, asked: dict, net: networks.Network) -> None:
    """Raise a `UserError` when the run's folder holds another run than the one that is asked for."""
    if not recipe_file.is_file():
        return
    try:
        there = json.loads(recipe_file.read_text())
        if not all(isinstance(there[part], dict) for part in ("network", "recipe")):
            raise ValueError("no network or recipe in it")
        there["recipe"] = {
            **dataclasses.asdict(Recipe()),
            **there["recipe"],
        }  # what a recipe does not name has its default
        with contextlib.suppress(
            TypeError, KeyError, ValueError
        ):  # sizes of another family: they differ from what is asked anyway
            there["network"] = dataclasses.asdict(
                networks.from_dict(networks.family_name(net), there["network"])
            )
    except (ValueError, KeyError, TypeError) as e:
        raise UserError(
            f"{recipe_file}: not the recipe of a run ({e}); choose another --out"
        ) from e
    if there != asked:
        differing = [
            f"{k} {there[part].get(k)} there, {v} asked"
            for part in ("network", "recipe")
            for k, v in asked[part].items()
            if there[part].get(k) != v
        ] or [f"name {there.get('name')} there, {asked['name']} asked"]
        raise UserError(
            f"{recipe_file.parent}: holds a run of another recipe ({'; '.join(differing)}); choose another --out or ask the same"
        )

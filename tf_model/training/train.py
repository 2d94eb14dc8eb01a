"""Training: mixtures made on the fly, validation, early stopping, checkpoints, and exact resume.

A run is a folder: ``recipe.json`` (name, network and recipe), ``state/`` (weights, optimizer and
step, for resuming), ``history.jsonl``, ``curve.png`` and ``best/`` (a checkpoint folder, see
`tf_model.training.checkpoint`). The same command on the same folder resumes the run where it
stopped, and ends with the same weights as a run that was never stopped.

Training uses `tf.distribute`: one device, all GPUs of a machine, or, with TF_CONFIG set, many
machines (see `tf_model.training.distribution`). The batch size is the global one, so with Adam the
run does not depend on the number of devices (docs/design/training.md). Only the chief writes files.
"""

import contextlib
import dataclasses
import functools
import json
import signal
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from calibration_data import corpus as corpora
from calibration_data.mixing import mixer
from groupcomm.console import err, progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_path
from tf_model import networks
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.training import checkpoint, distribution, losses, pruning
from tf_model.training.recipe import Recipe
from tf_model.training.soap import SOAP

HARM_CEILING = 30.0  # dB, ceiling of the measure in the penalty on harm
VALIDATION_BATCH = 16  # mixtures of 4 s per replica


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
    """Compute the loss of each mixture.

    It is minus the measure in dB with the best order of the sources, plus a penalty on harm.

    Parameters
    ----------
    estimates, sources : tf.Tensor [shape=(batch, sources, samples), dtype=float32]
    measure : str
        A key of `MEASURES`.
    mixtures : tf.Tensor [shape=(batch, samples), dtype=float32] or None
        Required when ``harm`` is not 0.
    ceiling, harm : float
        See `tf_model.training.recipe.Recipe`. The penalty is limited by a ceiling of 30 dB.

    Returns
    -------
    tf.Tensor [shape=(batch,), dtype=float32]
    """
    loss = -losses.pit(functools.partial(MEASURES[measure], ceiling_db=ceiling), estimates, sources)
    if not harm:
        return loss
    fine = functools.partial(MEASURES[measure], ceiling_db=HARM_CEILING)
    before = tf.reduce_mean(fine(mixtures[:, None], sources), 1)
    return loss + harm * tf.nn.relu(before - losses.pit(fine, estimates, sources))


def _dataset(corpus, spec, recipe: Recipe, first_step: int, context: tf.distribute.InputContext):
    """Make the batches (mixtures, sources) of the replicas of one worker, from ``first_step`` on.

    Mixture i of a run is the same in every run, and step n consists of mixtures n * batch to
    (n + 1) * batch - 1. The replicas of all workers take consecutive parts of a step: together the
    batch of a single device, without repetition.
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
    """Make the validation set as a list of batches (mixtures, sources, weights) for all replicas.

    Mixtures that fill the last batch have weight 0.
    """
    replicas = strategy.num_replicas_in_sync
    size = min(VALIDATION_BATCH, -(-mixtures // replicas))

    def part(context, batch_index):
        start = (batch_index * replicas + context.replica_id_in_sync_group) * size
        rows = np.arange(start, start + size)
        made = mixer.batch(corpus, spec, seed=1, indices=np.minimum(rows, mixtures - 1))
        return tuple(map(tf.constant, (*made, (rows < mixtures).astype(np.float32))))

    return [
        strategy.experimental_distribute_values_from_function(
            lambda context, batch_index=batch_index: part(context, batch_index)
        )
        for batch_index in range(-(-mixtures // (replicas * size)))
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
    """Delay SIGINT and SIGTERM to the end of the step, so that weights and step count agree.

    Yields a list that is not empty after a signal.
    """
    signals: list[int] = []
    handlers = {
        s: signal.signal(s, lambda number, frame: signals.append(number))
        for s in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield signals
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)


def train(
    name: str, net: networks.Network, recipe: Recipe, folder: Path, *, wrap_model=None
) -> dict:
    """Train a network, or resume a run.

    Parameters
    ----------
    name : str
        Name of the network in the checkpoint.
    net : networks.Network
        Sizes of the network.
    recipe : Recipe
        A folder has one recipe only.
    folder : Path
        Folder of the run.
    wrap_model : callable or None
        Maps the sequence view of the network to a `tf.Module` that is called instead. Its
        variables, which include the weights of the network, are trained and saved in the state. Its
        ``metadata()`` is stored in the checkpoint with the validation figures. None: the view
        itself.

    Returns
    -------
    dict
        ``best_step``, ``sisdri_db`` (validation), ``steps``, ``stopped_early`` and ``checkpoint``.

    Raises
    ------
    UserError
        When the folder has a run with another recipe, the corpus is missing, ``start`` is a
        different network, or ``keep`` is out of range.
    """
    request = json.loads(
        json.dumps(
            {"name": name, "network": dataclasses.asdict(net), "recipe": dataclasses.asdict(recipe)}
        )
    )
    recipe_file = folder / "recipe.json"
    _check_same_recipe(recipe_file, request, net)
    strategy = distribution.strategy()
    replicas = strategy.num_replicas_in_sync
    if recipe.batch % replicas:
        below = recipe.batch - recipe.batch % replicas
        raise UserError(
            f"batch {recipe.batch}: {replicas} replicas cannot share it evenly; "
            f"use {below or replicas} or {below + replicas}"
        )
    chief = distribution.is_chief(strategy)
    first = _load_start(recipe.start, name, net)

    separation = net.sources == 2
    training_spec = mixer.SEPARATE if separation else mixer.ENHANCE
    training_spec = dataclasses.replace(
        training_spec, seconds=recipe.seconds, room_probability=recipe.rooms
    )
    if recipe.noise == "wide" and recipe.rooms:
        raise UserError(
            f"rooms {recipe.rooms}: with noise wide, a share of the mixtures is in rooms already; "
            "leave rooms at 0"
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
        forward = wrap_model(model) if wrap_model else model
        variables = forward.trainable_variables
        optimizer.build(variables)
        pruner = (
            pruning.Pruner(model.trainable_variables, recipe.keep, recipe.steps)
            if recipe.keep
            else None
        )
    if chief:
        with atomic_path(recipe_file) as part:
            part.write_text(json.dumps(request, indent=2) + "\n")

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
    def run_on_all_replicas(function, *arguments):
        """Run a function on every replica; return the sum, which is the same for all workers."""
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
    # The state of a run stores the wrapped model under this name.
    wrapped = {"around": forward} if wrap_model else {}
    state = tf.train.Checkpoint(
        model=model,
        optimizer=optimizer,
        done=done,
        best=best,
        best_step=best_step,
        waited=waited,
        **wrapped,
    )
    manager = tf.train.CheckpointManager(state, folder / "state", max_to_keep=2)
    if manager.latest_checkpoint:
        state.restore(manager.latest_checkpoint).assert_consumed()
        err.print(f"{folder}: resuming at step {int(done)} of {recipe.steps}", soft_wrap=True)
    distribution.check_agreement(strategy, int(done), f"{folder}: the step to resume from")

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
            loss, stopping = run_on_all_replicas(
                learn, mixtures, sources, tf.constant(float(bool(stop)))
            ).numpy()
            recent.append(float(loss))
            done.assign_add(1)
            if pruner:
                pruner(int(done))
            bar.update(
                task,
                advance=1,
                description=f"train {name}: loss {np.mean(recent[-50:]):.2f} dB, "
                f"best {float(best):.2f} dB",
            )
            if int(done) % recipe.validate_every == 0 or int(done) == recipe.steps:
                improvement = (
                    sum(float(run_on_all_replicas(score, *part)) for part in validation)
                    / recipe.validation_mixtures
                )
                history.append(
                    {"step": int(done), "loss": float(np.mean(recent)), "sisdri_db": improvement}
                )
                recent.clear()
                # Until the pruning is complete, the network has more parameters than requested.
                final = pruner is None or int(done) >= pruner.end
                waited.assign_add(int(final))
                if final and improvement > float(best):
                    best.assign(improvement)
                    best_step.assign(done)
                    waited.assign(0)
                    if chief:
                        training = {
                            "recipe": request["recipe"],
                            "step": int(done),
                            "validation_sisdri_db": improvement,
                        }
                        training |= forward.metadata() if wrap_model else {}
                        checkpoint.save(folder / "best", name, net, training, model)
                if chief:
                    manager.save()
                    with atomic_path(history_file) as part:
                        part.write_text("".join(json.dumps(h) + "\n" for h in history))
                    _plot(history, folder / "curve.png")
                err.print(
                    f"step {int(done)}: loss {history[-1]['loss']:.2f} dB, "
                    f"validation {improvement:.2f} dB, best {float(best):.2f} dB, "
                    f"{time.monotonic() - start:.0f} s"
                )
            if stopping:  # a worker received a signal; all workers are at the same step
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


def _load_start(start: str, name: str, net: networks.Network) -> checkpoint.Checkpoint | None:
    """Return the trained network to start from; None for random weights."""
    if not start:
        return None
    trained = checkpoint.load(start)
    expected = net
    if isinstance(net, networks.Streaming) and isinstance(trained.net, networks.Streaming):
        expected = dataclasses.replace(
            net,
            signal=dataclasses.replace(net.signal, dc=trained.net.signal.dc),  # has no weights
            bottleneck=trained.net.bottleneck and net.bottleneck,
            hidden=max(net.hidden, trained.net.hidden),
        )
    if trained.net != expected:
        raise UserError(
            f"start {start}: its sizes are not those of {name}; start from a network of the same "
            "sizes, one without a bottleneck, or one with more hidden units"
        )
    return trained


def _set_weights(model, trained: checkpoint.Checkpoint) -> None:
    """Copy trained weights into a model.

    A layer that the trained network does not have keeps its initial weights, which make it the
    identity. Of a wider LSTM, the units with the largest outgoing weights are copied.
    """
    before = {layer.name: layer for layer in trained.model().layers}
    for layer in model.layers:
        if layer.name not in before:
            continue
        if isinstance(layer, GroupedLSTM) and layer.hidden < before[layer.name].hidden:
            _narrow(before[layer.name], layer)
        else:
            layer.set_weights(before[layer.name].get_weights())


def _narrow(wide: GroupedLSTM, narrow: GroupedLSTM) -> None:
    """Copy the units with the largest norm of their outgoing weights."""
    kernel, recurrent, bias = wide.lstm.get_weights()
    project, project_bias = wide.project.get_weights()
    outgoing = np.linalg.norm(np.concatenate([project, recurrent], 1), axis=1)
    units = np.sort(np.argsort(-outgoing, kind="stable")[: narrow.hidden])
    gates = (np.arange(4)[:, None] * wide.hidden + units).ravel()  # columns of the four gates
    narrow.lstm.set_weights([kernel[:, gates], recurrent[units][:, gates], bias[gates]])
    narrow.project.set_weights([project[units], project_bias])


def _check_same_recipe(recipe_file: Path, request: dict, net: networks.Network) -> None:
    """Raise a `UserError` when the folder of the run has a run of another recipe."""
    if not recipe_file.is_file():
        return
    try:
        present = json.loads(recipe_file.read_text())
        if not all(isinstance(present[part], dict) for part in ("network", "recipe")):
            raise ValueError("no network or recipe in it")
        # Fields that an older recipe does not have mean their defaults.
        present["recipe"] = {**dataclasses.asdict(Recipe()), **present["recipe"]}
        # The sizes of another family raise one of these errors; they differ from the request
        # anyway.
        with contextlib.suppress(TypeError, KeyError, ValueError):
            present["network"] = dataclasses.asdict(
                networks.from_dict(networks.family_name(net), present["network"])
            )
    except (ValueError, KeyError, TypeError) as e:
        raise UserError(
            f"{recipe_file}: not the recipe of a run ({e}); choose another --out"
        ) from e
    if present != request:
        differing = [
            f"{k} is {present[part].get(k)} in the run, {v} requested"
            for part in ("network", "recipe")
            for k, v in request[part].items()
            if present[part].get(k) != v
        ] or [f"name is {present.get('name')} in the run, {request['name']} requested"]
        raise UserError(
            f"{recipe_file.parent}: has a run with another recipe ({'; '.join(differing)}); "
            "choose another --out or request the same recipe"
        )

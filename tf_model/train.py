"""Training: mixtures on the fly, validation, early stop, checkpoints, exact resume, a curve.

A run is a folder: ``recipe.json`` (what was asked), ``state/`` (weights, optimizer, step: what resumes), ``history.jsonl``,
``curve.png`` and ``best/`` (a checkpoint folder, see `tf_model.checkpoint`). The same command on the same folder goes on where
it stopped, and ends with the same weights as a run that was never stopped.
"""

import contextlib
import dataclasses
import json
import signal
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from calibration_data import corpus as corpora
from calibration_data import mixer
from groupcomm.console import err, progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_path
from tf_model import checkpoint, losses, networks


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    steps : optimizer steps; the learning rate warms up over the first 2 % and falls to 1 % of its peak by a cosine.
    batch : mixtures a step.
    seconds : length of a training mixture.
    learning_rate : peak of Adam's.
    seed : of the weights and of every mixture.
    validate_every : steps between validations; each saves the state.
    validation_mixtures : mixtures of 4 s in the validation set, always the same.
    patience : validations without a better score before the run stops.
    corpus : name of the corpus (`groupcomm data`).
    """

    steps: int = 8000
    batch: int = 24
    seconds: float = 2.5
    learning_rate: float = 2e-3
    seed: int = 0
    validate_every: int = 250
    validation_mixtures: int = 64
    patience: int = 12
    corpus: str = "debian"


def objective(estimates, sources):
    """Loss of a batch: minus the mean SNR in dB, with the best order of sources."""
    return -tf.reduce_mean(losses.pit(losses.snr, estimates, sources))


def _dataset(corpus, spec, recipe: Recipe, first_step: int):
    """Batches (mixtures, sources) from ``first_step`` on; mixture i of the run is the same in every run."""

    def make(indices):
        return mixer.batch(corpus, spec, seed=recipe.seed, indices=indices)

    samples = int(recipe.seconds * 16000)
    sources = 2 if spec.task == "separate" else 1

    def to_tensors(indices):
        mixtures, references = tf.numpy_function(make, [indices], (tf.float32, tf.float32), stateful=False)
        mixtures.set_shape([recipe.batch, samples])
        references.set_shape([recipe.batch, sources, samples])
        return mixtures, references

    indices = tf.data.Dataset.range(first_step * recipe.batch, recipe.steps * recipe.batch)
    batches = indices.batch(recipe.batch, drop_remainder=True)
    return batches.map(to_tensors, num_parallel_calls=2, deterministic=True).prefetch(4)


def _plot(history: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    steps = [h["step"] for h in history]
    left.plot(steps, [h["loss"] for h in history])
    left.set(xlabel="step", ylabel="training loss (-SNR, dB)")
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
    handlers = {s: signal.signal(s, lambda number, frame: asked.append(number)) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)


def train(name: str, net: networks.Network, recipe: Recipe, folder: Path) -> dict:
    """Train a network, or go on with a run that was stopped.

    Parameters
    ----------
    name : name that the checkpoint will carry.
    net, recipe : sizes and recipe; a folder holds one recipe only.
    folder : the run's folder.

    Returns
    -------
    dict with ``best_step``, ``sisdri_db`` (validation), ``steps``, ``stopped_early``.

    Raises
    ------
    UserError
        When the folder holds a run of another recipe, or the corpus is missing.
    """
    asked = json.loads(json.dumps({"name": name, "network": dataclasses.asdict(net), "recipe": dataclasses.asdict(recipe)}))
    recipe_file = folder / "recipe.json"
    if recipe_file.is_file():
        try:
            there = json.loads(recipe_file.read_text())
            if not all(isinstance(there[part], dict) for part in ("network", "recipe")):
                raise ValueError("no network or recipe in it")
        except (ValueError, KeyError, TypeError) as e:
            raise UserError(f"{recipe_file}: not the recipe of a run ({e}); choose another --out") from e
        if there != asked:
            differing = [
                f"{k} {there.get(part, {}).get(k)} there, {v} asked"
                for part in ("network", "recipe")
                for k, v in asked[part].items()
                if there.get(part, {}).get(k) != v
            ] or [f"name {there.get('name')} there, {name} asked"]
            raise UserError(f"{folder}: holds a run of another recipe ({'; '.join(differing)}); choose another --out or ask the same")

    separation = net.sources == 2
    training_spec = dataclasses.replace(mixer.SEPARATE if separation else mixer.ENHANCE, seconds=recipe.seconds)
    validation_spec = mixer.SEPARATE_EVAL if separation else mixer.ENHANCE_EVAL
    training_corpus = corpora.open_corpus("train", name=recipe.corpus)
    validation_corpus = corpora.open_corpus("validation", name=recipe.corpus)
    with atomic_path(recipe_file) as part:
        part.write_text(json.dumps(asked, indent=2) + "\n")

    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()  # the same run twice gives the same weights
    family = networks.family(net)
    model = family.build(net)
    warmup = max(1, recipe.steps // 50)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, recipe.steps - warmup), alpha=0.01, warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=5.0)
    optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(mixtures, sources):
        with tf.GradientTape() as tape:
            loss = objective(family.separate(model, mixtures, net), sources)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))
        return loss

    @tf.function(reduce_retracing=True)
    def score(mixtures, sources):
        estimates = family.separate(model, mixtures, net)
        return losses.pit(losses.si_sdr, estimates, sources) - tf.reduce_mean(losses.si_sdr(mixtures[:, None], sources), 1)

    count = min(16, recipe.validation_mixtures)
    validation = [
        mixer.batch(validation_corpus, validation_spec, seed=1, indices=range(i, i + count))
        for i in range(0, recipe.validation_mixtures, count)
    ]

    done, best_step, waited = tf.Variable(0, dtype=tf.int64), tf.Variable(0, dtype=tf.int64), tf.Variable(0, dtype=tf.int64)
    best = tf.Variable(-np.inf, dtype=tf.float64)
    state = tf.train.Checkpoint(model=model, optimizer=optimizer, done=done, best=best, best_step=best_step, waited=waited)
    manager = tf.train.CheckpointManager(state, folder / "state", max_to_keep=2)
    if manager.latest_checkpoint:
        state.restore(manager.latest_checkpoint).assert_consumed()
        err.print(f"{folder}: going on at step {int(done)} of {recipe.steps}")

    history_file = folder / "history.jsonl"
    history = [json.loads(line) for line in history_file.read_text().splitlines()] if history_file.is_file() else []
    history = [h for h in history if h["step"] <= int(done)]
    recent: list[float] = []
    start = time.monotonic()
    with progress() as bar, _finish_step_first() as stop:
        task = bar.add_task(f"train {name}", total=recipe.steps, completed=int(done))
        for mixtures, sources in _dataset(training_corpus, training_spec, recipe, int(done)):
            if int(waited) >= recipe.patience:
                break
            if stop:
                manager.save()
                raise KeyboardInterrupt
            recent.append(float(step(mixtures, sources)))
            done.assign_add(1)
            bar.update(task, advance=1, description=f"train {name}: loss {np.mean(recent[-50:]):.2f} dB, best {float(best):.2f} dB")
            if int(done) % recipe.validate_every and int(done) != recipe.steps:
                continue
            improvement = float(np.mean(np.concatenate([score(tf.constant(m), tf.constant(s)) for m, s in validation])))
            history.append({"step": int(done), "loss": float(np.mean(recent)), "sisdri_db": improvement})
            recent.clear()
            waited.assign_add(1)
            if improvement > float(best):
                best.assign(improvement)
                best_step.assign(done)
                waited.assign(0)
                training = {"recipe": asked["recipe"], "step": int(done), "validation_sisdri_db": improvement}
                checkpoint.save(folder / "best", name, net, training, model)
            manager.save()
            with atomic_path(history_file) as part:
                part.write_text("".join(json.dumps(h) + "\n" for h in history))
            _plot(history, folder / "curve.png")
            loss, seconds = history[-1]["loss"], time.monotonic() - start
            err.print(f"step {int(done)}: loss {loss:.2f} dB, validation {improvement:.2f} dB, best {float(best):.2f} dB, {seconds:.0f} s")
    return {
        "best_step": int(best_step),
        "sisdri_db": float(best),
        "steps": int(done),
        "stopped_early": int(done) < recipe.steps,
        "checkpoint": str(folder / "best"),
    }

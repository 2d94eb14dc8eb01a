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
import math
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from calibration_data import corpus as corpora
from calibration_data.mixing import mixer
from groupcomm.console import err, note, printable, step
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, json_text, locked, temporary_files
from groupcomm.limits import require_memory
from tf_model import networks
from tf_model.training import batches, checkpoint, distribution, losses, perceptual, pruning
from tf_model.training.recipe import Recipe
from tf_model.training.soap import SOAP
from tf_model.training.start import load_start, set_weights

HARM_CEILING = 30.0  # dB, ceiling of the measure in the penalty on harm
# What a point of PESQ and 1 of eSTOI are worth in the objective "perceptual", dB.
QUALITY_WEIGHT = 4.0
INTELLIGIBILITY_WEIGHT = 60.0

OPTIMIZERS = {"adam": keras.optimizers.Adam, "soap": SOAP}


def _spectral(estimate, reference, *, ceiling_db: float):
    measures = (losses.snr, losses.spectral_snr)
    return sum(measure(estimate, reference, ceiling_db=ceiling_db) for measure in measures) / len(
        measures
    )


def _perceptual(estimate, reference, *, ceiling_db: float):
    return (
        _spectral(estimate, reference, ceiling_db=ceiling_db)
        + QUALITY_WEIGHT * perceptual.quality(estimate, reference)
        + INTELLIGIBILITY_WEIGHT * perceptual.intelligibility(estimate, reference)
    )


MEASURES = {
    "snr": losses.snr,
    "si-sdr": losses.limited_si_sdr,
    "spectral": _spectral,
    "perceptual": _perceptual,
}


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
        different network, ``keep`` is out of range, another process uses the folder, the memory
        is too small, or the loss is not finite any more.
    """
    request = json.loads(
        json.dumps(
            {"name": name, "network": dataclasses.asdict(net), "recipe": dataclasses.asdict(recipe)}
        )
    )
    recipe_file = folder / "recipe.json"
    _check_same_recipe(recipe_file, request, net)
    strategy = distribution.strategy()
    _check_batch(recipe.batch, strategy.num_replicas_in_sync)
    on_host = not tf.config.list_physical_devices("GPU")
    require_memory(
        batches.memory_bytes(net, recipe, on_host=on_host),
        f"batch {recipe.batch}",
        "use a smaller --batch or fewer --seconds",
    )
    require_memory(
        batches.validation_bytes(_validation_spec(net), recipe.validation_mixtures),
        f"{recipe.validation_mixtures} validation mixtures",
        "use fewer --validation-mixtures",
    )
    # The other workers of a chief share its folder.
    is_chief = distribution.is_chief(strategy)
    alone = locked(folder / ".lock", folder) if is_chief else contextlib.nullcontext()
    with alone, temporary_files():
        return _train_alone(request, net, recipe, folder, strategy, wrap_model)


def _train_alone(
    request: dict,
    net: networks.Network,
    recipe: Recipe,
    folder: Path,
    strategy: tf.distribute.Strategy,
    wrap_model,
) -> dict:
    """Train as `train` does; no other process uses the folder."""
    name = request["name"]
    trained = load_start(recipe.start, name, net)
    spec = batches.training_spec(net.sources, recipe)
    corpus = corpora.open_corpus("train", name=recipe.corpus)
    validation_corpus = corpora.open_corpus("validation", name=recipe.corpus)

    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()  # the same run twice gives the same weights
    learner = _Learner(net, recipe, strategy, trained, wrap_model)
    is_chief = distribution.is_chief(strategy)
    if is_chief:
        with atomic_path(folder / "recipe.json") as part:
            part.write_text(json_text(request))
    validation = batches.validation_set(
        validation_corpus, _validation_spec(net), recipe.validation_mixtures, strategy
    )
    state = _State(folder / "state", learner)
    resumes = state.restore()
    if resumes:
        note(f"{folder}: resuming at step {int(state.done)} of {recipe.steps}")
    elif (folder / "best").exists():
        raise UserError(
            f"{folder}: has a trained network in best/, and no state to continue from; choose "
            f"another --out, and begin with its weights by --from {folder}"
        )
    distribution.check_agreement(strategy, int(state.done), f"{folder}: the step to resume from")
    run = _Run(name, net, recipe, folder, learner, state, is_chief)
    if resumes:
        run.complete_best()
    run.train(
        strategy.distribute_datasets_from_function(
            lambda context: batches.dataset(corpus, spec, recipe, int(state.done), context)
        ),
        validation,
    )
    return {
        "best_step": int(state.best_step),
        "sisdri_db": float(state.best),
        "steps": int(state.done),
        "stopped_early": int(state.done) < recipe.steps,
        "checkpoint": str(folder / "best"),
    }


def _validation_spec(net: networks.Network) -> mixer.MixtureSpec:
    return mixer.SEPARATE_EVAL if net.sources == 2 else mixer.ENHANCE_EVAL


def _check_batch(batch: int, replicas: int) -> None:
    if batch % replicas:
        below = batch - batch % replicas
        raise UserError(
            f"batch {batch}: {replicas} replicas cannot share it evenly; "
            f"use {below or replicas} or {below + replicas}"
        )


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
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise UserError(
            f"{recipe_file}: not the recipe of a run ({printable(str(e))}); choose another --out"
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


class _Learner:
    """A network, its optimizer, and what all replicas compute with them.

    Parameters
    ----------
    net, recipe, wrap_model
        As for `train`.
    strategy : tf.distribute.Strategy
    trained : Checkpoint or None
        The network to start from.

    Attributes
    ----------
    model : keras.Model
        The sequence view.
    forward : keras.Model or tf.Module
        What is called: the view, or what ``wrap_model`` made of it.
    optimizer : keras.optimizers.Optimizer
    pruner : pruning.Pruner or None
    """

    def __init__(
        self,
        net: networks.Network,
        recipe: Recipe,
        strategy: tf.distribute.Strategy,
        trained: checkpoint.Checkpoint | None,
        wrap_model,
    ):
        self._net, self._recipe, self._strategy = net, recipe, strategy
        self._family = networks.family(net)
        with strategy.scope():
            self.model = self._family.build(net)
            self.optimizer = _optimizer(recipe)
            if trained:
                set_weights(self.model, trained)
            self.forward = wrap_model(self.model) if wrap_model else self.model
            self._variables = self.forward.trainable_variables
            self.optimizer.build(self._variables)
            self.pruner = (
                pruning.Pruner(self.model.trainable_variables, recipe.keep, recipe.steps)
                if recipe.keep
                else None
            )

    @property
    def is_wrapped(self) -> bool:
        """Whether ``forward`` is not the view itself."""
        return self.forward is not self.model

    # AutoGraph would convert every function that is called, which takes longer than tracing them,
    # and no control flow depends on the values of tensors.
    @tf.function(reduce_retracing=True, autograph=False)
    def step(self, mixtures, sources, stop):
        """Update the weights once.

        Parameters
        ----------
        mixtures, sources : tf.Tensor
            A batch, see `batches.dataset`.
        stop : tf.Tensor [shape=(), dtype=float32]
            1 when this worker received a signal, else 0.

        Returns
        -------
        tf.Tensor [shape=(2,), dtype=float32]
            The loss in dB, and more than 0 when any worker received a signal. They are the same for
            all workers.
        """
        return self._sum_of_replicas(self._learn, mixtures, sources, stop)

    @tf.function(reduce_retracing=True, autograph=False)
    def improvement(self, mixtures, sources, weights):
        """Return the weighted sum of the SI-SDR improvements of a batch of the validation set.

        It is the same for all workers.
        """
        return self._sum_of_replicas(self._score, mixtures, sources, weights)

    def _sum_of_replicas(self, function, *arguments):
        return self._strategy.reduce("SUM", self._strategy.run(function, arguments), axis=None)

    def _learn(self, mixtures, sources, stop):
        with tf.GradientTape() as tape:
            estimates = self._family.separate(self.forward, mixtures, self._net)
            each = objective(
                estimates,
                sources,
                self._recipe.objective,
                mixtures=mixtures,
                ceiling=self._recipe.ceiling,
                harm=self._recipe.harm,
            )
            loss = tf.nn.compute_average_loss(each, global_batch_size=self._recipe.batch)
        gradients = tape.gradient(loss, self._variables)
        self.optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        return tf.stack([loss, stop])

    def _score(self, mixtures, sources, weights):
        estimates = self._family.separate(self.forward, mixtures, self._net)
        before = tf.reduce_mean(losses.si_sdr(mixtures[:, None], sources), 1)
        return tf.reduce_sum(weights * (losses.pit(losses.si_sdr, estimates, sources) - before))


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    warmup = max(1, recipe.steps // 50)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, recipe.steps - warmup),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
    return OPTIMIZERS[recipe.optimizer](schedule, global_clipnorm=5.0)


class _State:
    """What a run resumes from: weights, optimizer and progress.

    Parameters
    ----------
    folder : Path
        Where it is saved.
    learner : _Learner

    Attributes
    ----------
    done, best_step : tf.Variable [dtype=int64]
        Steps done, and the step of the best validation.
    best : tf.Variable [dtype=float64]
        SI-SDR improvement of the best validation, dB.
    waited : tf.Variable [dtype=int64]
        Validations since the best one.
    """

    def __init__(self, folder: Path, learner: _Learner):
        self.done, self.best_step, self.waited = (tf.Variable(0, dtype=tf.int64) for _ in range(3))
        self.best = tf.Variable(-np.inf, dtype=tf.float64)
        # The keywords are names in the files.
        self._saved = tf.train.Checkpoint(
            model=learner.model,
            optimizer=learner.optimizer,
            done=self.done,
            best=self.best,
            best_step=self.best_step,
            waited=self.waited,
            **({"around": learner.forward} if learner.is_wrapped else {}),
        )
        self._folder = folder
        self._manager = tf.train.CheckpointManager(self._saved, folder, max_to_keep=2)

    def restore(self) -> bool:
        """Restore the latest state that is not damaged; return whether there is one.

        Raises
        ------
        UserError
            When all of them are damaged.
        """
        # Those in the folder: the file `checkpoint`, which lists them, may be missing in a copy.
        states = sorted(self._folder.glob("ckpt-*.index"), key=_number, reverse=True)
        for state in states:
            try:
                self._saved.restore(str(state.with_suffix(""))).assert_consumed()
            except Exception as e:  # TensorFlow fails in many ways on damage
                reason = str(e).partition("\n")[0][:200]
                note(f"{state}: damaged ({reason}); trying the state before it", style="yellow")
            else:
                self._remove_leftovers({file.stem for file in states})
                return True
        if states:
            raise UserError(
                f"{self._folder}: no state can be read; choose another --out, or delete the folder "
                "to begin again"
            )
        return False

    def save(self) -> None:
        """Save the state; a part of one is removed.

        Raises
        ------
        UserError
            When the folder cannot be written.
        """
        before = set(self._folder.glob("*"))
        try:
            self._manager.save()
            self._remove_leftovers({Path(state).name for state in self._manager.checkpoints})
        except Exception as e:  # of TensorFlow, when the disk is full for example
            for part in set(self._folder.glob("*")) - before:
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            # The operation and its file come first, the reason of the system last.
            reason = str(e).partition("\n")[0].partition(" [Op:")[0].rpartition("; ")[2][:200]
            raise UserError(
                f"{self._folder}: cannot save the state ({reason}); free some space, and run the "
                "same command to continue from the state before"
            ) from e

    def _remove_leftovers(self, states: set[str]) -> None:
        """Remove what a process left that was killed while it saved, and all states but these.

        TensorFlow's manager removes only the states that it lists.
        """
        for file in self._folder.glob("*"):
            found = re.fullmatch(r"(ckpt-\d+)\..*|(?:ckpt-\d+_temp|checkpoint\.tmp).*", file.name)
            if found and found[1] not in states:
                if file.is_dir():
                    shutil.rmtree(file, ignore_errors=True)
                else:
                    file.unlink(missing_ok=True)

    def record_validation(self, improvement: float) -> bool:
        """Count a validation; return whether it is the best one."""
        self.waited.assign_add(1)
        is_best = improvement > float(self.best)
        if is_best:
            self.best.assign(improvement)
            self.best_step.assign(self.done)
            self.waited.assign(0)
        return is_best


class _Run:
    """The steps and validations of a run, and the files in its folder.

    Parameters
    ----------
    name, net, recipe, folder
        As for `train`.
    learner : _Learner
    state : _State
        Restored, when the run resumes.
    is_chief : bool
        Whether this process writes files.
    """

    def __init__(
        self,
        name: str,
        net: networks.Network,
        recipe: Recipe,
        folder: Path,
        learner: _Learner,
        state: _State,
        is_chief: bool,
    ):
        self._name, self._net, self._recipe, self._folder = name, net, recipe, folder
        self._learner, self._state, self._is_chief = learner, state, is_chief
        self._history = _read_history(folder / "history.jsonl", int(state.done))
        self._losses: list[float] = []  # of the steps since the last validation
        self._start = time.monotonic()

    def train(self, training, validation: list) -> None:
        """Train until the last step, or until the validation does not improve any more.

        Parameters
        ----------
        training : iterable
            Batches of the steps that are not done.
        validation : list
            Batches of the validation set.

        Raises
        ------
        KeyboardInterrupt
            After a signal to any worker, when the state is saved.
        SystemExit
            After SIGTERM to this worker, likewise; the exit code is 143.
        UserError
            When the loss, the validation or a weight is not finite.
        """
        state, recipe = self._state, self._recipe
        title, done = f"train {self._name}", int(state.done)
        with step(title, recipe.steps, done=done) as shown, _finish_step_first() as stop:
            for mixtures, sources in training:
                if int(state.waited) >= recipe.patience:
                    break
                stopping = self._step(mixtures, sources, tf.constant(float(bool(stop))))
                loss = np.mean(self._losses[-50:])
                shown.update(f"{title}: loss {loss:.2f} dB{self._best_so_far()}")
                shown.advance()
                if int(state.done) % recipe.validate_every == 0 or int(state.done) == recipe.steps:
                    self._validate(validation)
                if stopping:  # all workers are at the same step
                    if self._is_chief:
                        self._save_state()
                    if signal.SIGTERM in stop:
                        raise SystemExit(128 + signal.SIGTERM)
                    raise KeyboardInterrupt

    def complete_best(self) -> None:
        """Write the best checkpoint when the run ended between its state and the checkpoint."""
        done, best = int(self._state.done), int(self._state.best_step)
        with contextlib.suppress(UserError):
            if checkpoint.load(str(self._folder / "best")).training["step"] == best:
                return
        if self._is_chief and 0 < best == done:
            self._save_checkpoint(float(self._state.best))

    def _step(self, mixtures, sources, stop) -> bool:
        """Make a step; return whether a worker received a signal."""
        loss, stopping = self._learner.step(mixtures, sources, stop).numpy()
        self._require_finite("loss", loss)
        self._losses.append(float(loss))
        self._state.done.assign_add(1)
        if self._learner.pruner:
            self._learner.pruner(int(self._state.done))
        return bool(stopping)

    def _require_finite(self, what: str, *values) -> None:
        """Stop the run, before anything is saved, when a value is not finite.

        All workers have the same values, so all of them stop.
        """
        if all(np.isfinite(value).all() for value in values):
            return
        step, recipe = int(self._state.done), self._recipe
        first = step * recipe.batch
        raise UserError(
            f"step {step}: the {what} is not a finite number, with mixtures {first} to "
            f"{first + recipe.batch - 1} of seed {recipe.seed}; choose another --out and a lower "
            f"--learning-rate (now {recipe.learning_rate:g}) or another --seed"
        )

    def _save_state(self) -> None:
        self._require_finite("weight of a layer", *self._learner.model.get_weights())
        self._state.save()

    def _validate(self, validation: list) -> None:
        done = int(self._state.done)
        total = sum(float(self._learner.improvement(*part)) for part in validation)
        improvement = total / self._recipe.validation_mixtures
        self._require_finite("validation", improvement)
        loss = float(np.mean(self._losses))
        self._history.append({"step": done, "loss": loss, "sisdri_db": improvement})
        self._losses.clear()
        # Until the pruning is complete, the network has more parameters than requested.
        pruner = self._learner.pruner
        is_final = pruner is None or done >= pruner.end
        is_best = is_final and self._state.record_validation(improvement)
        if self._is_chief:
            self._save_state()
            if is_best:
                self._save_checkpoint(improvement)
            self._write_history()
        err.print(
            f"step {done}: loss {loss:.2f} dB, validation {improvement:.2f} dB"
            f"{self._best_so_far()}, {time.monotonic() - self._start:.0f} s"
        )

    def _best_so_far(self) -> str:
        """Return the best validation for a line of progress; "" before the first (-inf)."""
        best = float(self._state.best)
        return f", best {best:.2f} dB" if math.isfinite(best) else ""

    def _save_checkpoint(self, improvement: float) -> None:
        training = {
            "recipe": dataclasses.asdict(self._recipe),
            "step": int(self._state.done),
            "validation_sisdri_db": improvement,
        }
        if self._learner.is_wrapped:
            training |= self._learner.forward.metadata()
        model = self._learner.model
        checkpoint.save(self._folder / "best", self._name, self._net, training, model)

    def _write_history(self) -> None:
        with atomic_path(self._folder / "history.jsonl") as part:
            part.write_text("".join(json.dumps(h, allow_nan=False) + "\n" for h in self._history))
        _plot(self._history, self._folder / "curve.png")


def _read_history(file: Path, steps: int) -> list[dict]:
    """Return the validations of the first steps."""
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    history = []
    for line in lines:
        # it is only plotted
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            history += [h for h in [json.loads(line)] if h["step"] <= steps]
    return history


def _number(state: Path) -> int:
    """Return the number in ``ckpt-NUMBER.index``."""
    digits = state.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1


@contextlib.contextmanager
def _finish_step_first():
    """Delay SIGINT and SIGTERM to the end of the step, so that weights and step count agree.

    A second signal does not wait: the state is that of the last validation then. Yields a list that
    is not empty after a signal.
    """
    signals: list[int] = []

    def note_first(number, frame):
        if signals:
            raise KeyboardInterrupt
        signals.append(number)
        err.print("stopping after this step; the same signal again stops now", soft_wrap=True)

    handlers = {s: signal.signal(s, note_first) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)


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

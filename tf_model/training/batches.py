"""The mixtures of a training run: batches for every step, and the validation set."""

import dataclasses

import numpy as np
import tensorflow as tf

from calibration_data import corpus as corpora
from calibration_data.audio import RATE
from calibration_data.mixing import mixer
from groupcomm.errors import UserError
from tf_model import networks
from tf_model.training.recipe import Recipe

VALIDATION_BATCH = 16  # mixtures of 4 s per replica


WAITING = 7  # batches in memory: 4 made in advance, 2 being made, and that of the step


def memory_bytes(net: networks.Network, recipe: Recipe, *, on_host: bool) -> int:
    """Estimate the memory that the batches of a run take, from below.

    The sound is counted, and for a streaming network what its step keeps for the gradient: ten
    values of each bin, and of each unit of an LSTM twelve (docs/design/training.md).

    Parameters
    ----------
    net : Network
    recipe : Recipe
    on_host : bool
        Whether the steps are computed in the memory of this machine, without a GPU.

    Returns
    -------
    int
    """
    samples = recipe.seconds * RATE
    values = WAITING * samples * (1 + net.sources)
    if on_host and isinstance(net, networks.Streaming):
        frames = samples / net.signal.hop
        units = 12 * net.blocks * net.groups * net.hidden
        values += frames * (10 * net.signal.bins * net.sources + units)
    return int(4 * values * recipe.batch)


def validation_bytes(spec: mixer.MixtureSpec, mixtures: int) -> int:
    """Return the size of the sound of a validation set, which a run keeps in memory.

    Parameters
    ----------
    spec : mixer.MixtureSpec
    mixtures : int

    Returns
    -------
    int
    """
    return 4 * spec.samples * (1 + spec.sources) * mixtures


def training_spec(sources: int, recipe: Recipe) -> mixer.MixtureSpec:
    """Return the specification of the training mixtures.

    Parameters
    ----------
    sources : int
        1: enhancement. 2: separation of two speakers.
    recipe : Recipe

    Returns
    -------
    mixer.MixtureSpec

    Raises
    ------
    UserError
        When rooms are combined with conditions that include them.
    """
    if recipe.noise == "wide" and recipe.rooms:
        raise UserError(
            f"rooms {recipe.rooms}: with noise wide, a share of the mixtures is in rooms already; "
            "leave rooms at 0"
        )
    conditions = {
        "recorded": {},
        "varied": mixer.VARIED,
        "wide": mixer.WIDE_SEPARATE if sources == 2 else mixer.WIDE,
    }
    spec = dataclasses.replace(
        mixer.SEPARATE if sources == 2 else mixer.ENHANCE,
        seconds=recipe.seconds,
        room_probability=recipe.rooms,
    )
    return dataclasses.replace(spec, **conditions[recipe.noise])


def dataset(
    corpus: corpora.Corpus,
    spec: mixer.MixtureSpec,
    recipe: Recipe,
    first_step: int,
    context: tf.distribute.InputContext,
) -> tf.data.Dataset:
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
    made = parts.map(to_tensors, num_parallel_calls=2, deterministic=True).prefetch(4)
    # Nothing is tuned, and the thread that tunes can let the end of a stopped run wait for 30 s.
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.with_options(options)


def validation_set(
    corpus: corpora.Corpus,
    spec: mixer.MixtureSpec,
    mixtures: int,
    strategy: tf.distribute.Strategy,
) -> list:
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

"""Choice of the `tf.distribute` strategy: one device, all GPUs of a machine, or many machines."""

import json
import os

import tensorflow as tf

from groupcomm.console import err, quiet
from groupcomm.errors import UserError


def strategy() -> tf.distribute.Strategy:
    """Choose a strategy by the environment.

    Call it before any TensorFlow operation of the process, because the collective operations of
    several workers must be set up first.

    Returns
    -------
    tf.distribute.Strategy
        MultiWorkerMirroredStrategy when TF_CONFIG names workers, MirroredStrategy for several GPUs,
        otherwise the default strategy.

    Raises
    ------
    UserError
        When TF_CONFIG does not name the workers and this worker, or its port is in use.
    """
    if not os.environ.get("TF_CONFIG"):
        return (
            tf.distribute.MirroredStrategy()
            if len(tf.config.list_logical_devices("GPU")) > 1
            else tf.distribute.get_strategy()
        )
    example = (
        '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        workers, task = config["cluster"]["worker"], config["task"]
        known = (
            set(config["cluster"]) == {"worker"}
            and task["type"] == "worker"
            and 0 <= task["index"] < len(workers)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise UserError(
            f"TF_CONFIG {os.environ['TF_CONFIG']}: does not list the workers and name this one; "
            f"use the form {example}"
        )
    err.print(f"worker {task['index']} of {len(workers)}: waiting for the others")
    try:
        with quiet():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as e:
        raise UserError(
            f"TF_CONFIG, worker {task['index']} at {workers[task['index']]}: "
            f"{str(e).splitlines()[0]}"
        ) from e


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process writes files.

    Parameters
    ----------
    strategy : tf.distribute.Strategy

    Returns
    -------
    bool
        True for the only process of a run, and for worker 0.
    """
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id == 0


def check_agreement(strategy: tf.distribute.Strategy, value: int, what: str) -> None:
    """Check that all workers have the same value.

    Parameters
    ----------
    strategy : tf.distribute.Strategy
    value : int
        Value of this worker.
    what : str
        Name of the value, for the error message.

    Raises
    ------
    UserError
        When workers have different values, for example because they do not see the same folder.
    """

    @tf.function(autograph=False)
    def moments():
        return strategy.reduce(
            "SUM", strategy.run(lambda: tf.constant([value, value**2], tf.int64)), axis=None
        )

    total, squares = moments().numpy()
    # The variance is 0 if and only if all values are equal, so all workers reach the same result.
    if total**2 != squares * strategy.num_replicas_in_sync:
        raise UserError(
            f"{what} is {value} for this worker, not for all; give all workers the same --out on a "
            "disk that all of them see"
        )

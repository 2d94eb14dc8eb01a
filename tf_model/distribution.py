"""One device, all GPUs of a machine, or many machines: which `tf.distribute` strategy a training runs under."""

import json
import os

import tensorflow as tf

from groupcomm.console import err, quiet
from groupcomm.errors import UserError


def strategy() -> tf.distribute.Strategy:
    """Choose by the environment: MultiWorkerMirroredStrategy when TF_CONFIG names workers, MirroredStrategy for several GPUs, else none.

    Call it before any TensorFlow operation of the process: many workers talk through collectives, which are set up first.

    Raises
    ------
    UserError
        When TF_CONFIG does not say who the workers are and which of them this is, or its port is taken.
    """
    if not os.environ.get("TF_CONFIG"):
        return (
            tf.distribute.MirroredStrategy()
            if len(tf.config.list_logical_devices("GPU")) > 1
            else tf.distribute.get_strategy()
        )
    example = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'
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
            f"TF_CONFIG {os.environ['TF_CONFIG']}: not a list of workers and which of them this is; use the form {example}"
        )
    err.print(f"worker {task['index']} of {len(workers)}: waiting for the others")
    try:
        with quiet():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as e:
        raise UserError(
            f"TF_CONFIG, worker {task['index']} at {workers[task['index']]}: {str(e).splitlines()[0]}"
        ) from e


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: alone, or worker 0."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id == 0


def agree(strategy: tf.distribute.Strategy, value: int, what: str) -> None:
    """Hold a value of this worker against all others'.

    Raises
    ------
    UserError
        When workers have different values, as when they do not see the same folder.
    """

    @tf.function
    def moments():
        return strategy.reduce(
            "SUM", strategy.run(lambda: tf.constant([value, value**2], tf.int64)), axis=None
        )

    total, squares = moments().numpy()
    if (
        total**2 != squares * strategy.num_replicas_in_sync
    ):  # no spread; all workers come to the same verdict
        raise UserError(
            f"{what} is {value} for this worker, not for all; give all workers the same --out on a disk that all of them see"
        )

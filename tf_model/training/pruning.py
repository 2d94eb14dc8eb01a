"""Gradual magnitude pruning during training.

The smallest weights of all matrices together become zero (Han et al., "Learning both weights and
connections", NeurIPS 2015), along the cubic schedule of Zhu and Gupta ("To prune, or not to prune",
arXiv 1710.01878, section 3). The largest weights are selected again after every step, so a weight
may return. The selection is a function of the weights alone: there is no mask to save.
"""

import tensorflow as tf

from groupcomm.errors import UserError

RAMP = 0.5  # share of the steps in which weights are pruned; the rest trains the remaining ones


def ramp_end(steps: int) -> int:
    """Return the step after which the final number of parameters is reached."""
    return int(RAMP * steps)


class Pruner:
    """Set all but the largest weights of the matrices of a model to zero.

    Vectors (biases, norms) are not pruned.

    Parameters
    ----------
    variables : list of tf.Variable
        Trainable variables of the model.
    keep : int
        Parameters, vectors included, that remain at the end.
    steps : int
        Optimizer steps of the whole run.

    Raises
    ------
    UserError
        When ``keep`` is not more than the number of parameters in vectors, or more than that of all
        parameters.
    """

    def __init__(self, variables, keep: int, steps: int):
        self.matrices = [v for v in variables if len(v.shape) > 1]
        self.all = sum(int(tf.size(v)) for v in self.matrices)
        vectors = sum(int(tf.size(v)) for v in variables) - self.all
        if not vectors < keep <= vectors + self.all:
            raise UserError(
                f"keep {keep}: the network has {vectors + self.all} parameters, "
                f"{vectors} of them in vectors; keep a number between"
            )
        self.keep, self.end = keep - vectors, ramp_end(steps)

    def left(self, step: int) -> int:
        """Return the number of non-zero matrix weights after a step."""
        part = min(1.0, step / self.end) if self.end else 1.0
        return self.keep + round((self.all - self.keep) * (1 - part) ** 3)

    def __call__(self, step: int) -> None:
        """Prune the weights. Call it after every step, outside of the replicas.

        Parameters
        ----------
        step : int
            Number of steps done.
        """
        self._keep_largest(tf.constant(self.left(step)))

    @tf.function(autograph=False)
    def _keep_largest(self, left):
        sizes = tf.concat([tf.reshape(tf.abs(v), [-1]) for v in self.matrices], 0)
        threshold = tf.sort(sizes, direction="DESCENDING")[left - 1]
        for v in self.matrices:
            v.assign(tf.where(tf.abs(v) >= threshold, v, 0.0))

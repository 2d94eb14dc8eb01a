"""Pruning while training: the smallest weights become zero, ever more of them.

Magnitude pruning over all matrices together (Han et al., "Learning both weights and connections", NeurIPS 2015) along the cubic
schedule of Zhu and Gupta ("To prune, or not to prune", arXiv 1710.01878, section 3). The largest are chosen anew after every step, so a
weight may come back, and what is kept is a function of the weights alone: there is no mask to save.
"""

import tensorflow as tf

from groupcomm.errors import UserError

RAMP = 0.5  # part of the steps in which weights go; the rest trains what is left


def ramp_end(steps: int) -> int:
    """Step after which the wanted number is left."""
    return int(RAMP * steps)


class Pruner:
    """Zeroes all but the largest weights of a model's matrices. Vectors (biases, norms) are kept whole.

    Parameters
    ----------
    variables : the model's trainable variables.
    keep : parameters, vectors included, that are left at the end.
    steps : optimizer steps of the whole run.

    Raises
    ------
    UserError
        When ``keep`` is less than the vectors alone or more than there is.
    """

    def __init__(self, variables, keep: int, steps: int):
        self.matrices = [v for v in variables if len(v.shape) > 1]
        self.all = sum(int(tf.size(v)) for v in self.matrices)
        vectors = sum(int(tf.size(v)) for v in variables) - self.all
        if not vectors < keep <= vectors + self.all:
            raise UserError(
                f"keep {keep}: the network has {vectors + self.all} parameters, {vectors} of them in vectors; keep a number between"
            )
        self.keep, self.end = keep - vectors, ramp_end(steps)

    def left(self, step: int) -> int:
        """Weights of matrices that are left after a step."""
        part = min(1.0, step / self.end) if self.end else 1.0
        return self.keep + round((self.all - self.keep) * (1 - part) ** 3)

    def __call__(self, step: int) -> None:
        """Prune; call after every step, outside of the replicas."""
        self._largest(tf.constant(self.left(step)))

    @tf.function
    def _largest(self, left):
        sizes = tf.concat([tf.reshape(tf.abs(v), [-1]) for v in self.matrices], 0)
        threshold = tf.sort(sizes, direction="DESCENDING")[left - 1]
        for v in self.matrices:
            v.assign(tf.where(tf.abs(v) >= threshold, v, 0.0))

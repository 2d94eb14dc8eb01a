"""The optimizer SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

import tensorflow as tf
import tf_keras as keras

MOMENTUM = 0.95  # decay of all running means, as in the paper
EPSILON = 1e-8
REFRESH = 10  # steps between updates of the eigenbasis


class SOAP(keras.optimizers.Optimizer):
    """Run Adam in the eigenbasis of Shampoo's preconditioner.

    For a weight matrix with gradient G, L and R are running means of G G' and G' G, and Q_L and Q_R
    are their eigenvectors. Adam works on Q_L' G Q_R, whose entries are less correlated than those
    of G, and its step is rotated back. Every ten steps, before the step is made, the eigenvectors
    are updated by one step of power iteration and a QR decomposition. A weight that is not a matrix
    is updated by plain Adam with the same constants. The first gradient only initializes the
    eigenbasis; it does not change a matrix.

    Where the first gradient has no component in some directions, the basis there is arbitrary: two
    machines with different linear algebra libraries then take different paths of equal quality. The
    gain in this project is measured in docs/lab-notebook.md.

    Source: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv 2409.11321,
    algorithm 3.

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
    name : str
    **kwargs
        Arguments of `keras.optimizers.Optimizer`.
    """

    def __init__(self, learning_rate, *, name: str = "SOAP", **kwargs):
        super().__init__(
            name=name, jit_compile=False, **kwargs
        )  # XLA has no QR decomposition for some devices
        self._learning_rate = self._build_learning_rate(learning_rate)

    def build(self, var_list):
        """Create the running means, and for each matrix the preconditioner and basis of both sides.

        Parameters
        ----------
        var_list : list of tf.Variable
        """
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self._built = True
        self._means = [self.add_variable_from_reference(v, "m") for v in var_list]
        self._squares = [self.add_variable_from_reference(v, "v") for v in var_list]
        self._sides = []
        for v in var_list:
            sides = []
            for size in v.shape if len(v.shape) == 2 else ():
                zero, one = tf.zeros([size, size], v.dtype), tf.eye(size, dtype=v.dtype)
                sides.append(
                    [
                        self.add_variable_from_reference(v, what, initial_value=x)
                        for what, x in (("shampoo", zero), ("basis", one))
                    ]
                )
            self._sides.append(sides)

    def update_step(self, gradient, variable):
        """Update one variable.

        Parameters
        ----------
        gradient : tf.Tensor
        variable : tf.Variable
            Of the shape of ``gradient``.
        """
        i = self._index_dict[self._var_key(variable)]
        mean, square, sides = self._means[i], self._squares[i], self._sides[i]
        step = tf.cast(self.iterations + 1, variable.dtype)
        correction = 1 - MOMENTUM**step
        mean.assign(MOMENTUM * mean + (1 - MOMENTUM) * gradient)
        rotated, direction = gradient, mean
        if sides:
            (left, right), (q_left, q_right) = zip(*sides, strict=True)
            left.assign(
                MOMENTUM * left + (1 - MOMENTUM) * tf.matmul(gradient, gradient, transpose_b=True)
            )
            right.assign(
                MOMENTUM * right + (1 - MOMENTUM) * tf.matmul(gradient, gradient, transpose_a=True)
            )
            for shampoo, basis in sides:
                basis.assign(self._basis(shampoo, basis))
            rotated = tf.matmul(tf.matmul(q_left, gradient, transpose_a=True), q_right)
            direction = tf.matmul(tf.matmul(q_left, mean, transpose_a=True), q_right)
        square.assign(MOMENTUM * square + (1 - MOMENTUM) * rotated**2)
        move = direction / correction / (tf.sqrt(square / correction) + EPSILON)
        rate = tf.cast(self.learning_rate, variable.dtype)
        if sides:
            move = tf.matmul(tf.matmul(q_left, move), q_right, transpose_b=True)
            rate = tf.where(self.iterations == 0, tf.zeros_like(rate), rate)
        variable.assign_sub(rate * move)

    def _basis(self, shampoo, basis):
        """Return the new eigenvectors of one side.

        They are computed at the first step, updated at every tenth, and otherwise unchanged. The
        eigenvector of the largest eigenvalue comes first, as in power iteration with QR: in another
        order, the first update would permute directions without permuting the squares.
        """
        return tf.case(
            [
                (self.iterations == 0, lambda: tf.reverse(tf.linalg.eigh(shampoo)[1], [1])),
                (
                    (self.iterations + 1) % REFRESH == 0,
                    lambda: tf.linalg.qr(tf.matmul(shampoo, basis))[0],
                ),
            ],
            default=lambda: tf.identity(basis),
        )

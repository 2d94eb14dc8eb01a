"""SOAP matches the algorithm of its paper in float64 NumPy."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tf_model.training.soap import SOAP

pytestmark = pytest.mark.tensorflow


def reference(start, gradients, rate):
    """Run algorithm 3 of arXiv 2409.11321 for one matrix; update the bases at every tenth step.

    The running mean of the gradient is kept in the original basis.
    """
    w, m, v = start.astype(np.float64), 0.0, 0.0
    left, right = np.zeros((len(w), len(w))), np.zeros((w.shape[1], w.shape[1]))
    for t, g in enumerate(gradients, 1):
        m = 0.95 * m + 0.05 * g
        left, right = 0.95 * left + 0.05 * g @ g.T, 0.95 * right + 0.05 * g.T @ g
        if t == 1:
            ql, qr = np.linalg.eigh(left)[1][:, ::-1], np.linalg.eigh(right)[1][:, ::-1]
        elif t % 10 == 0:
            ql, qr = np.linalg.qr(left @ ql)[0], np.linalg.qr(right @ qr)[0]
        v = 0.95 * v + 0.05 * (ql.T @ g @ qr) ** 2
        if t > 1:
            correction = 1 - 0.95**t
            turned = ql.T @ m @ qr / correction / (np.sqrt(v / correction) + 1e-8)
            w = w - rate * ql @ turned @ qr.T
    return w


def test_a_matrix_is_updated_as_in_the_paper(random):
    start = random.standard_normal((4, 3))
    # Scales differ between directions, so that the eigenvectors of the first step are well defined.
    mixed = np.linalg.qr(random.standard_normal((4, 4)))[0] * [5, 2, 1, 0.3]
    gradients = [mixed @ random.standard_normal((4, 3)) for _ in range(25)]
    variable, optimizer = tf.Variable(start, dtype=tf.float64), SOAP(0.01)
    for gradient in gradients:
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
    np.testing.assert_allclose(variable.numpy(), reference(start, gradients, 0.01), atol=1e-6)


def test_vectors_use_adam_and_the_first_step_does_not_change_matrices(random):
    start = random.standard_normal(5).astype(np.float32)
    gradients = [random.standard_normal(5).astype(np.float32) for _ in range(12)]
    vector, matrix, other = tf.Variable(start), tf.Variable(tf.ones([3, 3])), tf.Variable(start)
    soap, adam = SOAP(0.01), keras.optimizers.Adam(0.01, beta_1=0.95, beta_2=0.95, epsilon=1e-8)
    soap.apply_gradients([(tf.constant(gradients[0]), vector), (tf.ones([3, 3]), matrix)])
    np.testing.assert_array_equal(matrix.numpy(), np.ones((3, 3)))
    for gradient in gradients[1:]:
        soap.apply_gradients([(tf.constant(gradient), vector), (tf.ones([3, 3]), matrix)])
    for gradient in gradients:
        adam.apply_gradients([(tf.constant(gradient), other)])
    np.testing.assert_allclose(vector.numpy(), other.numpy(), atol=1e-6)
    assert matrix.numpy().mean() < 0.99


def test_a_basis_update_does_not_permute_directions(random):
    scale = np.geomspace(3, 0.3, 5)
    variable, optimizer = tf.Variable(np.zeros((5, 5))), SOAP(0.0)
    bases = []
    for _ in range(10):
        optimizer.apply_gradients(
            [(tf.constant(random.standard_normal((5, 5)) * scale[:, None]), variable)]
        )
        bases.append(optimizer._sides[0][0][1].numpy())
    np.testing.assert_array_equal(bases[0], bases[8])
    assert (
        np.abs((bases[0] * bases[9]).sum(0)).mean() > 0.5
        and np.abs(bases[0] - bases[9]).max() > 1e-3
    )


def loss_after(optimizer, steps=300):
    """Return the loss of an ill-conditioned least-squares problem that is not axis-aligned."""
    random = np.random.default_rng(3)
    turn = [np.linalg.qr(random.standard_normal((8, 8)))[0] for _ in range(2)]
    scale = np.geomspace(1, 30, 8)
    left, right = (tf.constant(q * scale @ q.T, tf.float32) for q in (turn[0], turn[1]))
    goal = tf.constant(random.standard_normal((8, 8)), tf.float32)
    w = tf.Variable(tf.zeros([8, 8]))

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((left @ (w - goal) @ right) ** 2)
        optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        return loss

    optimizer.build([w])
    return [float(step()) for _ in range(steps)][-1]


def test_soap_minimizes_an_ill_conditioned_loss_better_than_adam():
    rates = (0.003, 0.01, 0.03)
    assert min(loss_after(SOAP(r)) for r in rates) < 0.2 * min(
        loss_after(keras.optimizers.Adam(r)) for r in rates
    )

"""Helpers for layers that consist of other layers."""

import tensorflow as tf
import tf_keras as keras


def build(part: keras.layers.Layer, width: int) -> None:
    """Create the weights of a sublayer under its name, without running it.

    Parameters
    ----------
    part : keras.layers.Layer
    width : int
        Number of input features.
    """
    with tf.name_scope(part.name):
        part.build(tf.TensorShape([None, None, width]))
    part.built = True


def along(x, axis: int, function, **kwargs):
    """Apply a sequence layer along one of several axes.

    Parameters
    ----------
    x : tf.Tensor [shape=(..., width), dtype=float32]
    axis : int
        The axis that becomes the sequence; not the first. All other axes except the last become the
        batch.
    function : callable
        Maps a tf.Tensor [shape=(batch, length, width)] to one of the same shape.
    **kwargs
        Further arguments of ``function``.

    Returns
    -------
    tf.Tensor [shape=(..., width), dtype=float32]
    """
    rank = len(x.shape)
    order = [i for i in range(rank - 1) if i != axis] + [axis, rank - 1]
    moved = tf.transpose(x, order)
    shape = tf.shape(moved)
    y = function(tf.reshape(moved, [-1, shape[rank - 2], x.shape[-1]]), **kwargs)
    y = tf.reshape(y, shape)
    return tf.transpose(y, [order.index(i) for i in range(rank)])

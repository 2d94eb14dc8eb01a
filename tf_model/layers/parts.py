"""What layers made of layers share."""

import tensorflow as tf
import tf_keras as keras


def build(part: keras.layers.Layer, width: int) -> None:
    """Create the weights of a layer's part for inputs of ``width`` features, under the part's name, without running it."""
    with tf.name_scope(part.name):
        part.build(tf.TensorShape([None, None, width]))
    part.built = True


def along(x, axis: int, function, **kwargs):
    """Apply a sequence layer along one axis of many.

    Parameters
    ----------
    x : tensor [shape=(..., width)]
    axis : the axis (not the first) that becomes the sequence; all others but the last are its batch.
    function : [shape=(batch, length, width)] -> the same shape.
    """
    rank = len(x.shape)
    order = [i for i in range(rank - 1) if i != axis] + [axis, rank - 1]
    moved = tf.transpose(x, order)
    shape = tf.shape(moved)
    y = function(tf.reshape(moved, [-1, shape[rank - 2], x.shape[-1]]), **kwargs)
    y = tf.reshape(y, shape)
    return tf.transpose(y, [order.index(i) for i in range(rank)])

"""Split of a feature vector into K groups, and its inverse (arXiv 2011.08397, section 2.2)."""

import tensorflow as tf


def split(x, groups: int):
    """Split the last axis into contiguous groups.

    Parameters
    ----------
    x : tf.Tensor [shape=(batch, frames, features), dtype=float32]
        Or one frame [shape=(1, features)].
    groups : int
        Number of groups K.

    Returns
    -------
    tf.Tensor [shape=(batch, frames, groups, features // groups), dtype=float32]
        For one frame [shape=(groups, features // groups)].

    Raises
    ------
    ValueError
        When the number of features is not a multiple of the number of groups.
    """
    features = x.shape[-1]
    if features % groups:
        raise ValueError(f"{groups} groups do not divide {features} features")
    if len(x.shape) == 2:
        return tf.reshape(x, [groups, features // groups])
    batch, frames = tf.shape(x)[0], tf.shape(x)[1]
    return tf.reshape(x, [batch, frames, groups, features // groups])


def merge(x):
    """Concatenate the features of all groups; the inverse of `split`.

    Parameters
    ----------
    x : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]
        Or one frame [shape=(groups, width)].

    Returns
    -------
    tf.Tensor [shape=(batch, frames, groups * width), dtype=float32]
        For one frame [shape=(1, groups * width)].
    """
    groups, width = x.shape[-2:]
    if len(x.shape) == 2:
        return tf.reshape(x, [1, groups * width])
    batch, frames = tf.shape(x)[0], tf.shape(x)[1]
    return tf.reshape(x, [batch, frames, groups * width])

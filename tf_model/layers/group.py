"""Group split and merge: a feature vector as K small ones, and back (arXiv 2011.08397, section 2.2)."""

import tensorflow as tf


def split(x, groups: int):
    """Cut the last axis into contiguous groups.

    Parameters
    ----------
    x : tensor [shape=(batch, frames, features)] or one frame [shape=(1, features)]

    Returns
    -------
    tensor [shape=(batch, frames, groups, features // groups)] or [shape=(groups, features // groups)]

    Raises
    ------
    ValueError
        When the groups do not divide the features.
    """
    features = x.shape[-1]
    if features % groups:
        raise ValueError(f"{groups} groups do not divide {features} features")
    if len(x.shape) == 2:
        return tf.reshape(x, [groups, features // groups])
    batch, frames = tf.shape(x)[0], tf.shape(x)[1]
    return tf.reshape(x, [batch, frames, groups, features // groups])


def merge(x):
    """Inverse of `split`: [batch, frames, groups, width] -> [batch, frames, features], [groups, width] -> [1, features]."""
    groups, width = x.shape[-2:]
    if len(x.shape) == 2:
        return tf.reshape(x, [1, groups * width])
    batch, frames = tf.shape(x)[0], tf.shape(x)[1]
    return tf.reshape(x, [batch, frames, groups * width])

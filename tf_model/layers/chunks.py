"""A sequence as chunks, and back (Luo et al., "Dual-path RNN", ICASSP 2020, section 2.1; also the contexts of arXiv 2012.07291)."""

import tensorflow as tf


def count(frames: int, size: int, *, overlap: bool = True) -> int:
    """Number of chunks for so many frames."""
    if not overlap:
        return -(-frames // size)
    half = size // 2
    return (frames + _rest(frames, size) + half) // half


def _rest(frames, size: int):
    return size - (size // 2 + frames % size) % size


def split(x, size: int, *, overlap: bool = True):
    """Cut time into chunks of an even size, each half over its neighbours; or side by side.

    With overlap, half a chunk of zeros comes first, and zeros fill the last chunk and at least half another, so that every frame is in
    two chunks. Without, zeros fill the last chunk.

    Parameters
    ----------
    x : tensor [shape=(batch, frames, groups, width)]

    Returns
    -------
    tensor [shape=(batch, chunks, size, groups, width)]
    """
    frames = tf.shape(x)[1]
    half = size // 2
    if overlap:
        x = tf.pad(x, [[0, 0], [half, _rest(frames, size) + half], [0, 0], [0, 0]])
        halves = tf.reshape(
            x, [tf.shape(x)[0], -1, half * x.shape[2] * x.shape[3]]
        )  # flat: TFLM slices no more than 4 axes
        both = tf.concat([halves[:, :-1], halves[:, 1:]], axis=2)
        return tf.reshape(both, [tf.shape(x)[0], -1, size, *x.shape[2:]])
    x = tf.pad(x, [[0, 0], [0, -frames % size], [0, 0], [0, 0]])
    return tf.reshape(x, [tf.shape(x)[0], -1, size, *x.shape[2:]])


def merge(x, frames, *, overlap: bool = True):
    """Back to [batch, frames, groups, width]; what overlaps is added (so that ``merge(split(x))`` is 2 x, or x without overlap)."""
    batch, (groups, width) = tf.shape(x)[0], x.shape[3:]
    if overlap:
        half = x.shape[2] // 2 * groups * width
        halves = tf.reshape(x, [batch, -1, 2 * half])  # flat: TFLM slices no more than 4 axes
        x = (
            tf.pad(halves[..., :half], [[0, 0], [0, 1], [0, 0]])
            + tf.pad(halves[..., half:], [[0, 0], [1, 0], [0, 0]])
        )[:, 1:]
    return tf.reshape(x, [batch, -1, groups, width])[:, :frames]

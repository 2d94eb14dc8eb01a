"""Segmentation of a sequence into chunks, and its inverse.

Source: Luo et al., "Dual-path RNN", ICASSP 2020, section 2.1. The contexts of arXiv 2012.07291 are
made in the same way.
"""

import tensorflow as tf


def count(frames: int, size: int, *, overlap: bool = True) -> int:
    """Return the number of chunks that `split` makes of a sequence.

    Parameters
    ----------
    frames : int
        Length of the sequence.
    size : int
        Frames per chunk.
    overlap : bool
        Whether neighbouring chunks overlap by half.

    Returns
    -------
    int
    """
    if not overlap:
        return -(-frames // size)
    half = size // 2
    return (frames + _rest(frames, size) + half) // half


def _rest(frames, size: int):
    return size - (size // 2 + frames % size) % size


def split(x, size: int, *, overlap: bool = True):
    """Split the time axis into chunks.

    With overlap, the sequence is padded with half a chunk of zeros at the start, and at the end
    with zeros that fill the last chunk and at least another half, so that every frame is in two
    chunks. Without overlap, zeros fill the last chunk.

    Parameters
    ----------
    x : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]
    size : int
        Frames per chunk; even with overlap.
    overlap : bool
        Whether neighbouring chunks overlap by half.

    Returns
    -------
    tf.Tensor [shape=(batch, chunks, size, groups, width), dtype=float32]
    """
    frames = tf.shape(x)[1]
    half = size // 2
    if overlap:
        x = tf.pad(x, [[0, 0], [half, _rest(frames, size) + half], [0, 0], [0, 0]])
        # Flat, because TFLM slices at most 4 axes.
        halves = tf.reshape(x, [tf.shape(x)[0], -1, half * x.shape[2] * x.shape[3]])
        both = tf.concat([halves[:, :-1], halves[:, 1:]], axis=2)
        return tf.reshape(both, [tf.shape(x)[0], -1, size, *x.shape[2:]])
    x = tf.pad(x, [[0, 0], [0, -frames % size], [0, 0], [0, 0]])
    return tf.reshape(x, [tf.shape(x)[0], -1, size, *x.shape[2:]])


def merge(x, frames, *, overlap: bool = True):
    """Join chunks to a sequence; overlapping halves are added.

    ``merge(split(x))`` is therefore ``2 * x`` with overlap, and ``x`` without.

    Parameters
    ----------
    x : tf.Tensor [shape=(batch, chunks, size, groups, width), dtype=float32]
    frames : int or tf.Tensor
        Length of the sequence that was split.
    overlap : bool
        Whether neighbouring chunks overlap by half.

    Returns
    -------
    tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]
    """
    batch, (groups, width) = tf.shape(x)[0], x.shape[3:]
    if overlap:
        half = x.shape[2] // 2 * groups * width
        halves = tf.reshape(x, [batch, -1, 2 * half])  # flat: TFLM slices at most 4 axes
        x = (
            tf.pad(halves[..., :half], [[0, 0], [0, 1], [0, 0]])
            + tf.pad(halves[..., half:], [[0, 0], [1, 0], [0, 0]])
        )[:, 1:]
    return tf.reshape(x, [batch, -1, groups, width])[:, :frames]

"""Measures and losses of separation."""

import itertools

import numpy as np
import tensorflow as tf


def si_sdr(estimate, reference, *, floor: float = 1e-8):
    """Compute the scale-invariant signal-to-distortion ratio.

    Both signals are made zero-mean first.

    Source: Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019.

    Parameters
    ----------
    estimate, reference : tf.Tensor or np.ndarray [shape=(..., samples), dtype=float]
    floor : float
        Relative to the energy of the reference; 1e-8 bounds the value at +-80 dB.

    Returns
    -------
    tf.Tensor [shape=(...), dtype=float32]
        In dB.
    """
    e = tf.convert_to_tensor(estimate, tf.float32)
    r = tf.convert_to_tensor(reference, tf.float32)
    e -= tf.reduce_mean(e, -1, keepdims=True)
    r -= tf.reduce_mean(r, -1, keepdims=True)
    energy = tf.reduce_sum(r * r, -1, keepdims=True) + 1e-12
    target = tf.reduce_sum(e * r, -1, keepdims=True) / energy * r
    distortion = e - target
    t = tf.reduce_sum(target * target, -1)
    d = tf.reduce_sum(distortion * distortion, -1)
    return (
        10.0
        / np.log(10.0)
        * tf.math.log((t + floor * energy[..., 0]) / (d + floor * energy[..., 0]))
    )


def snr(estimate, reference, *, ceiling_db: float = 30.0):
    """Compute the signal-to-noise ratio with a soft ceiling.

    Unlike `si_sdr`, it depends on the level of the estimate. The value approaches ``ceiling_db``
    and never exceeds it, so that easy mixtures do not dominate a batch.

    Source: Wisdom et al., "Unsupervised sound separation using mixture invariant training",
    NeurIPS 2020, section 3.2.

    Parameters
    ----------
    estimate, reference : tf.Tensor or np.ndarray [shape=(..., samples), dtype=float]
    ceiling_db : float
        Ceiling, dB.

    Returns
    -------
    tf.Tensor [shape=(...), dtype=float32]
        In dB.
    """
    e = tf.convert_to_tensor(estimate, tf.float32)
    r = tf.convert_to_tensor(reference, tf.float32)
    energy = tf.reduce_sum(r * r, -1) + 1e-8
    d = tf.reduce_sum((e - r) ** 2, -1)
    return 10.0 / np.log(10.0) * tf.math.log(energy / (d + 10 ** (-ceiling_db / 10) * energy))


def limited_si_sdr(estimate, reference, *, ceiling_db: float = 30.0):
    """Compute `si_sdr` with a soft ceiling, for the reason that `snr` has one.

    Parameters
    ----------
    estimate, reference : tf.Tensor or np.ndarray [shape=(..., samples), dtype=float]
    ceiling_db : float
        Ceiling, dB.

    Returns
    -------
    tf.Tensor [shape=(...), dtype=float32]
        In dB.
    """
    ln = np.log(10.0) / 10.0
    return -tf.math.log(
        tf.exp(-ln * si_sdr(estimate, reference)) + np.float32(np.exp(-ln * ceiling_db))
    ) / np.float32(ln)


SPECTRAL_WINDOW = 512  # samples
COMPRESSION = 0.3


def spectral_snr(estimate, reference, *, ceiling_db: float = 30.0):
    """Compute the signal-to-noise ratio of compressed magnitude spectra, ``|X| ** 0.3``.

    The compression gives quiet sounds weight beside loud ones, as in hearing. A floor 40 dB below
    the mean power of the reference is added to the power of every bin. The value approaches
    ``ceiling_db`` and never exceeds it, like that of `snr`.

    Source: Braun and Tashev, "A consolidated view of loss functions for supervised deep
    learning-based speech enhancement", arXiv 2009.12286.

    Parameters
    ----------
    estimate, reference : tf.Tensor or np.ndarray [shape=(..., samples), dtype=float]
        At least 512 samples.
    ceiling_db : float
        Ceiling, dB.

    Returns
    -------
    tf.Tensor [shape=(...), dtype=float32]
        In dB.
    """
    e, r = (tf.convert_to_tensor(x, tf.float32) for x in (estimate, reference))
    least = 1e-4 * tf.reduce_mean(r**2, -1)[..., None, None] + 1e-10
    e, r = _compressed(e, least), _compressed(r, least)
    energy = tf.reduce_sum(r**2, (-2, -1))
    d = tf.reduce_sum((e - r) ** 2, (-2, -1))
    return 10.0 / np.log(10.0) * tf.math.log(energy / (d + 10 ** (-ceiling_db / 10) * energy))


def _compressed(x, least):
    """Compute compressed magnitudes of half-overlapping frames.

    `tf.signal.frame` is not used, because its gradient is slow.
    """
    half = SPECTRAL_WINDOW // 2
    blocks = tf.reshape(x[..., : x.shape[-1] // half * half], [*x.shape[:-1], -1, half])
    frames = tf.concat([blocks[..., :-1, :], blocks[..., 1:, :]], -1) * tf.signal.hann_window(
        SPECTRAL_WINDOW
    )
    # Scaled so that the mean power of a bin is that of a sample.
    spectrum = tf.signal.rfft(frames) / np.float32(np.sqrt(SPECTRAL_WINDOW * 3 / 8))
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2 + least
    return tf.exp(COMPRESSION / 2 * tf.math.log(power))


def pit(measure, estimates, references):
    """Compute the best mean of a measure over all permutations of the estimates.

    Source: Kolbaek et al., "Multitalker speech separation with utterance-level permutation
    invariant training", TASLP 2017.

    Parameters
    ----------
    measure : callable
        Maps (estimate, reference) to dB; higher is better.
    estimates, references : tf.Tensor [shape=(batch, sources, samples), dtype=float32]

    Returns
    -------
    tf.Tensor [shape=(batch,), dtype=float32]
        In dB.
    """
    sources = references.shape[1]
    means = [
        tf.reduce_mean(measure(tf.gather(estimates, order, axis=1), references), 1)
        for order in itertools.permutations(range(sources))
    ]
    return tf.reduce_max(tf.stack(means), 0)

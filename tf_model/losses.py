"""Measures and losses of separation."""

import itertools

import numpy as np
import tensorflow as tf


def si_sdr(estimate, reference, *, floor: float = 1e-8):
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019).

    Both signals are made zero-mean first. ``floor`` is relative to the reference's energy: 1e-8 bounds the value at +-80 dB.

    Parameters
    ----------
    estimate, reference : tensor or array [shape=(..., samples), float]

    Returns
    -------
    tensor [shape=(...), float32], dB
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
    """Signal-to-noise ratio in dB: like `si_sdr`, but the level of the estimate counts too.

    The value approaches ``ceiling_db`` and never passes it, so that easy mixtures do not take over a batch (Wisdom et al.,
    "Unsupervised sound separation using mixture invariant training", NeurIPS 2020, section 3.2).
    """
    e = tf.convert_to_tensor(estimate, tf.float32)
    r = tf.convert_to_tensor(reference, tf.float32)
    energy = tf.reduce_sum(r * r, -1) + 1e-8
    d = tf.reduce_sum((e - r) ** 2, -1)
    return 10.0 / np.log(10.0) * tf.math.log(energy / (d + 10 ** (-ceiling_db / 10) * energy))


def limited_si_sdr(estimate, reference, *, ceiling_db: float = 30.0):
    """`si_sdr` that comes near ``ceiling_db`` and never beyond, for the reason that `snr` has a floor. It ignores the level too."""
    ln = np.log(10.0) / 10.0
    return -tf.math.log(
        tf.exp(-ln * si_sdr(estimate, reference)) + np.float32(np.exp(-ln * ceiling_db))
    ) / np.float32(ln)


SPECTRAL_WINDOW = 512  # samples
COMPRESSION = 0.3


def spectral_snr(estimate, reference, *, ceiling_db: float = 30.0):
    """Signal-to-noise ratio in dB of compressed magnitude spectra, ``|X| ** 0.3``: quiet sounds count beside loud ones, as they do for ears
    (Braun and Tashev, "A consolidated view of loss functions for supervised deep learning-based speech enhancement", arXiv 2009.12286).

    Magnitudes that are more than 40 dB below the speech's mean count as that. The value approaches ``ceiling_db``, as that of `snr`.

    Parameters
    ----------
    estimate, reference : tensor or array [shape=(..., samples), float], of at least two windows of 512 samples

    Returns
    -------
    tensor [shape=(...), float32], dB
    """
    e, r = (tf.convert_to_tensor(x, tf.float32) for x in (estimate, reference))
    least = 1e-4 * tf.reduce_mean(r**2, -1)[..., None, None] + 1e-10
    e, r = _compressed(e, least), _compressed(r, least)
    energy = tf.reduce_sum(r**2, (-2, -1))
    d = tf.reduce_sum((e - r) ** 2, (-2, -1))
    return 10.0 / np.log(10.0) * tf.math.log(energy / (d + 10 ** (-ceiling_db / 10) * energy))


def _compressed(x, least):
    """Compressed magnitudes of half overlapping frames. Not by `tf.signal.frame`, whose gradient is slow."""
    half = SPECTRAL_WINDOW // 2
    blocks = tf.reshape(x[..., : x.shape[-1] // half * half], [*x.shape[:-1], -1, half])
    frames = tf.concat([blocks[..., :-1, :], blocks[..., 1:, :]], -1) * tf.signal.hann_window(
        SPECTRAL_WINDOW
    )
    spectrum = tf.signal.rfft(frames) / np.float32(
        np.sqrt(SPECTRAL_WINDOW * 3 / 8)
    )  # the power of a bin is that of a sample
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2 + least
    return tf.exp(COMPRESSION / 2 * tf.math.log(power))


def pit(measure, estimates, references):
    """Best mean of ``measure`` over the orders of the estimates (Kolbaek et al., "Multitalker speech separation with
    utterance-level permutation invariant training", TASLP 2017).

    Parameters
    ----------
    measure : function (estimate, reference) -> dB, higher is better.
    estimates, references : tensors [shape=(batch, sources, samples)]

    Returns
    -------
    tensor [shape=(batch,), float32], dB
    """
    sources = references.shape[1]
    means = [
        tf.reduce_mean(measure(tf.gather(estimates, order, axis=1), references), 1)
        for order in itertools.permutations(range(sources))
    ]
    return tf.reduce_max(tf.stack(means), 0)

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
    return 10.0 / np.log(10.0) * tf.math.log((t + floor * energy[..., 0]) / (d + floor * energy[..., 0]))


def snr(estimate, reference, *, floor: float = 1e-3):
    """Signal-to-noise ratio in dB: like `si_sdr`, but the level of the estimate counts too.

    ``floor`` is relative to the reference's energy: 1e-3 stops the reward at 30 dB, so that easy mixtures do not take over a
    batch (Wisdom et al., "Unsupervised sound separation using mixture invariant training", NeurIPS 2020, section 3.2).
    """
    e = tf.convert_to_tensor(estimate, tf.float32)
    r = tf.convert_to_tensor(reference, tf.float32)
    energy = tf.reduce_sum(r * r, -1) + 1e-8
    d = tf.reduce_sum((e - r) ** 2, -1)
    return 10.0 / np.log(10.0) * tf.math.log(energy / (d + floor * energy))


def limited_si_sdr(estimate, reference, *, ceiling_db: float = 30.0):
    """`si_sdr` that comes near ``ceiling_db`` and never beyond, for the reason that `snr` has a floor. It ignores the level too."""
    ln = np.log(10.0) / 10.0
    return -tf.math.log(tf.exp(-ln * si_sdr(estimate, reference)) + np.float32(np.exp(-ln * ceiling_db))) / np.float32(ln)


RESOLUTIONS = (256, 1024)  # samples in a frame of `spectral_snr`
COMPRESSION = 0.3


def spectral_snr(estimate, reference, *, floor: float = 1e-3):
    """Signal-to-noise ratio in dB of spectra whose magnitude is compressed, ``|X| ** 0.3``: quiet sounds count beside loud ones, as they do
    for ears (PESQ, STOI). The mean over frames of 256 and 1,024 samples, with the phase and without it (Braun and Tashev, "A
    consolidated view of loss functions for supervised deep learning-based speech enhancement", arXiv 2009.12286; more than one frame
    length: Yamamoto et al., "Parallel WaveGAN", ICASSP 2020).

    ``floor`` is relative to the energy of the reference's compressed spectrum, as in `snr`.

    Parameters
    ----------
    estimate, reference : tensor or array [shape=(..., samples), float], of more than 1,024 samples

    Returns
    -------
    tensor [shape=(...), float32], dB
    """
    signals = tf.stack([tf.convert_to_tensor(x, tf.float32) for x in (estimate, reference)])
    least = 1e-4 * tf.reduce_mean(signals[1] ** 2, -1)[None, ..., None, None] + 1e-10  # 40 dB below the speech, and never no gradient
    values = []
    for window in RESOLUTIONS:
        frames = tf.signal.frame(signals, window, window // 2) * tf.signal.hann_window(window)
        spectrum = tf.signal.rfft(frames) / np.float32(np.sqrt(window * 3 / 8))  # the power of a bin is that of a sample
        real, imag = tf.math.real(spectrum), tf.math.imag(spectrum)
        power = real**2 + imag**2 + least
        gain = power ** ((COMPRESSION - 1) / 2)
        without_phase = (tf.sqrt(power) * gain)[..., None]
        with_phase = tf.stack([real * gain, imag * gain], -1)
        for compressed in (without_phase, with_phase):
            e, r = compressed[0], compressed[1]
            energy = tf.reduce_sum(r**2, (-3, -2, -1)) + 1e-8
            values.append(10.0 / np.log(10.0) * tf.math.log(energy / (tf.reduce_sum((e - r) ** 2, (-3, -2, -1)) + floor * energy)))
    return tf.reduce_mean(tf.stack(values), 0)


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
        tf.reduce_mean(measure(tf.gather(estimates, order, axis=1), references), 1) for order in itertools.permutations(range(sources))
    ]
    return tf.reduce_max(tf.stack(means), 0)

"""Approximations of wide-band PESQ and of eSTOI that have gradients.

`quality` follows the perceptual model of PESQ: the loudness of both signals in critical bands, with
the frequency response and the gain of the estimate removed, and from their difference two
disturbances, one for all differences and one for what the estimate adds. It differs from PESQ:
there is no alignment in time and no input filter, and the tables of the standard are formulas here.

Source: Rix et al., "Perceptual evaluation of speech quality (PESQ)", ICASSP 2001. Similar losses:
Martin-Donas et al., "A deep learning loss function based on the perceptual evaluation of the speech
quality", IEEE Signal Processing Letters 2018.

`intelligibility` is eSTOI without resampling to 10 kHz and without the removal of silent frames:
segments count by the share of their frames that have speech.

Source: Jensen and Taal, "An algorithm for predicting the intelligibility of speech masked by
modulated noise maskers", TASLP 2016.
"""

import numpy as np
import tensorflow as tf

from calibration_data.audio import RATE

WINDOW = 512  # samples
LEVEL = 10**7.9  # power of the reference from 350 to 3250 Hz: 79 dB SPL, as PESQ assumes
SYLLABLE = 20  # frames; the next one begins after half of them

_KHZ = np.arange(WINDOW // 2 + 1) * RATE / WINDOW / 1000
_BAND = (2 * 7 * np.arcsinh(_KHZ / 0.65)).astype(int)  # bands of half a Bark
_BANDS = (_BAND[:, None] == np.arange(_BAND.max() + 1)).astype(np.float32)
_SPEECH = ((_KHZ >= 0.35) & (_KHZ <= 3.25)).astype(np.float32)
_BARK = (np.arange(_BANDS.shape[1]) + 0.5) / 2
_CENTRE = 0.65 * np.sinh(_BARK / 7)  # kHz
# Threshold in quiet (Terhardt 1979) as a power.
_THRESHOLD = np.minimum(
    10 ** (0.364 * _CENTRE**-0.8 - 0.65 * np.exp(-0.6 * (_CENTRE - 3.3) ** 2) + 1e-4 * _CENTRE**4),
    1e7,
).astype(np.float32)
# Exponent of Zwicker's law, higher below 4 Bark.
_EXPONENT = (0.23 * np.where(_BARK < 4, np.minimum(6 / (_BARK + 2), 2) ** 0.15, 1)).astype(
    np.float32
)

FRAME = 400  # samples, 25 ms; eSTOI has 25.6 ms
SEGMENT = 30  # frames
THIRD_OCTAVES = 15  # bands, from 150 Hz

_HZ = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
_OCTAVE = np.arange(THIRD_OCTAVES) / 3
_THIRDS = (
    (_HZ[:, None] >= 150 * 2 ** (_OCTAVE - 1 / 6)) & (_HZ[:, None] < 150 * 2 ** (_OCTAVE + 1 / 6))
).astype(np.float32)


def quality(estimate, reference):
    """Approximate wide-band PESQ.

    The level of the estimate has no effect.

    Parameters
    ----------
    estimate, reference : tf.Tensor or np.ndarray [shape=(..., samples), dtype=float]
        At 16 kHz, and at least a third of a second.

    Returns
    -------
    tf.Tensor [shape=(...), dtype=float32]
        In 1..4.5, higher than PESQ for most estimates.
    """
    e, r = (_band_powers(tf.convert_to_tensor(x, tf.float32)) for x in (estimate, reference))
    r *= _response(e, r)
    e *= _gain(e, r)
    disturbance, added = _disturbances(e, r)
    audible = ((tf.reduce_sum(r, -1) + 1e5) / 1e7) ** 0.04
    raw = (
        4.5
        - 0.1 * _over_time(tf.minimum(disturbance / audible, 45.0))
        - 0.0309 * _over_time(tf.minimum(added / audible, 45.0))
    )
    return 0.999 + 4 / (1 + tf.exp(-1.3669 * raw + 3.8224))  # ITU-T P.862.2


def _band_powers(x):
    """Compute powers of critical bands at the level that PESQ assumes.

    The shape is (..., frames, bands).
    """
    half = WINDOW // 2
    blocks = tf.reshape(x[..., : x.shape[-1] // half * half], [*x.shape[:-1], -1, half])
    frames = tf.concat([blocks[..., :-1, :], blocks[..., 1:, :]], -1) * tf.signal.hann_window(
        WINDOW
    )
    spectrum = tf.signal.rfft(frames)
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    speech = tf.reduce_mean(tf.reduce_sum(power * _SPEECH, -1), -1)[..., None, None]
    return (power / (speech + 1e-9) * LEVEL) @ _BANDS


def _response(e, r):
    """Return the mean gain of the estimate in each band, over frames with speech."""
    loud = tf.reduce_sum(tf.where(r > 100 * _THRESHOLD, r, 0.0), -1, keepdims=True)
    active = tf.cast(loud > 1e5, tf.float32)
    sums = (tf.reduce_sum(x * active, -2, keepdims=True) + 1e3 for x in (e, r))
    estimate, reference = sums
    return tf.clip_by_value(estimate / reference, 0.01, 100.0)


def _gain(e, r):
    """Return a smoothed gain for each frame, which gives the estimate the reference's power."""
    estimate, reference = (
        tf.reduce_sum(tf.where(x > _THRESHOLD, x, 0.0), -1) + 5e3 for x in (e, r)
    )
    gain = reference / estimate
    before = tf.concat([tf.ones_like(gain[..., :1]), gain[..., :-1]], -1)
    return tf.clip_by_value(0.8 * gain + 0.16 * before + 0.04, 3e-4, 5.0)[..., None]


def _disturbances(e, r):
    """Compute for each frame the disturbance, and that of the sounds which the estimate adds."""
    loudness = [
        tf.nn.relu(
            0.1866 * (2 * _THRESHOLD) ** _EXPONENT * ((0.5 + 0.5 * x / _THRESHOLD) ** _EXPONENT - 1)
        )
        for x in (e, r)
    ]
    masked = 0.25 * tf.minimum(*loudness)
    difference = tf.nn.relu(tf.abs(loudness[0] - loudness[1]) - masked)
    ratio = ((e + 50) / (r + 50)) ** 1.2
    asymmetry = tf.where(ratio < 3, 0.0, tf.minimum(ratio, 12.0))
    width = 0.5  # Bark
    total = width * e.shape[-1]
    both = tf.sqrt(tf.reduce_sum((difference * width) ** 2, -1) / total + 1e-6) * total
    return both, tf.reduce_sum(difference * asymmetry * width, -1)


def _over_time(x):
    """Average over frames: the sixth power within a syllable, the square over syllables."""
    half = SYLLABLE // 2
    blocks = tf.reshape(x[..., : x.shape[-1] // half * half], [*x.shape[:-1], -1, half])
    syllables = tf.concat([blocks[..., :-1, :], blocks[..., 1:, :]], -1)
    loudest = (tf.reduce_mean(syllables**6, -1) + 1e-6) ** (1 / 6)
    return tf.sqrt(tf.reduce_mean(loudest**2, -1) + 1e-6)


def intelligibility(estimate, reference):
    """Approximate eSTOI.

    The level of the estimate has no effect.

    Parameters
    ----------
    estimate, reference : tf.Tensor or np.ndarray [shape=(..., samples), dtype=float]
        At 16 kHz, and at least 0.4 s.

    Returns
    -------
    tf.Tensor [shape=(...), dtype=float32]
        At most 1.
    """
    e, r = (_third_octaves(tf.convert_to_tensor(x, tf.float32)) for x in (estimate, reference))
    loudness = tf.reduce_sum(r**2, -1)
    loud = loudness > 1e-4 * tf.reduce_max(loudness, -1, keepdims=True)
    share = tf.reduce_mean(tf.cast(_segments(loud[..., None]), tf.float32), (-2, -1))
    e, r = (_unit(_unit(_segments(x), -2), -1) for x in (e, r))
    correlation = tf.reduce_sum(e * r, (-2, -1)) / SEGMENT
    return tf.reduce_sum(correlation * share, -1) / (tf.reduce_sum(share, -1) + 1e-6)


def _third_octaves(x):
    """Compute amplitudes of third-octave bands; the shape is (..., frames, bands)."""
    half = FRAME // 2
    blocks = tf.reshape(x[..., : x.shape[-1] // half * half], [*x.shape[:-1], -1, half])
    frames = tf.concat([blocks[..., :-1, :], blocks[..., 1:, :]], -1) * tf.signal.hann_window(FRAME)
    spectrum = tf.signal.rfft(frames, [WINDOW])
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    return tf.sqrt(power @ _THIRDS + 1e-8)


def _segments(x):
    """Cut (..., frames, bands) into segments; the next one begins after a third of one."""
    third = SEGMENT // 3
    frames = x.shape[-2] // third * third
    blocks = tf.reshape(x[..., :frames, :], [*x.shape[:-2], -1, third, x.shape[-1]])
    parts = [blocks[..., i : blocks.shape[-3] - 2 + i, :, :] for i in range(3)]
    return tf.concat(parts, -2)


def _unit(x, axis):
    """Remove the mean along an axis, and scale to a norm of 1."""
    x -= tf.reduce_mean(x, axis, keepdims=True)
    return x / tf.sqrt(tf.reduce_sum(x**2, axis, keepdims=True) + 1e-8)

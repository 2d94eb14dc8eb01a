"""Measures of one estimate against its reference: SI-SDR, SDR, PESQ, STOI and eSTOI."""

import math

import numpy as np

from calibration_data.audio import RATE


def si_sdr_db(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Compute `tf_model.training.losses.si_sdr` of one signal in float64, without TensorFlow.

    Parameters
    ----------
    estimate, reference : np.ndarray [shape=(samples,), dtype=float]

    Returns
    -------
    float
        In dB.
    """
    e = estimate.astype(np.float64) - estimate.mean(dtype=np.float64)
    r = reference.astype(np.float64) - reference.mean(dtype=np.float64)
    energy = r @ r + 1e-12
    target = (e @ r) / energy * r
    floor = 1e-8 * energy
    return float(10 * np.log10((target @ target + floor) / ((e - target) @ (e - target) + floor)))


def sdr_db(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Compute the signal-to-distortion ratio (BSS Eval).

    A time-invariant filter of 512 taps on the reference does not count as distortion.

    Source: Vincent et al., "Performance measurement in blind audio source separation", TASLP 2006.

    Parameters
    ----------
    estimate, reference : np.ndarray [shape=(samples,), dtype=float]

    Returns
    -------
    float
        In dB.
    """
    import fast_bss_eval

    return float(
        fast_bss_eval.sdr(
            reference[None].astype(np.float64), estimate[None].astype(np.float64), clamp_db=80
        )[0]
    )


def pesq_wb(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Compute wide-band PESQ (ITU-T P.862.2).

    Parameters
    ----------
    estimate, reference : np.ndarray [shape=(samples,), dtype=float32]
        At 16 kHz.

    Returns
    -------
    float
        NaN when PESQ finds no utterance.
    """
    import pesq

    score = pesq.pesq(RATE, reference, estimate, "wb", on_error=pesq.PesqError.RETURN_VALUES)
    return float(score) if score > 0 else math.nan


def stoi(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Compute the short-time objective intelligibility (Taal et al., TASLP 2011).

    Parameters
    ----------
    estimate, reference : np.ndarray [shape=(samples,), dtype=float32]
        At 16 kHz.

    Returns
    -------
    float
        In 0..1.
    """
    import pystoi

    return float(pystoi.stoi(reference, estimate, RATE))


def estoi(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Compute the extended short-time objective intelligibility (Jensen and Taal, TASLP 2016).

    Parameters
    ----------
    estimate, reference : np.ndarray [shape=(samples,), dtype=float32]
        At 16 kHz.

    Returns
    -------
    float
        In 0..1.
    """
    import pystoi

    return float(pystoi.stoi(reference, estimate, RATE, extended=True))


MEASURES = {"sisdr": si_sdr_db, "sdr": sdr_db, "pesq": pesq_wb, "stoi": stoi, "estoi": estoi}

"""The signal path: librosa, perfect reconstruction, definitions in float64, and TensorFlow."""

import dataclasses

import librosa
import numpy as np
import pytest

from calibration_data import clips
from groupcomm.errors import UserError
from tf_model import signal as sig

SIZES = [(256, 128), (256, 64), (512, 128), (128, 64), (64, 16)]
BANDED = [
    sig.Signal(level=1.0),
    sig.Signal(bands=16),
    sig.Signal(level=0.5, bands=12, pool=2, neighbours=4),
    sig.Signal(window=128, hop=64, level=2.0, bands=5, pool=4, neighbours=8),
]
WITHOUT_DC = [
    sig.Signal(dc=0.1),
    sig.Signal(dc=0.5, hop=32),
    sig.Signal(dc=2.0, window=512, hop=128),
    sig.Signal(dc=0.25, window=128, hop=64, level=2.0, bands=5, pool=4, neighbours=8),
]
WAVEFORM = sig.Signal(level=0.064, dc=0.5, window=64, hop=16, exponent=1.0, waveform=True)


@pytest.fixture(scope="module")
def speech():
    """Return 3 s of clean speech [shape=(48000,), dtype=float32]."""
    return clips.demo_mixtures()[0].references[0, :48000]


@pytest.mark.parametrize(("window", "hop"), SIZES)
@pytest.mark.parametrize("samples", [1, 127, 128, 1000, 4096])
def test_perfect_reconstruction(random, window, hop, samples):
    s = sig.Signal(window=window, hop=hop)
    x = random.uniform(-1, 1, (2, samples)).astype(np.float32)
    spectrum = sig.stft(x, s)
    assert spectrum.shape == (2, s.frames(samples), s.bins)
    np.testing.assert_allclose(sig.istft(spectrum, samples, s), x, atol=1e-6)


@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_stft_matches_librosa(random, window, hop):
    s = sig.Signal(window=window, hop=hop)
    x = random.uniform(-1, 1, 3000).astype(np.float32)
    padded = np.pad(x, s.padding(len(x)))
    expected = librosa.stft(
        padded,
        n_fft=window,
        hop_length=hop,
        window=np.sqrt(librosa.filters.get_window("hann", window)),
        center=False,
    ).T
    np.testing.assert_allclose(sig.stft(x, s), expected, atol=2e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_the_tensorflow_implementation_matches_numpy(random, window, hop):
    s = sig.Signal(window=window, hop=hop)
    x = random.uniform(-1, 1, (2, 2000)).astype(np.float32)
    spectrum = sig.tf_stft(x, s).numpy()
    np.testing.assert_allclose(spectrum, sig.stft(x, s), atol=2e-5)
    np.testing.assert_allclose(sig.tf_istft(spectrum, 2000, s).numpy(), x, atol=2e-6)
    np.testing.assert_allclose(
        sig.tf_features(spectrum, s).numpy(), sig.features(spectrum, s), atol=1e-5
    )


@pytest.mark.tensorflow
def test_the_smallest_window_and_hop_are_accepted(random):
    s = sig.Signal(window=32, hop=1)
    x = random.uniform(-1, 1, (2, 200)).astype(np.float32)
    np.testing.assert_allclose(sig.istft(sig.stft(x, s), 200, s), x, atol=1e-6)
    np.testing.assert_allclose(sig.tf_stft(x, s).numpy(), sig.stft(x, s), atol=2e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("s", BANDED, ids=repr)
def test_features_match_their_definition(random, s):
    """The reference computes frame by frame and band by band in float64."""
    x = (random.uniform(-1, 1, (2, 3000)) * np.linspace(0.001, 1, 3000)).astype(np.float32)
    spectrum = sig.stft(x, s)
    got = sig.features(spectrum, s)
    assert got.shape == (2, spectrum.shape[1], s.n_features)
    quarter, pool = s.window // 4, s.pool
    for row in range(2):
        level = frames = 0.0
        for frame in range(spectrum.shape[1]):
            power = np.abs(spectrum[row, frame].astype(np.complex128)) ** 2
            if s.level:
                kept = np.exp(-s.hop / s.sample_rate / s.level)
                level, frames = kept * level + power.mean(), kept * frames + 1
                power = power / (level / frames + 1e-6)
            if s.bands:
                pools = [power[i : i + pool].mean() for i in range(quarter, 2 * quarter, pool)]
                values = [*power[:quarter], *pools]
                width, near = len(values) // s.bands, s.neighbours
                silence = [0.0] * near
                values = [*silence, *values, *silence]
                power = np.concatenate(
                    [
                        values[band * width : (band + 1) * width + 2 * near]
                        for band in range(s.bands)
                    ]
                )
            np.testing.assert_allclose(got[row, frame], power**0.15, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(sig.tf_features(spectrum, s).numpy(), got, rtol=1e-4, atol=4e-5)


def test_samples_are_divided_by_their_running_rms(random):
    s = WAVEFORM
    x = (random.uniform(-1, 1, 1000) * np.linspace(0.001, 1, 1000)).astype(np.float32)
    samples = np.concatenate([np.zeros(48), sig.remove_dc(np.pad(x, (0, 56)), s)])
    power = frames = 0.0
    kept = np.exp(-16 / 16000 / 0.064)
    got = sig.features(sig.stft(x, s), s)
    assert got.shape == (s.frames(1000), 64)
    for i, features in enumerate(got):
        frame = samples[i * 16 : i * 16 + 64].astype(np.float64)
        power, frames = kept * power + np.mean(frame**2), kept * frames + 1
        np.testing.assert_allclose(
            features, frame / np.sqrt(power / frames + 1e-8), rtol=1e-5, atol=1e-6
        )


def test_the_running_rms_of_each_sound_is_its_own(random):
    x = random.uniform(-1, 1, (2, 1000)).astype(np.float32) * np.float32([[1.0], [0.01]])
    np.testing.assert_array_equal(
        sig.stft(x, WAVEFORM), np.stack([sig.stft(row, WAVEFORM) for row in x])
    )


def test_without_normalization_the_decay_of_the_level_is_0():
    assert sig.Signal(level=0.0).level_decay == 0.0
    assert sig.Signal(level=1.0).level_decay == pytest.approx(np.exp(-128 / 16000))


def test_pcm_is_rounded_and_saturated():
    audio = np.array([-1.5, -1.0, -0.5, 0.0, 0.6 / 32768, 1.4 / 32768, 0.5, 1.0, 1.5])
    expected = [-32768, -32768, -16384, 0, 1, 1, 16384, 32767, 32767]
    pcm = sig.to_pcm(audio)
    assert pcm.dtype == np.int16
    np.testing.assert_array_equal(pcm, expected)


@pytest.mark.tensorflow
@pytest.mark.parametrize("level", [0.064, 0.0])
def test_samples_overlap_to_the_input(random, level):
    """In NumPy, in TensorFlow, and as a stream whose samples arrive in parts."""
    s = dataclasses.replace(WAVEFORM, level=level)
    x = (random.uniform(-0.5, 0.5, 1600) + 0.2).astype(np.float32)
    spectrum = sig.stft(x, s)
    unity = sig.unity_masks(sig.features(spectrum, s), 2, s)
    whole = sig.istft(sig.apply_masks(spectrum, unity, 2, s), 1600, s)
    expected = sig.remove_dc(np.pad(x, (0, 48)), s)[:1600]
    np.testing.assert_allclose(whole, np.stack([expected, expected]), atol=1e-6)
    batch = sig.tf_stft(x[None], s)
    np.testing.assert_allclose(batch[0].numpy(), spectrum, atol=2e-5)
    np.testing.assert_array_equal(sig.tf_features(batch, s).numpy(), batch.numpy()[..., :-1])
    masked = sig.tf_apply_masks(batch, unity[None], 2, s)
    np.testing.assert_allclose(sig.tf_istft(masked, 1600, s)[0].numpy(), whole, atol=2e-5)
    stream = sig.SignalStream(s, 2)
    for _ in range(2):
        parts = []
        for start in range(0, 1600, 160):
            frames, features = stream.analyze(x[start : start + 160])
            parts.append(stream.synthesize(frames, sig.unity_masks(features, 2, s)))
        np.testing.assert_allclose(
            np.concatenate(parts, 1)[:, 48:], whole[:, : 1600 - 48], atol=1e-6
        )
        stream.reset()


def test_normalized_features_do_not_depend_on_the_level(random):
    """Normalized features are the same at -40 dB; features without normalization are not."""
    x = random.uniform(-0.5, 0.5, 4000).astype(np.float32)
    for level, differs in ((1.0, False), (0.0, True)):
        s = sig.Signal(level=level)
        loud, soft = (sig.features(sig.stft(x * gain, s), s) for gain in (1, 0.01))
        assert (np.abs(loud - soft).max() > 0.1) == differs


@pytest.mark.tensorflow
@pytest.mark.parametrize("s", BANDED[1:], ids=repr)
def test_band_masks_apply_to_their_bins(random, s):
    """Bins of a pool share a mask, and the last bin has the mask of the last value."""
    spectrum = (
        random.standard_normal((2, 7, s.bins)) + 1j * random.standard_normal((2, 7, s.bins))
    ).astype(np.complex64)
    masks = random.uniform(0, 1, (2, 7, 3 * s.n_values)).astype(np.float32)
    got = sig.apply_masks(spectrum, masks, 3, s)
    assert got.shape == (2, 3, 7, s.bins)
    quarter = s.window // 4
    for source in range(3):
        for bin in range(s.bins):
            value = min(
                bin if bin < quarter else quarter + (bin - quarter) // s.pool, s.n_values - 1
            )
            at = (value // s.band_width * 3 + source) * s.band_width + value % s.band_width
            np.testing.assert_allclose(
                got[:, source, :, bin], spectrum[..., bin] * masks[..., at], rtol=1e-6
            )
    np.testing.assert_allclose(sig.tf_apply_masks(spectrum, masks, 3, s).numpy(), got, rtol=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("s", WITHOUT_DC, ids=repr)
def test_dc_removal_matches_its_definition(random, s):
    """The reference computes hop by hop in float64; TensorFlow and the inverse are compared too."""
    samples = 20 * s.hop + 5
    x = (random.uniform(-0.5, 0.5, (2, samples)) + [[0.1], [-0.3]]).astype(np.float32)
    padded = np.pad(x, [(0, 0), (0, s.frames(samples) * s.hop - samples)])
    expected = padded.astype(np.float64)
    kept = np.exp(-s.hop / s.sample_rate / s.dc)
    for row in range(2):
        total = weight = 0.0
        for start in range(0, padded.shape[1], s.hop):
            total, weight = (
                kept * total + padded[row, start : start + s.hop].astype(np.float64).mean(),
                kept * weight + 1,
            )
            expected[row, start : start + s.hop] -= total / weight
    np.testing.assert_allclose(sig.remove_dc(padded, s), expected, atol=1e-7)
    np.testing.assert_allclose(sig.tf_remove_dc(padded, s).numpy(), expected, atol=5e-7)

    # Nothing is subtracted from the zeros that precede the stream.
    front = s.window - s.hop
    whole = np.pad(expected, [(0, 0), (front, 0)])
    frames = np.stack(
        [whole[:, i * s.hop : i * s.hop + s.window] for i in range(s.frames(samples))], 1
    )
    spectrum = sig.stft(x, s)
    np.testing.assert_allclose(spectrum, np.fft.rfft(frames * s.analysis_window()), atol=2e-5)
    np.testing.assert_allclose(sig.tf_stft(x, s).numpy(), spectrum, atol=2e-5)
    np.testing.assert_allclose(sig.istft(spectrum, samples, s), expected[:, :samples], atol=1e-6)
    np.testing.assert_allclose(
        sig.tf_istft(spectrum, samples, s).numpy(), expected[:, :samples], atol=2e-6
    )
    np.testing.assert_allclose(
        sig.tf_features(sig.tf_stft(x, s), s).numpy(),
        sig.features(spectrum, s),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.tensorflow
def test_without_dc_removal_the_input_is_returned(random):
    x = random.uniform(-1, 1, (2, 1280)).astype(np.float32)
    assert sig.Signal().dc == 0
    assert sig.remove_dc(x, sig.Signal()) is x and sig.tf_remove_dc(x, sig.Signal()) is x


@pytest.mark.parametrize("s", WITHOUT_DC, ids=repr)
def test_dc_removal_is_causal(random, s):
    """Later samples do not change earlier hops."""
    x = (random.uniform(-0.5, 0.5, 40 * s.hop) + 0.1).astype(np.float32)
    whole = sig.stft(x, s)
    for hops in (1, 2, 17):
        np.testing.assert_array_equal(sig.stft(x[: hops * s.hop], s)[:hops], whole[:hops])


@pytest.mark.parametrize("dc", [0.1, 0.5, 2.0])
def test_dc_under_speech_is_estimated_within_1e_3(speech, dc):
    """Maximum errors after half a second: 8.6e-4, 1.8e-4 and 1.1e-4."""
    s = sig.Signal(dc=dc)
    taken = speech + np.float32(0.1) - sig.remove_dc(speech + np.float32(0.1), s)
    assert np.abs(taken[8000:] - 0.1).max() < 1e-3


@pytest.mark.tensorflow
def test_a_step_in_dc_settles_with_the_time_constant():
    s = sig.Signal(dc=0.1)
    x = np.zeros(32000, np.float32)
    x[16000:] = 0.1
    left = sig.remove_dc(x, s)
    assert left[16000] == pytest.approx(0.1, rel=0.1)
    assert np.abs(left[16000 + 1600 * 7 :]).max() < 0.1 * np.exp(-6.9) < 1.1e-4
    # A constant from the start of the stream is removed at once and completely.
    constant = np.full((2, 16000), 3277 / 32768, np.float32)
    assert not sig.remove_dc(constant, s).any() and not sig.tf_remove_dc(constant, s).numpy().any()


def test_dc_removal_preserves_the_phase_of_speech(speech):
    """The error is 50 dB below the speech; that of a first-order high-pass at 20 Hz about 20 dB."""
    from scipy.signal import lfilter

    def si_sdr(estimate):
        target = (estimate @ speech) / (speech @ speech) * speech
        return 10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target)))

    pole = np.exp(-2 * np.pi * 20 / 16000)
    assert si_sdr(lfilter([(1 + pole) / 2, -(1 + pole) / 2], [1, -pole], speech)) < 25
    assert si_sdr(sig.remove_dc(speech, sig.Signal(dc=0.5))) > 50


def test_stft_is_causal(random):
    s = sig.Signal()
    x = random.uniform(-1, 1, 1280).astype(np.float32)
    changed = x.copy()
    changed[640:] = 0  # from hop 5 on
    np.testing.assert_array_equal(sig.stft(x, s)[:5], sig.stft(changed, s)[:5])
    assert np.abs(sig.stft(x, s)[5] - sig.stft(changed, s)[5]).max() > 0.1


def test_masks_apply_to_their_sources(random):
    spectrum = (random.standard_normal((3, 129)) + 1j * random.standard_normal((3, 129))).astype(
        np.complex64
    )
    masks = np.concatenate([np.full((3, 129), 0.25), np.full((3, 129), 0.5)], 1).astype(np.float32)
    parts = sig.apply_masks(spectrum, masks, 2, sig.Signal())
    np.testing.assert_array_equal(parts[0], spectrum * 0.25)
    np.testing.assert_array_equal(parts[1], spectrum * 0.5)


@pytest.mark.parametrize(
    ("window", "hop", "message"),
    [(250, 125, "window 250"), (256, 120, "hop 120"), (256, 0, "hop 0"), (16, 8, "window 16")],
)
def test_invalid_window_or_hop_is_rejected(window, hop, message):
    with pytest.raises(UserError, match=message):
        sig.Signal(window=window, hop=hop)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"level": -1.0}, "level -1.0"),
        ({"level": float("nan")}, "level nan"),
        ({"level": 10**400}, "level 1000"),
        ({"dc": -0.1}, "dc -0.1: not a time constant"),
        ({"dc": float("nan")}, "dc nan: not a time constant"),
        ({"dc": float("inf")}, "dc inf: not a time constant"),
        ({"dc": 1e-5}, "dc 1e-05: not a time constant"),
        ({"dc": 10**400}, "dc 1000"),
        ({"dc": 1e9}, "dc 1000000000.0: not a time constant"),
        ({"pool": 2}, "pool 2 and neighbours 0 need bands"),
        ({"neighbours": 1}, "pool 1 and neighbours 1 need bands"),
        ({"exponent": 0.0}, "exponent 0.0: not in 0.05 to 2"),
        ({"waveform": True}, "bands 0, exponent 0.3: with waveform there is no spectrum"),
        ({"waveform": True, "exponent": 1.0, "pool": 2}, "pool 2 and neighbours 0 need bands"),
        ({"bands": 7}, "7 bands, pool 1: 128 values do not divide"),
        ({"bands": 12, "pool": 0}, "12 bands, pool 0"),
        ({"bands": 12, "pool": 3}, "12 bands, pool 3"),
        ({"bands": -4}, "-4 bands"),
        ({"bands": 12, "pool": 2, "neighbours": 9}, "neighbours 9: a band has 8 values"),
    ],
)
def test_invalid_signal_sizes_are_rejected(sizes, message):
    with pytest.raises(UserError, match=message):
        sig.Signal(**sizes)

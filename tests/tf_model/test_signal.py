"""The signal path against librosa, against itself inverted, and against its twin in TensorFlow."""

import librosa
import numpy as np
import pytest

from groupcomm.errors import UserError
from tf_model import signal as sig

SIZES = [(256, 128), (256, 64), (512, 128), (128, 64), (64, 16)]


@pytest.mark.parametrize(("window", "hop"), SIZES)
@pytest.mark.parametrize("samples", [1, 127, 128, 1000, 4096])
def test_perfect_reconstruction(random, window, hop, samples):
    s = sig.Signal(window=window, hop=hop)
    x = random.uniform(-1, 1, (2, samples)).astype(np.float32)
    spectrum = sig.stft(x, s)
    assert spectrum.shape == (2, s.frames(samples), s.bins)
    np.testing.assert_allclose(sig.istft(spectrum, samples, s), x, atol=1e-6)


@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_stft_is_librosas(random, window, hop):
    s = sig.Signal(window=window, hop=hop)
    x = random.uniform(-1, 1, 3000).astype(np.float32)
    padded = np.pad(x, s.padding(len(x)))
    expected = librosa.stft(
        padded, n_fft=window, hop_length=hop, window=np.sqrt(librosa.filters.get_window("hann", window)), center=False
    ).T
    np.testing.assert_allclose(sig.stft(x, s), expected, atol=2e-5)


@pytest.mark.parametrize(("window", "hop"), SIZES)
def test_tensorflow_twin(random, window, hop):
    s = sig.Signal(window=window, hop=hop)
    x = random.uniform(-1, 1, (2, 2000)).astype(np.float32)
    spectrum = sig.tf_stft(x, s).numpy()
    np.testing.assert_allclose(spectrum, sig.stft(x, s), atol=2e-5)
    np.testing.assert_allclose(sig.tf_istft(spectrum, 2000, s).numpy(), x, atol=2e-6)
    np.testing.assert_allclose(sig.tf_features(spectrum, s).numpy(), sig.features(spectrum, s), atol=1e-5)


def test_a_frame_needs_no_sample_that_comes_later(random):
    s = sig.Signal()
    x = random.uniform(-1, 1, 1280).astype(np.float32)
    changed = x.copy()
    changed[640:] = 0  # hop 5 on
    np.testing.assert_array_equal(sig.stft(x, s)[:5], sig.stft(changed, s)[:5])
    assert np.abs(sig.stft(x, s)[5] - sig.stft(changed, s)[5]).max() > 0.1


def test_masks_go_to_their_sources(random):
    spectrum = (random.standard_normal((3, 5)) + 1j * random.standard_normal((3, 5))).astype(np.complex64)
    masks = np.concatenate([np.full((3, 5), 0.25), np.full((3, 5), 0.5)], 1).astype(np.float32)
    parts = sig.apply_masks(spectrum, masks, 2)
    np.testing.assert_array_equal(parts[0], spectrum * 0.25)
    np.testing.assert_array_equal(parts[1], spectrum * 0.5)


@pytest.mark.parametrize(
    ("window", "hop", "says"), [(250, 125, "window 250"), (256, 120, "hop 120"), (256, 0, "hop 0"), (16, 8, "window 16")]
)
def test_sizes_that_do_not_fit_are_named(window, hop, says):
    with pytest.raises(UserError, match=says):
        sig.Signal(window=window, hop=hop)

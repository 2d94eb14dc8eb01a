from dataclasses import replace

import numpy as np
import pytest

from calibration_data import mixer, synthetic
from calibration_data.corpus import open_corpus
from groupcomm.errors import UserError

SPECS = {
    "enhance": mixer.ENHANCE,
    "separate": mixer.SEPARATE,
    "enhance_eval": mixer.ENHANCE_EVAL,
    "separate_eval": mixer.SEPARATE_EVAL,
    "varied": replace(mixer.ENHANCE, **mixer.VARIED),
    "room": replace(mixer.SEPARATE_EVAL, room_probability=1.0),
}


@pytest.fixture
def train(tiny):
    return open_corpus("train", name="tiny")


def _db(a, b):
    return 10 * np.log10(np.sum(a.astype(np.float64) ** 2) / np.sum(b.astype(np.float64) ** 2))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_is_a_function_of_seed_and_index(train, spec):
    a = mixer.mix(train, spec, seed=5, index=7)
    mixer.mix(train, spec, seed=5, index=8)
    b = mixer.mix(open_corpus("train", name="tiny"), spec, seed=5, index=7)
    np.testing.assert_array_equal(a.mixture, b.mixture)
    np.testing.assert_array_equal(a.sources, b.sources)
    assert a.meta == b.meta
    for seed, index in ((5, 8), (6, 7), (7, 5)):
        assert not np.array_equal(mixer.mix(train, spec, seed=seed, index=index).mixture, a.mixture)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_parts_add_up(train, spec):
    for index in range(12):
        m = mixer.mix(train, spec, seed=0, index=index)
        assert m.mixture.shape == m.noise.shape == (64000,) and m.sources.shape == (spec.sources, 64000)
        assert m.mixture.dtype == m.sources.dtype == m.noise.dtype == np.float32
        np.testing.assert_array_equal(m.mixture, m.sources.sum(0) + m.noise)
        assert np.abs(m.mixture).max() <= mixer.PEAK + 1e-6
        assert np.all(np.sqrt((m.sources**2).mean(1)) > 1e-4)
        assert len(set(m.meta["speakers"])) == spec.sources


@pytest.mark.parametrize("spec", [mixer.ENHANCE, mixer.SEPARATE_EVAL, SPECS["varied"]], ids=["enhance", "separate_eval", "varied"])
def test_snr_and_level_are_as_asked(train, spec):
    for index in range(12):
        m = mixer.mix(train, spec, seed=0, index=index)
        if m.meta["snr_db"] is not None:
            assert spec.snr_db[0] <= m.meta["snr_db"] <= spec.snr_db[1]
            assert _db(m.sources.sum(0), m.noise) == pytest.approx(m.meta["snr_db"], abs=0.01)
        else:
            assert not m.noise.any()
        if spec.sources == 1:
            level = 10 * np.log10(np.mean(m.sources[0] ** 2))
            assert level == pytest.approx(m.meta["level_db"], abs=0.01)
            assert level <= spec.level_db[1] + 0.01


def test_relative_level_and_overlap(train):
    for overlap in (0.0, 0.5, 1.0):
        spec = replace(mixer.SEPARATE_EVAL, relative_db=(3.0, 3.0), overlap=(overlap, overlap), noise_probability=0.0)
        m = mixer.mix(train, spec, seed=0, index=1)
        assert _db(*m.sources) == pytest.approx(3, abs=0.01)
        heard = [np.flatnonzero(source)[[0, -1]] / 64000 for source in m.sources]
        first, second = sorted(heard, key=lambda ends: ends[0]) if overlap < 1 else heard
        assert first[1] <= (1 + overlap) / 2 + 0.001
        assert second[0] >= ((1 - overlap) / 2 if overlap < 1 else 0) - 0.001


def test_loud_mixtures_are_turned_down(train):
    m = mixer.mix(train, replace(mixer.ENHANCE_EVAL, level_db=(0.0, 0.0)), seed=0, index=0)
    assert np.abs(m.mixture).max() == pytest.approx(mixer.PEAK, abs=1e-4)
    assert m.meta["level_db"] < 0


def test_babble_is_of_other_speakers(train):
    spec = replace(mixer.ENHANCE, babble_probability=1.0)
    categories = [mixer.mix(train, spec, seed=0, index=i).meta["categories"] for i in range(6)]
    assert ["babble"] in categories
    spec = replace(spec, seconds=1.0)
    few = open_corpus("test", name="tiny")  # two speakers are no babble
    assert all(mixer.mix(few, spec, seed=0, index=i).meta["categories"] != ["babble"] for i in range(6))


def test_two_noises(train):
    spec = replace(mixer.ENHANCE_EVAL, second_noise_probability=1.0, seconds=1.0)
    assert len(mixer.mix(train, spec, seed=0, index=0).meta["categories"]) == 2


def test_synthetic_noises(train):
    def categories(probability):
        spec = replace(mixer.ENHANCE_EVAL, synthetic_probability=probability, seconds=1.0)
        return [mixer.mix(train, spec, seed=0, index=i).meta["categories"] for i in range(40)]

    recorded, always = categories(0.0), categories(1.0)
    assert not any("synthetic" in c for c in recorded)
    assert all(c[-1] == "synthetic" for c in always)
    assert 10 <= sum(c == ["synthetic"] for c in always) <= 30  # half of them have a recorded one beside it


def test_synthetic_noises_have_spectra_levels_and_hums_of_many_kinds(monkeypatch):
    def made(wandering, hum):
        monkeypatch.setattr(synthetic, "WANDERING", wandering)
        monkeypatch.setattr(synthetic, "HUM", hum)
        sounds = np.stack([synthetic.noise(np.random.default_rng(seed), 32000) for seed in range(20)])
        assert sounds.dtype == np.float32
        np.testing.assert_allclose(np.mean(sounds**2, 1), 1, atol=1e-3)
        power = np.abs(np.fft.rfft(sounds)) ** 2
        tilts = 10 * np.log10(power[:, :4000].sum(1) / power[:, 4000:].sum(1))
        levels = 10 * np.log10(np.mean(sounds.reshape(20, 40, 800) ** 2, 2))
        peaks = power.max(1) / power.sum(1)
        return np.ptp(tilts), np.std(levels, 1).mean(), np.median(peaks)

    tilts, steady, flat = made(0, 0)
    assert tilts > 20
    assert made(1, 0)[1] > steady + 1
    assert made(0, 1)[2] > 5 * flat


def test_noise_speed_changes_noise_alone(train):
    def made(speed):
        return mixer.mix(train, replace(mixer.ENHANCE_EVAL, noise_speed=(speed, speed)), seed=3, index=0)

    slow, fast = made(0.5), made(2.0)
    a, b = (m.sources / m.sources.max() for m in (slow, fast))  # the level is turned down to what fits
    np.testing.assert_allclose(a, b, atol=1e-5)

    def above(m, hz):
        power = np.abs(np.fft.rfft(m.noise)) ** 2
        return power[hz * power.size // 8000 :].sum() / power.sum()

    assert above(slow, 6000) < 0.1 * above(fast, 6000)  # half as fast, nothing is left above half of what there was


def test_speed_changes_pitch(train):
    def pitch(speed):
        spec = replace(mixer.ENHANCE_EVAL, speed=(speed, speed), noise_probability=0.0)
        m = mixer.mix(train, spec, seed=3, index=0)
        spectrum = np.abs(np.fft.rfft(m.sources[0]))
        return spectrum.argmax(), m.meta["speakers"]

    slow, speaker = pitch(0.9)
    fast, same = pitch(1.1)
    assert speaker == same
    assert fast / slow == pytest.approx(1.1 / 0.9, rel=0.05)


def test_room_keeps_early_sound_in_the_reference(train):
    dry = replace(mixer.SEPARATE_EVAL, noise_probability=0.0)
    m = mixer.mix(train, replace(dry, room_probability=1.0), seed=0, index=2)
    assert 0.1 <= m.meta["rt60"] <= 0.5
    assert m.noise.any()  # late reverberation
    assert _db(m.sources.sum(0), m.noise) > 0
    assert mixer.mix(train, dry, seed=0, index=2).meta["rt60"] is None


def test_batch(train):
    spec = replace(mixer.SEPARATE, seconds=1.0)
    mixtures, sources = mixer.batch(train, spec, seed=2, indices=np.array([3, 1]))
    assert mixtures.shape == (2, 16000) and sources.shape == (2, 2, 16000)
    assert mixtures.dtype == sources.dtype == np.float32
    np.testing.assert_array_equal(mixtures[1], mixer.mix(train, spec, seed=2, index=1).mixture)


def test_refuses(train):
    with pytest.raises(UserError, match="'translate'"):
        mixer.MixtureSpec("translate")
    with pytest.raises(UserError, match="0.001 s"):
        mixer.MixtureSpec("enhance", seconds=0.001)
    with pytest.raises(UserError, match="has no noise.*--noise"):
        mixer.mix(replace(train, categories=()), mixer.ENHANCE, seed=0, index=0)
    with pytest.raises(UserError, match="1 speaker.*separate needs 2"):
        mixer.mix(replace(train, speakers=train.speakers[:1]), mixer.SEPARATE, seed=0, index=0)
    with pytest.raises(UserError, match="only silence"):
        mixer.mix(replace(train, speech=np.zeros_like(train.speech)), mixer.ENHANCE, seed=0, index=0)

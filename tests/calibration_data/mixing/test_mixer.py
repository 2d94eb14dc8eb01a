from dataclasses import replace

import numpy as np
import pytest

from calibration_data.corpus import Clip, Corpus, Group, open_corpus
from calibration_data.mixing import microphone, mixer, rooms
from calibration_data.mixing.procedural import spectrum
from groupcomm.errors import UserError

SPECS = {
    "enhance": mixer.ENHANCE,
    "separate": mixer.SEPARATE,
    "enhance_eval": mixer.ENHANCE_EVAL_2026_11,
    "separate_eval": mixer.SEPARATE_EVAL_2026_11,
    "varied": replace(mixer.ENHANCE, **mixer.VARIED),
    "room": replace(mixer.SEPARATE_EVAL_2026_11, room_probability=1.0),
}
NEW_SPECS = {
    "wide": replace(mixer.ENHANCE, **mixer.WIDE | {"room_pool": 2, "rt60": (0.1, 0.2)}),
    "wide_separate": replace(
        mixer.SEPARATE, **mixer.WIDE_SEPARATE | {"room_pool": 2, "rt60": (0.1, 0.2)}
    ),
    "new_enhance_eval": replace(mixer.ENHANCE_EVAL, rt60=(0.1, 0.2)),
    "new_separate_eval": replace(mixer.SEPARATE_EVAL, rt60=(0.1, 0.2)),
}
CHECKSUMS = {  # weighted sums of mixtures, from the time when the mixer had only these specs
    "enhance": [-1.0643, -5.2732, 4.0675, 0.1686, 2.4384, 5.9425],
    "separate": [-7.9111, -4.7048, 11.4168, 0.1412, 6.943, -0.7444],
    "enhance_eval": [5.7903, -14.9129, -2.2746, 1.2779, 5.0113, 6.1524],
    "separate_eval": [-13.5865, -5.0765, 12.2085, 0.2365, 5.8306, -2.0942],
    "varied": [-1.6802, 0.9299, 2.2402, 1.7651, 1.6111, 4.7884],
    "room": [-22.7008, -6.2502, 47.0339, 8.6329, 22.0209, -3.2074],
    "babble": [0.8965, -2.4593, 1.8648, 0.1686, 1.59, 10.2474],
    "everything": [1.3837, 29.1626, -6.0294, -48.6254, -10.5543, -6.9992],
}
OLD_SPECS = SPECS | {
    "babble": replace(mixer.ENHANCE, babble_probability=1.0),
    "everything": replace(
        mixer.SEPARATE,
        **mixer.VARIED,
        room_probability=0.5,
        babble_probability=0.5,
        eq_probability=0.5,
        speed=(0.8, 1.2),
        level_db=(-20.0, 0.0),
    ),
}


@pytest.fixture
def train(tiny):
    return open_corpus("train", name="tiny")


@pytest.fixture(scope="module")
def small():
    """Return a corpus in memory that does not depend on the builder."""
    random = np.random.default_rng(11)
    sounds = {"speech": [], "noise": []}

    def group(kind, name, seconds):
        clips = []
        of = (
            {"speaker": name, "category": ""}
            if kind == "speech"
            else {"speaker": "", "category": name}
        )
        for take, length in enumerate(seconds):
            t = np.arange(int(length * 16000)) / 16000
            tone = np.sin(2 * np.pi * (100 + 40 * len(sounds[kind])) * t) * (
                1.2 + np.sin(2 * np.pi * 3 * t)
            )
            place = {
                "offset": sum(map(len, sounds[kind])),
                "samples": t.size,
                "package": "small",
                "path": f"{name}/{take}",
            }
            clips.append(Clip(kind=kind, lang="", sex="", tier="", **of, **place))
            sounds[kind].append((2000 * tone + 800 * random.standard_normal(t.size)).astype("<i2"))
        return Group(name, tuple(clips))

    speakers = tuple(group("speech", f"speaker{i:02}", (0.8, 1.3)) for i in range(14))
    categories = tuple(group("noise", name, (0.5, 1.1, 5.0)) for name in ("crowd", "rain", "wind"))
    speech, noise = (np.concatenate(sounds[kind]) for kind in ("speech", "noise"))
    return Corpus(
        name="small",
        split="train",
        speech=speech,
        noise=noise,
        speakers=speakers,
        categories=categories,
    )


@pytest.mark.parametrize("name", OLD_SPECS)
def test_mixtures_of_old_specs_do_not_change(small, name):
    """The tolerance allows for the FFT and the dot product of other processors."""
    spec = OLD_SPECS[name]
    weights = np.cos(np.arange(spec.samples) ** 1.5)
    found = [float(mixer.mix(small, spec, seed=9, index=i).mixture @ weights) for i in range(6)]
    assert found == pytest.approx(CHECKSUMS[name], abs=2e-3)


def _db(a, b):
    return 10 * np.log10(np.sum(a.astype(np.float64) ** 2) / np.sum(b.astype(np.float64) ** 2))


@pytest.mark.parametrize("spec", (SPECS | NEW_SPECS).values(), ids=SPECS | NEW_SPECS)
def test_mixture_depends_on_seed_and_index_only(train, spec):
    a = mixer.mix(train, spec, seed=5, index=7)
    mixer.mix(train, spec, seed=5, index=8)
    b = mixer.mix(open_corpus("train", name="tiny"), spec, seed=5, index=7)
    np.testing.assert_array_equal(a.mixture, b.mixture)
    np.testing.assert_array_equal(a.sources, b.sources)
    assert a.meta == b.meta
    for seed, index in ((5, 8), (6, 7), (7, 5)):
        assert not np.array_equal(mixer.mix(train, spec, seed=seed, index=index).mixture, a.mixture)


@pytest.mark.parametrize("spec", (SPECS | NEW_SPECS).values(), ids=SPECS | NEW_SPECS)
def test_mixture_is_the_sum_of_sources_and_noise(train, spec):
    for index in range(12):
        m = mixer.mix(train, spec, seed=0, index=index)
        assert m.mixture.shape == m.noise.shape == (64000,) and m.sources.shape == (
            spec.sources,
            64000,
        )
        assert m.mixture.dtype == m.sources.dtype == m.noise.dtype == np.float32
        np.testing.assert_array_equal(m.mixture, m.sources.sum(0) + m.noise)
        assert np.abs(m.mixture).max() <= mixer.PEAK + 1e-6
        assert np.all(np.sqrt((m.sources**2).mean(1)) > 1e-4)
        assert len(set(m.meta["speakers"])) == spec.sources


@pytest.mark.parametrize(
    "spec",
    [mixer.ENHANCE, mixer.SEPARATE_EVAL_2026_11, SPECS["varied"]],
    ids=["enhance", "separate_eval", "varied"],
)
def test_snr_and_level_follow_the_spec(train, spec):
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


def test_relative_level_and_overlap_follow_the_spec(train):
    for overlap in (0.0, 0.5, 1.0):
        spec = replace(
            mixer.SEPARATE_EVAL_2026_11,
            relative_db=(3.0, 3.0),
            overlap=(overlap, overlap),
            noise_probability=0.0,
        )
        m = mixer.mix(train, spec, seed=0, index=1)
        assert _db(*m.sources) == pytest.approx(3, abs=0.01)
        active = [np.flatnonzero(source)[[0, -1]] / 64000 for source in m.sources]
        first, second = sorted(active, key=lambda ends: ends[0]) if overlap < 1 else active
        assert first[1] <= (1 + overlap) / 2 + 0.001
        assert second[0] >= ((1 - overlap) / 2 if overlap < 1 else 0) - 0.001


def test_loud_mixtures_are_attenuated(train):
    m = mixer.mix(train, replace(mixer.ENHANCE_EVAL_2026_11, level_db=(0.0, 0.0)), seed=0, index=0)
    assert np.abs(m.mixture).max() == pytest.approx(mixer.PEAK, abs=1e-4)
    assert m.meta["level_db"] < 0


def test_babble_needs_enough_other_speakers(train):
    spec = replace(mixer.ENHANCE, babble_probability=1.0)
    categories = [mixer.mix(train, spec, seed=0, index=i).meta["categories"] for i in range(6)]
    assert ["babble"] in categories
    spec = replace(spec, seconds=1.0)
    few = open_corpus("test", name="tiny")  # two speakers are too few for babble
    assert all(
        mixer.mix(few, spec, seed=0, index=i).meta["categories"] != ["babble"] for i in range(6)
    )


def test_second_noise_adds_a_category(train):
    spec = replace(mixer.ENHANCE_EVAL_2026_11, second_noise_probability=1.0, seconds=1.0)
    assert len(mixer.mix(train, spec, seed=0, index=0).meta["categories"]) == 2


def test_synthetic_noise_is_alone_or_with_recorded_noise(train):
    def categories(probability):
        spec = replace(mixer.ENHANCE_EVAL_2026_11, synthetic_probability=probability, seconds=1.0)
        return [mixer.mix(train, spec, seed=0, index=i).meta["categories"] for i in range(40)]

    recorded, always = categories(0.0), categories(1.0)
    assert not any("synthetic" in c for c in recorded)
    assert all(c[-1] == "synthetic" for c in always)
    # Half of them have a recorded noise, too.
    assert 10 <= sum(c == ["synthetic"] for c in always) <= 30


def test_random_spectra_differ_in_tilt_level_and_hum(monkeypatch):
    def made(wandering, hum):
        monkeypatch.setattr(spectrum, "WANDERING", wandering)
        monkeypatch.setattr(spectrum, "HUM", hum)
        sounds = np.stack(
            [spectrum.noise(np.random.default_rng(seed), 32000) for seed in range(20)]
        )
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


def test_noise_speed_changes_only_the_noise(train):
    def made(speed):
        return mixer.mix(
            train, replace(mixer.ENHANCE_EVAL_2026_11, noise_speed=(speed, speed)), seed=3, index=0
        )

    slow, fast = made(0.5), made(2.0)
    # The levels may be attenuated.
    a, b = (m.sources / m.sources.max() for m in (slow, fast))
    np.testing.assert_allclose(a, b, atol=1e-5)

    def above(m, hz):
        power = np.abs(np.fft.rfft(m.noise)) ** 2
        return power[hz * power.size // 8000 :].sum() / power.sum()

    # Half the speed halves the bandwidth.
    assert above(slow, 6000) < 0.1 * above(fast, 6000)


def test_speed_changes_pitch(train):
    def pitch(speed):
        spec = replace(mixer.ENHANCE_EVAL_2026_11, speed=(speed, speed), noise_probability=0.0)
        m = mixer.mix(train, spec, seed=3, index=0)
        spectrum = np.abs(np.fft.rfft(m.sources[0]))
        return spectrum.argmax(), m.meta["speakers"]

    slow, speaker = pitch(0.9)
    fast, same = pitch(1.1)
    assert speaker == same
    assert fast / slow == pytest.approx(1.1 / 0.9, rel=0.05)


def test_room_keeps_early_sound_in_the_reference(train):
    dry = replace(mixer.SEPARATE_EVAL_2026_11, noise_probability=0.0)
    m = mixer.mix(train, replace(dry, room_probability=1.0), seed=0, index=2)
    assert 0.1 <= m.meta["rt60"] <= 0.5
    assert m.noise.any()  # late reverberation
    assert _db(m.sources.sum(0), m.noise) > 0
    assert mixer.mix(train, dry, seed=0, index=2).meta["rt60"] is None


DRY = replace(mixer.ENHANCE_EVAL_2026_11, seconds=2.0)


def _mixture(corpus, spec, index=0):
    return mixer.mix(corpus, spec, seed=4, index=index)


def test_clean_mixture_equals_its_reference(small):
    everything = dict.fromkeys(
        (
            "room_probability",
            "dc_probability",
            "hum_probability",
            "clip_probability",
            "mic_probability",
        ),
        1.0,
    )
    m = _mixture(small, replace(DRY, clean_probability=1.0, **everything))
    np.testing.assert_array_equal(m.mixture, m.sources[0])
    assert not m.noise.any() and m.meta["categories"] == [] and m.meta["mic"] is not None
    assert [m.meta[key] for key in ("snr_db", "rt60", "dc", "hum", "hum_hz", "clipped")] == [
        None
    ] * 6
    some = [
        _mixture(small, replace(DRY, seconds=0.5, clean_probability=0.3), i).meta["snr_db"] is None
        for i in range(100)
    ]
    assert 15 <= sum(some) <= 45


def test_balanced_odds_select_the_categories(small, monkeypatch):
    monkeypatch.setattr(Corpus, "balanced_odds", property(lambda self: np.array([0.0, 1.0, 1.0])))
    for balanced in (False, True):
        found = {
            _mixture(small, replace(DRY, seconds=0.2, balanced=balanced), i).meta["categories"][0]
            for i in range(20)
        }
        assert found == ({"rain"} if balanced else {"crowd", "rain", "wind"})


def test_procedural_noise_is_alone_or_with_recorded_noise(small):
    def categories(probability):
        spec = replace(DRY, seconds=0.5, procedural_probability=probability)
        return [_mixture(small, spec, i).meta["categories"] for i in range(40)]

    assert not any(c[-1].startswith("procedural") for c in categories(0.0))
    always = categories(1.0)
    assert all(c[-1].startswith("procedural ") for c in always)
    assert 10 <= sum(len(c) == 1 for c in always) <= 30


def test_babble_has_the_requested_size_and_its_own_room(small):
    spec = replace(DRY, babble_probability=1.0)
    crowded = _mixture(small, replace(spec, babble=(13, 13)))
    assert crowded.meta["categories"] == ["babble"]
    # The speaker is one of the fourteen, so that thirteen are left.
    too_many = _mixture(small, replace(spec, babble=(14, 14)))
    assert too_many.meta["categories"] != ["babble"]
    with_room = _mixture(
        small, replace(spec, babble=(13, 13), babble_room_probability=1.0, rt60=(0.3, 0.3))
    )
    np.testing.assert_array_equal(with_room.sources, crowded.sources)
    assert with_room.meta["rt60"] is None and not np.array_equal(with_room.noise, crowded.noise)


def test_noise_in_the_room_has_the_whole_response(small):
    """A click as noise becomes the impulse response of a position."""
    spec = replace(DRY, room_probability=1.0, room_pool=1, rt60=(0.4, 0.4), snr_db=(0.0, 0.0))
    dry, wet = (_mixture(small, replace(spec, noise_in_room=inside)) for inside in (False, True))
    np.testing.assert_array_equal(dry.sources, wet.sources)
    assert not np.array_equal(dry.noise, wet.noise)
    channel = mixer._Channel(responses=iter([(np.array([0, 0, 1, 0.5], np.float32), 3)]))
    click = np.zeros(100, np.float32)
    click[10] = 1
    output = channel(click)
    assert output[12] / output[13] == pytest.approx(2, abs=1e-4)
    assert mixer._rms(output) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("extra", ["mic", "room", "dc", "hum", "clip"])
def test_extras_do_not_change_speech_and_noise(small, extra):
    spec = replace(
        DRY,
        dc_probability=0.5,
        hum_probability=0.5,
        noise_in_room=True,
        rt60=(0.1, 0.2),
        second_noise_probability=0.5,
    )
    for i in range(6):
        plain, other = (
            _mixture(small, replace(spec, **{f"{extra}_probability": p}), i).meta
            for p in (0.0, 1.0)
        )
        own = {
            "mic": {"mic"},
            "room": {"rt60"},
            "dc": {"dc"},
            "hum": {"hum", "hum_hz"},
            "clip": {"clipped"},
        }[extra]
        attenuated = {"level_db", "dc", "hum"}  # attenuation changes these
        assert {k: v for k, v in plain.items() if k not in own | attenuated} == {
            k: v for k, v in other.items() if k not in own | attenuated
        }
        assert all(other[key] is not None for key in own)


def test_pool_limits_the_number_of_rooms(small):
    """A mixture does not depend on the rooms that were computed before it."""
    spec = replace(
        DRY, seconds=0.5, room_probability=1.0, room_pool=3, rt60=(0.1, 0.2), noise_in_room=True
    )
    first = [_mixture(small, spec, i) for i in range(12)]
    rooms.pooled.cache_clear()
    for i, m in reversed(list(enumerate(first))):
        np.testing.assert_array_equal(_mixture(small, spec, i).mixture, m.mixture)
    assert 1 < len({m.meta["rt60"] for m in first}) <= 3
    assert all(0.1 <= m.meta["rt60"] <= 0.2 for m in first)
    assert len({_mixture(small, replace(spec, room_pool=0), i).meta["rt60"] for i in range(6)}) == 6


def test_room_decays_with_its_reverberation_time():
    for seconds in (0.3, 0.6):
        response, early = rooms.draw(np.random.default_rng(0), 1, (seconds, seconds)).response(0)
        left = 10 * np.log10(
            np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
            / np.sum(response.astype(np.float64) ** 2)
        )
        # The decay by 20 dB is extrapolated to 60 dB.
        fell = (np.flatnonzero(left < -25)[0] - np.flatnonzero(left < -5)[0]) / 16000 * 3
        assert fell == pytest.approx(seconds, rel=0.4)
        assert early - 0.05 * 16000 <= np.abs(response).argmax() + 1


def test_microphone_response_applies_to_speech_noise_and_reference(small):
    plain, filtered = _mixture(small, DRY), _mixture(small, replace(DRY, mic_probability=1.0))
    assert plain.meta["mic"] is None and filtered.meta["mic"]["peaks"]
    assert not np.array_equal(plain.sources, filtered.sources)
    assert _db(filtered.sources, filtered.noise) == pytest.approx(filtered.meta["snr_db"], abs=0.01)
    assert 10 * np.log10(np.mean(filtered.sources**2)) == pytest.approx(
        filtered.meta["level_db"], abs=0.01
    )


def test_equalizer_has_its_cuts_and_peaks():
    def gain_db(equalizer, hz):
        t = np.arange(16000) / 16000
        out = equalizer(np.sin(2 * np.pi * hz * t).astype(np.float32))[8000:]
        return 20 * np.log10(np.sqrt(2 * np.mean(out**2)))

    cuts = microphone.Equalizer(100.0, 6000.0)
    assert [gain_db(cuts, hz) for hz in (100, 6000, 1000)] == pytest.approx([-3, -3, 0], abs=0.1)
    assert gain_db(cuts, 25) < -22 and gain_db(cuts, 7500) < -10
    peak = microphone.Equalizer(None, None, ((1000.0, -6.0, 1.0),))
    assert [gain_db(peak, hz) for hz in (1000, 100)] == pytest.approx([-6, 0], abs=0.1)


@pytest.mark.parametrize("what", ["dc", "hum", "clip"])
def test_disturbances_do_not_change_the_references(small, what):
    spec = replace(DRY, level_db=(-30.0, -30.0), snr_db=(10.0, 10.0))  # no mixture is attenuated
    plain, disturbed = (
        _mixture(small, spec),
        _mixture(small, replace(spec, **{f"{what}_probability": 1.0})),
    )
    np.testing.assert_array_equal(plain.sources, disturbed.sources)
    np.testing.assert_array_equal(disturbed.mixture, disturbed.sources.sum(0) + disturbed.noise)
    added, meta = disturbed.mixture - plain.mixture, disturbed.meta
    keys = {"dc": ["dc"], "hum": ["hum", "hum_hz"], "clip": ["clipped"]}[what]
    assert {key for key in ("dc", "hum", "hum_hz", "clipped") if meta[key] is not None} == set(keys)
    if what == "dc":
        assert 0 < abs(meta["dc"]) <= 0.1
        np.testing.assert_allclose(added, meta["dc"], atol=1e-6)
    if what == "hum":
        assert (
            10 * np.log10(np.mean(added**2)) == pytest.approx(meta["hum"], abs=0.01)
            and -60 <= meta["hum"] <= -25
        )
        power = np.abs(np.fft.rfft(added * np.hanning(added.size))) ** 2
        near = (
            np.abs(
                np.fft.rfftfreq(added.size, 1 / 16000)[:, None] - meta["hum_hz"] * np.arange(1, 17)
            ).min(1)
            < 3
        )
        assert power[near].sum() > 0.999 * power.sum()
    if what == "clip":
        level = np.abs(disturbed.mixture).max()
        beyond = np.mean(np.abs(plain.mixture) > level)
        assert beyond == pytest.approx(meta["clipped"], abs=1e-4) and 0.0009 <= beyond <= 0.02
        untouched = np.abs(plain.mixture) < level
        np.testing.assert_allclose(added[untouched], 0, atol=1e-6)


def test_offset_and_hum_are_attenuated_with_the_mixture(small):
    spec = replace(DRY, level_db=(0.0, 0.0), dc_probability=1.0, hum_probability=1.0)
    m = _mixture(small, spec)
    assert np.abs(m.mixture).max() == pytest.approx(mixer.PEAK, abs=1e-4)
    down = m.meta["level_db"]
    quiet = _mixture(small, replace(spec, level_db=(-40.0, -40.0), snr_db=(20.0, 20.0)))
    assert m.meta["dc"] == pytest.approx(quiet.meta["dc"] * 10 ** (down / 20))
    assert m.meta["hum"] == pytest.approx(quiet.meta["hum"] + down)


def test_batch_stacks_mixtures(train):
    spec = replace(mixer.SEPARATE, seconds=1.0)
    mixtures, sources = mixer.batch(train, spec, seed=2, indices=np.array([3, 1]))
    assert mixtures.shape == (2, 16000) and sources.shape == (2, 2, 16000)
    assert mixtures.dtype == sources.dtype == np.float32
    np.testing.assert_array_equal(mixtures[1], mixer.mix(train, spec, seed=2, index=1).mixture)


def test_invalid_spec_or_corpus_is_rejected(train):
    with pytest.raises(UserError, match="'translate'"):
        mixer.MixtureSpec("translate")
    with pytest.raises(UserError, match="0.001 s"):
        mixer.MixtureSpec("enhance", seconds=0.001)
    with pytest.raises(UserError, match="has no noise.*--noise"):
        mixer.mix(replace(train, categories=()), mixer.ENHANCE, seed=0, index=0)
    with pytest.raises(UserError, match="1 speaker.*separate needs 2"):
        mixer.mix(replace(train, speakers=train.speakers[:1]), mixer.SEPARATE, seed=0, index=0)
    with pytest.raises(UserError, match="only silence"):
        mixer.mix(
            replace(train, speech=np.zeros_like(train.speech)), mixer.ENHANCE, seed=0, index=0
        )

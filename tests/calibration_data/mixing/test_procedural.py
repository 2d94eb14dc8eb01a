import numpy as np
import pytest

from calibration_data.audio import RATE
from calibration_data.mixing import procedural
from calibration_data.mixing.procedural import dsp, impacts, machines, nature, signals, spectrum

SAMPLES = 4 * RATE
FLAT = {
    "REVERBERATION": 0.0,
    "TILT": (0.0, 0.0),
    "RIPPLE": 0.0,
    "FLOOR": (-90.0, -90.0),
    "HIGH_PASS": (1.0, 1.0),
}


def _random(seed=0):
    return np.random.default_rng(seed)


def _drawn(kind, seeds=12):
    return np.stack([procedural.noise(_random(seed), SAMPLES, kind)[0] for seed in range(seeds)])


def _power(x):
    return np.abs(np.fft.rfft(x * np.hanning(x.shape[-1]))) ** 2


def _below(x, hz):
    """Return the fraction of the energy below a frequency."""
    power = _power(x)
    return power[..., : int(hz * x.shape[-1] / RATE)].sum(-1) / power.sum(-1)


def _levels(x, seconds):
    """Return the RMS of frames."""
    size = int(seconds * RATE)
    return np.sqrt(
        np.mean(x[..., : x.shape[-1] // size * size].reshape(*x.shape[:-1], -1, size) ** 2, -1)
    )


def _kurtosis(x):
    return np.mean(x**4, -1) / np.mean(x**2, -1) ** 2


def _orders(x, phase, orders):
    """Return the amplitudes at multiples of an oscillator's frequency; its phase is in cycles."""
    window = np.hanning(x.size)
    return np.array(
        [np.abs(np.mean(x * window * np.exp(-2j * np.pi * order * phase))) for order in orders]
    )


@pytest.mark.parametrize("kind", procedural.KINDS)
def test_noise_depends_on_the_generator_only(kind):
    for samples in (160, 4001, RATE):
        for seed in range(6):
            x, name = procedural.noise(_random(seed), samples, kind)
            assert name == kind and x.dtype == np.float32 and x.shape == (samples,)
            assert np.sqrt(np.mean(x.astype(np.float64) ** 2)) == pytest.approx(1, abs=1e-3)
            assert np.abs(x).max() < 30
            np.testing.assert_array_equal(x, procedural.noise(_random(seed), samples, kind)[0])
            assert (
                np.abs(np.dot(x, procedural.noise(_random(seed + 100), samples, kind)[0]))
                < 0.9 * samples
            )


@pytest.mark.slow
def test_kinds_are_drawn_by_their_weights():
    random = _random()
    drawn = [procedural.noise(random, 160)[1] for _ in range(1500)]
    total = sum(weight for _, weight in procedural.KINDS.values())
    for kind, (_, weight) in procedural.KINDS.items():
        assert drawn.count(kind) / 1500 == pytest.approx(weight / total, abs=0.03)
        assert kind in drawn


def test_room_and_background_have_the_requested_levels(monkeypatch):
    for name, value in FLAT.items():
        monkeypatch.setattr(procedural, name, value)
    click = np.zeros(SAMPLES, np.float32)
    click[1000] = 1

    def placed(**constants):
        for name, value in constants.items():
            monkeypatch.setattr(procedural, name, value)
        return procedural._add_environment(_random(), click, True)

    assert np.abs(placed() - click).max() < 0.1
    room = placed(REVERBERATION=1.0, RT60=(1.0, 1.0), DIRECT=(0.0, 0.0))
    energy = np.cumsum(room[:1000:-1] ** 2)[::-1]
    # Schroeder's backward integration.
    decay = 10 * np.log10(energy[int(0.1 * RATE)] / energy[int(0.4 * RATE)])
    assert decay == pytest.approx(18, abs=3)  # 60 dB in 1 s
    floor = placed(REVERBERATION=0.0, FLOOR=(-20.0, -20.0)) - click
    assert 10 * np.log10(np.sum(floor**2)) == pytest.approx(-20, abs=1)


def test_engine_harmonics_follow_the_speed(monkeypatch):
    rpm = np.linspace(1500, 3000, SAMPLES).astype(np.float32)
    monkeypatch.setattr(machines, "engine_speed", lambda random, samples: rpm)
    phase = np.cumsum(rpm / 120) / RATE  # cycles of two revolutions
    for seed in range(5):
        x = machines.engine(_random(seed), SAMPLES)
        assert (
            _orders(x, phase, range(1, 25)).max()
            > 10 * _orders(x, phase, np.arange(1, 25) + 0.5).max()
        )


def test_engines_fire_once_per_cylinder_and_cycle():
    amplitudes = np.abs(np.fft.rfft(machines.firing_cycle(_random(), 4, 3000.0)))
    assert amplitudes.argmax() % 4 == 0


def test_pass_by_rises_and_falls_in_level_and_falls_in_pitch(monkeypatch):
    monkeypatch.setattr(
        machines, "firing_cycle", lambda random, cylinders, rpm: dsp.wavetable(np.eye(40)[39])
    )
    monkeypatch.setattr(
        dsp, "coloured", lambda random, samples, response: np.zeros(samples, np.float32)
    )
    monkeypatch.setattr(machines, "exhaust", lambda random: np.ones_like)
    for seed in range(5):
        x = machines.pass_by(_random(seed), SAMPLES)
        levels = _levels(x, 0.1)
        top = levels.argmax()
        assert (
            5 < top < 35
            and np.all(np.diff(levels[: top - 1]) > 0)
            and np.all(np.diff(levels[top + 2 :]) < 0)
        )
        before, after = (_power(part).argmax() for part in (x[:8000], x[-8000:]))
        assert 0.75 < after / before < 0.985


def test_fan_has_tones_over_a_continuous_spectrum():
    power = _power(_drawn("fan"))[:, : 8000 * 2]
    bands = power[:, 400:8000].reshape(12, -1, 200)  # 50 Hz
    assert np.median((bands.max(-1) / np.median(bands, -1)).max(-1)) > 40
    assert np.all(_levels(_drawn("fan"), 0.5).std(-1) < 0.4)


def test_hum_is_at_multiples_of_the_mains_frequency():
    for x in _drawn("hum"):
        power = _power(x)
        f = np.fft.rfftfreq(SAMPLES, 1 / RATE)
        parts = [
            power[np.abs((f + mains / 2) % mains - mains / 2) < 2 + 0.003 * f].sum() / power.sum()
            for mains in (50, 60)
        ]
        assert max(parts) > 0.9


def test_tool_slows_down_under_load_and_stops():
    levels = _levels(np.stack([machines.tool(_random(seed), SAMPLES) for seed in range(30)]), 0.1)
    stops = levels.min(1) < 0.05 * levels.max(1)
    assert 5 <= stops.sum() <= 25


def test_train_has_low_rumble_and_impacts():
    x = np.stack([machines.train(_random(seed), SAMPLES) for seed in range(12)])
    assert np.median(_below(x, 500)) > 0.7
    assert np.median(_kurtosis(x)) > 3.5


def test_wind_has_low_frequencies_and_gusts():
    x = _drawn("wind")
    assert np.median(_below(x, 300)) > 0.8
    assert np.all(
        _below(np.stack([nature.wind(_random(seed), SAMPLES) for seed in range(12)]), 300) > 0.8
    )
    assert np.median(_levels(x, 0.25).std(1)) > 0.15


def test_rain_has_drops_and_a_broad_spectrum():
    x = _drawn("rain")
    assert np.median(_kurtosis(x)) > 3.3 and _kurtosis(x).max() > 10
    assert np.median(_below(x, 2000)) < 0.9


def test_water_has_bubbles_above_250_hz():
    x = np.stack([nature.water(_random(seed), SAMPLES) for seed in range(12)])
    assert np.all(_below(x, 250) < 0.2)
    assert np.median(_kurtosis(x)) > 3.1


@pytest.mark.parametrize(
    ("make", "gap"), [(impacts.keyboard, 3), (impacts.mouse, 3), (impacts.footsteps, 10)]
)
def test_impacts_are_at_their_events(monkeypatch, make, gap):
    at = np.arange(1, 6) * 10000
    monkeypatch.setattr(dsp, "rhythm", lambda *_: at)
    for seed in range(6):
        levels = _levels(make(_random(seed), SAMPLES), 0.01)
        loud = levels[at // 160] + levels[at // 160 + 1] + levels[at // 160 + gap]
        assert np.median(loud) > 5 * np.median(levels)


def test_rhythm_has_the_requested_rate():
    for hz in (1.5, 8.0):
        counts = [dsp.rhythm(_random(seed), SAMPLES, hz, 0.2).size for seed in range(20)]
        assert np.mean(counts) == pytest.approx(4 * hz, rel=0.15)


def test_dishes_ring_in_partials_that_decay():
    x = np.stack([impacts.dishes(_random(seed), SAMPLES) for seed in range(8)])
    power = _power(x)
    assert np.all(np.sort(power, 1)[:, -640:].sum(1) > 0.4 * power.sum(1))  # 2 % of the bins
    assert np.median(_kurtosis(x)) > 6


def test_applause_is_sparse_with_few_people_and_dense_with_many():
    kurtoses = _kurtosis(_drawn("applause", 20))
    assert kurtoses.max() > 10 and kurtoses.min() < 6


def test_rustle_has_high_frequencies_and_crackles():
    x = _drawn("rustle")
    assert np.median(_below(x, 500)) < 0.2
    assert np.median(_kurtosis(x)) > 8


def test_handling_has_low_thumps():
    x = np.stack([impacts.handling(_random(seed), SAMPLES) for seed in range(12)])
    assert np.median(_below(x, 400)) > 0.7
    assert np.median(_kurtosis(x)) > 8


def test_alarm_is_periodic_and_tonal():
    for x in [signals.alarm(_random(seed), SAMPLES) for seed in range(12)]:
        frames = x.reshape(-1, 800) * np.hanning(800)
        power = np.abs(np.fft.rfft(frames[np.abs(frames).max(1) > 0.1])) ** 2
        # These are 15 % of the bins of frames of 50 ms.
        assert np.median(np.sort(power, 1)[:, -60:].sum(1) / power.sum(1)) > 0.9


def test_crowd_has_syllables_and_the_spectrum_of_speech():
    x = np.stack([signals.crowd(_random(seed), SAMPLES) for seed in range(12)])
    assert np.median(_below(x, 1500)) > 0.6
    envelopes = _levels(x, 0.02)
    # A bin has 0.25 Hz; the spectrum ends at 25 Hz.
    modulation = np.abs(np.fft.rfft(envelopes - envelopes.mean(1, keepdims=True))) ** 2
    assert np.all(modulation[:, :40].sum(1) > 0.8 * modulation.sum(1))
    assert np.median(modulation[:, 4:40].sum(1) / modulation.sum(1)) > 0.4


def test_music_has_notes_of_a_scale(monkeypatch):
    monkeypatch.setattr(dsp, "bursts", lambda random, samples, *_: np.zeros(samples, np.float32))
    power = _power(np.stack([signals.music(_random(seed), SAMPLES) for seed in range(8)]))
    assert np.all(np.sort(power, 1)[:, -1600:].sum(1) > 0.7 * power.sum(1))  # 5 % of the bins


def test_random_spectra_differ():
    below = [_below(spectrum.noise(_random(seed), SAMPLES), 1000) for seed in range(20)]
    assert min(below) < 0.3 and max(below) > 0.7

import numpy as np
import pytest

from keras_hypertinypw.datasets import features


def spikes(beats, num_samples, fs, height=1.0):
    """A lead of narrow bumps at the beats."""
    seconds = np.arange(num_samples) / fs
    lead = np.zeros(num_samples)
    for beat in beats:
        lead += height * np.exp(-0.5 * ((seconds - beat / fs) / 0.015) ** 2)
    return lead


BEATS = np.arange(10) * 300 + 400
LEAD = spikes(BEATS, 4000, 360)


def test_regular_beats_have_zero_rr_features():
    np.testing.assert_allclose(
        features.rr_features(np.arange(30) * 0.8), 0, atol=1e-12
    )


def test_a_premature_beat_is_early_and_followed_by_a_pause():
    times = np.array([0, 10, 20, 30, 36, 50, 60])
    previous, following = features.rr_features(times)[4]
    local = (10 + 10 + 10 + 6) / 4
    assert previous == pytest.approx(np.log(6 / local))
    assert following == pytest.approx(np.log(14 / local))


def test_local_interval_forgets_after_ten_beats():
    times = np.cumsum([0] + [50] + [10] * 10)
    previous = features.rr_features(times)[:, 0]
    assert previous[-2] < -0.3  # 9 short intervals and the long one.
    assert previous[-1] == 0


def test_missing_intervals_at_the_ends_count_as_ordinary():
    ends = features.rr_features(np.array([0.0, 1.0, 3.0]))
    assert ends[0].tolist() == [0, 0]
    assert ends[-1, 1] == 0
    assert features.rr_features(np.array([5.0])).tolist() == [[0, 0]]


def test_rr_features_do_not_depend_on_the_time_unit():
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 40))
    np.testing.assert_allclose(
        features.rr_features(times), features.rr_features(360 * times)
    )


def test_beats_out_of_order_are_refused():
    with pytest.raises(ValueError, match="2.0 followed by 2.0"):
        features.rr_features(np.array([1, 2, 2, 3]))


def test_band_limit_removes_wander_and_mains_but_keeps_the_beats():
    seconds = np.arange(4000) / 360
    wander = 2.0 + np.sin(2 * np.pi * 0.1 * seconds)
    mains = 0.5 * np.sin(2 * np.pi * 60 * seconds)
    inner = slice(720, -720)
    clean = features.band_limit(LEAD, 360)
    dirty = features.band_limit(LEAD + wander + mains, 360)
    assert np.abs(dirty - clean)[inner].max() < 0.15
    assert clean.max() > 0.75


def test_resampling_keeps_events_at_their_time():
    resampled = features.resample(LEAD, 360, 128)
    assert len(resampled) == -(-4000 * 128 // 360)
    peak = resampled[150:250].argmax() + 150  # Second beat: 700 / 360 s.
    assert abs(peak / 128 - 700 / 360) <= 0.5 / 128


def test_windows_are_centred_on_the_beat():
    x = features.beat_windows(LEAD, BEATS, 360)
    assert x.shape == (10, features.WINDOW_SAMPLES, features.NUM_CHANNELS)
    assert x.dtype == np.float32
    peaks = x[:, 100:156, 0].argmax(axis=1) + 100
    assert np.abs(peaks - features.WINDOW_SAMPLES // 2).max() <= 1


def test_windows_do_not_depend_on_the_gain_of_the_amplifier():
    np.testing.assert_allclose(
        features.beat_windows(0.1 * LEAD, BEATS, 360),
        features.beat_windows(7 * LEAD, BEATS, 360),
        atol=1e-5,
    )


def test_the_median_beat_has_the_nominal_amplitude_despite_artefacts():
    lead = LEAD + spikes(BEATS[:3], len(LEAD), 360, height=30)
    x = features.beat_windows(lead, BEATS, 360)
    assert np.abs(x[5, 120:137, 0]).max() == pytest.approx(
        features.R_AMPLITUDE, rel=0.05
    )
    assert np.abs(x).max() == features.CLIP


def test_beyond_the_record_the_ecg_is_zero():
    x = features.beat_windows(LEAD, BEATS - 390, 360)
    assert not x[0, :120, 0].any()
    assert x[0, 130:, 0].any()


def test_rr_channels_are_constant_planes():
    beats = BEATS.copy()
    beats[5] -= 120
    x = features.beat_windows(LEAD, beats, 360)
    assert np.ptp(x[:, :, 1:], axis=1).max() == 0
    assert x[5, 0, 1] < -1 < 0 < x[5, 0, 2]


def test_unusable_leads_are_refused():
    with pytest.raises(ValueError, match="flat lead"):
        features.beat_windows(np.zeros(4000), BEATS, 360)
    with pytest.raises(ValueError, match="1 that are not finite"):
        features.beat_windows(np.append(LEAD, np.nan), BEATS, 360)
    with pytest.raises(ValueError, match="at least one beat"):
        features.beat_windows(LEAD, BEATS[:0], 360)
    with pytest.raises(ValueError, match="fs=80"):
        features.band_limit(LEAD, 80)

import numpy as np
import pytest
import real_data
from apnea_records import BEATS, write_record

from keras_hypertinypw.datasets import apnea_ecg, apnea_rr, splits

STARTS = np.arange(5) * 60.0


def test_a_window_is_five_minutes_around_the_one_that_is_marked():
    x = apnea_rr.rr_windows(np.arange(0, 300, 0.8), STARTS)
    assert x.shape == (5, 600, 2)
    marked = np.flatnonzero(x[0, :, 1])
    np.testing.assert_array_equal(marked, np.arange(240, 360))
    assert (x[:, :, 1] == x[0, :, 1]).all()


def test_a_steady_heart_is_zero():
    x = apnea_rr.rr_windows(np.arange(0, 300, 0.8), STARTS)
    np.testing.assert_allclose(x[..., 0], 0, atol=1e-5)


def test_a_change_shows_where_it_is():
    # From 0.8 s to 0.9 s at 150 s, the middle of the third minute.
    beats = np.concatenate([np.arange(0, 150, 0.8), np.arange(150, 300, 0.9)])
    x = apnea_rr.rr_windows(beats, STARTS)[..., 0]
    step = apnea_rr.RR_GAIN * np.log(0.9 / 0.8)
    middle = x[2]
    assert np.median(middle[305:]) - np.median(middle[:295]) == pytest.approx(
        step, abs=0.01
    )
    # A minute later the change is a minute earlier in the window.
    np.testing.assert_allclose(
        x[3, 190:440] - x[2, 310:560], x[3, 200] - x[2, 320], atol=1e-5
    )


def test_a_missed_and_a_false_beat_are_left_out():
    steady = np.arange(0, 300, 0.8)
    disturbed = np.sort(np.append(np.delete(steady, 200), steady[100] + 0.3))
    x = apnea_rr.rr_windows(disturbed, STARTS)
    np.testing.assert_allclose(x[..., 0], 0, atol=1e-5)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.8, True), (0.59, False), (1.1, False)]
)
def test_an_interval_far_from_its_neighbours_is_not_plausible(value, expected):
    intervals = np.full(31, 0.8)
    intervals[15] = value
    kept = apnea_rr.plausible(intervals)
    assert kept[15] == expected
    assert kept.sum() == 30 + expected


@pytest.mark.parametrize("value", [0.29, 2.1])
def test_an_interval_of_no_sleeper_is_not_plausible(value):
    assert not apnea_rr.plausible(np.full(31, value)).any()


def test_no_plausible_interval_names_the_record(tmp_path):
    folder = write_record(tmp_path, beats=np.arange(0, 30000, 300))
    with pytest.raises(ValueError, match="'a01'.*Received: none of 99"):
        apnea_rr.load_record("a01", folder)


def test_artifacts_are_no_beats(tmp_path):
    symbols = ["N"] * len(BEATS)
    artifacts = BEATS[10:300:20]
    symbols = ["|" if beat in artifacts else "N" for beat in BEATS]
    folder = write_record(tmp_path, symbols=symbols)
    beats = apnea_ecg.read_beats("a01", folder)
    assert len(beats) == len(BEATS) - len(artifacts)


def test_waveforms_and_headers_are_not_needed(tmp_path):
    write_record(tmp_path, "a10")
    (tmp_path / "a10.dat").unlink()
    (tmp_path / "a10.hea").unlink()
    part = apnea_rr.load_record("a10", tmp_path)
    assert part.y.tolist() == [0, 0, 1, 0, 1]
    assert set(part.groups) == {"a05"}


def test_loading_lists_what_is_missing(tmp_path):
    write_record(tmp_path, "a03")
    with pytest.raises(FileNotFoundError, match=r"a06\.apn.* and 9 more"):
        apnea_rr.load("validation", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["apnea_ecg", "apnea_ecg_annotations"])
def test_the_folder_may_hold_the_whole_database_or_a_part(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("HYPERTINYPW_DATA", str(tmp_path))
    for record_name in apnea_ecg.VALIDATION:
        write_record(tmp_path / name, record_name)
    assert len(apnea_rr.load("validation")) == 7 * 5


def test_without_files_one_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERTINYPW_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="--download.*--data_dir") as e:
        apnea_rr.load("validation")
    assert f"in {tmp_path}/apnea_ecg. Missing" in str(e.value)
    assert "annotations" not in str(e.value)


@pytest.fixture(scope="module", params=list(splits.SPLITS))
def real(request):
    folder = real_data.require("apnea_ecg_annotations")
    return request.param, apnea_rr.load(request.param, data_dir=folder)


def test_every_labelled_minute_is_loaded(real):
    split, loaded = real
    expected = {
        "train": {"normal": 8316, "apnea": 5286},
        "validation": {"normal": 2215, "apnea": 1228},
        "test": {"normal": 10718, "apnea": 6550},
    }
    assert loaded.class_counts() == expected[split]
    assert (
        len(set(loaded.groups))
        == {"train": 26, "validation": 7, "test": 33}[split]
    )


def test_real_apnea_makes_the_heart_vary_more(real):
    _, loaded = real
    spread = loaded.x[..., 0].std(axis=1)
    normal, apnea = (np.median(spread[loaded.y == label]) for label in (0, 1))
    assert apnea > 1.2 * normal


def test_real_series_are_rarely_clipped(real):
    _, loaded = real
    assert (np.abs(loaded.x[..., 0]) >= apnea_rr.CLIP).mean() < 0.01

import hashlib

import numpy as np
import pytest
import real_data
from apnea_records import BEATS, write_record

from keras_hypertinypw.datasets import apnea_ecg, features, splits


def test_a_record_becomes_one_window_per_minute(tmp_path):
    part = apnea_ecg.load_record("a01", write_record(tmp_path))
    assert part.x.shape == (5, 6000, 1)
    assert part.y.tolist() == [0, 0, 1, 0, 1]
    assert (part.classes, part.fs) == (("normal", "apnea"), 100.0)
    assert set(part.groups) == {"a01"}


def test_minutes_follow_each_other_without_a_gap(tmp_path):
    x = apnea_ecg.load_record("a01", write_record(tmp_path)).x.reshape(-1)
    peaks = BEATS[1:-1]
    around = x[peaks[:, None] + np.arange(-20, 21)]
    assert np.abs(around.argmax(axis=1) - 20).max() <= 1


def test_the_median_peak_has_the_height_that_beats_have(tmp_path):
    x = apnea_ecg.load_record("a01", write_record(tmp_path)).x.reshape(-1)
    peaks = x[BEATS[1:-1]]
    assert np.median(peaks) == pytest.approx(features.R_AMPLITUDE, rel=0.02)


def test_what_a_last_minute_lacks_is_zero(tmp_path):
    folder = write_record(tmp_path, num_samples=5 * 6000 - 4500)
    last = apnea_ecg.load_record("a01", folder).x[-1]
    assert not last[1500:].any()
    assert last[:1500].any()


def test_a_label_behind_the_end_is_refused(tmp_path):
    folder = write_record(tmp_path, labels="NNNNNA")
    with pytest.raises(ValueError, match="'a01'.*within its 300 s.*at 300 s"):
        apnea_ecg.load_record("a01", folder)


@pytest.mark.parametrize("labels", ["NNVN", "|N"])
def test_another_label_is_refused(labels, tmp_path):
    folder = write_record(tmp_path, labels=labels)
    with pytest.raises(ValueError, match=r"'a01'.*Received: labels \['"):
        apnea_ecg.load_record("a01", folder)


def test_another_sampling_frequency_is_refused(tmp_path):
    folder = write_record(tmp_path, fs=128)
    with pytest.raises(ValueError, match="'a01'.*Received: a sampling freq"):
        apnea_ecg.load_record("a01", folder)


def test_beats_that_do_not_increase_are_refused(tmp_path):
    folder = write_record(tmp_path, beats=np.array([50, 50, 140]))
    with pytest.raises(ValueError, match="'a01'.*out of order"):
        apnea_ecg.load_record("a01", folder)


@pytest.mark.parametrize("extension", ["hea", "dat", "apn", "qrs"])
def test_a_missing_file_is_named(extension, tmp_path):
    write_record(tmp_path)
    (tmp_path / f"a01.{extension}").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        apnea_ecg.load_record("a01", tmp_path)
    for part in (f"a01.{extension}", str(tmp_path), "download=True"):
        assert part in str(caught.value)


@pytest.mark.parametrize("extension", ["hea", "dat", "apn"])
def test_a_truncated_file_names_its_record(extension, tmp_path):
    write_record(tmp_path)
    path = tmp_path / f"a01.{extension}"
    path.write_bytes(path.read_bytes()[:3])
    with pytest.raises(ValueError, match="'a01'.*download=True"):
        apnea_ecg.load_record("a01", tmp_path)


def test_a_split_is_downloaded_once_and_checked(tmp_path, monkeypatch):
    server, folder = tmp_path / "server", tmp_path / "data"
    for name in apnea_ecg.VALIDATION:
        write_record(server, name)
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}"
        for path in sorted(server.iterdir())
    ]
    (server / "SHA256SUMS.txt").write_text("\n".join(sums))
    monkeypatch.setattr(apnea_ecg, "URL", server.as_uri())
    options = {"data_dir": folder, "download": True}
    loaded = apnea_ecg.load("validation", **options)
    assert len(loaded) == 7 * 5
    assert set(loaded.groups) == set(apnea_ecg.VALIDATION)
    monkeypatch.setattr(apnea_ecg, "URL", "file:///nowhere")
    assert len(apnea_ecg.load("validation", **options)) == 7 * 5


def test_splits_keep_what_is_known_of_subjects_apart():
    names = [apnea_ecg.records(split) for split in splits.SPLITS]
    assert [len(part) for part in names] == [28, 7, 35]
    subjects = [{apnea_ecg.subject(n) for n in part} for part in names]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 70 - 4


def test_validation_has_a_fifth_of_each_kind():
    kinds = "".join(name[0] for name in apnea_ecg.VALIDATION)
    assert [kinds.count(kind) for kind in "abc"] == [4, 1, 2]


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'train', 'validation' or 'test'"):
        apnea_ecg.load("x", data_dir=tmp_path)


def test_real_nights_that_are_the_same_share_their_beats():
    folder = real_data.require("apnea_ecg_annotations")
    pairs = [("c06", "c05"), ("x34", "x33"), ("x35", "x22")]
    for one, other in pairs:
        assert apnea_ecg.subject(one) == other
        intervals = [
            np.diff(apnea_ecg.read_beats(name, folder)) for name in (one, other)
        ]
        runs = [
            {
                run.tobytes()
                for run in np.lib.stride_tricks.sliding_window_view(
                    (i * 100 + 0.5).astype(int), 12
                )
            }
            for i in intervals
        ]
        assert len(runs[0] & runs[1]) > 0.9 * len(runs[0])

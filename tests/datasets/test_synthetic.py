import dataclasses

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import f1_score

from keras_hypertinypw.datasets import features, splits, synthetic


@pytest.fixture(scope="module")
def loaded():
    return {split: synthetic.load(split) for split in splits.SPLITS}


def test_shapes_are_those_of_the_real_data(loaded):
    for split, part in loaded.items():
        num_beats = 300 * synthetic.NUM_PATIENTS[split]
        assert part.x.shape == (num_beats, 256, 3)
        assert part.classes == features.CLASSES
        assert min(part.class_counts().values()) > 50
        assert np.abs(part.x).max() <= features.CLIP


def test_patients_of_splits_are_disjoint(loaded):
    patients = [set(part.groups) for part in loaded.values()]
    assert [len(p) for p in patients] == [16, 4, 8]
    assert len(set.union(*patients)) == 28


def test_equal_seeds_give_equal_windows_and_others_do_not(loaded):
    again = synthetic.load("validation")
    np.testing.assert_array_equal(again.x, loaded["validation"].x)
    other = synthetic.load("validation", seed=1)
    assert not np.array_equal(other.x, again.x)


def test_callers_may_treat_all_data_sets_alike(loaded, tmp_path):
    part = synthetic.load("validation", data_dir=tmp_path, download=True)
    np.testing.assert_array_equal(part.x, loaded["validation"].x)


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split='dev'"):
        synthetic.load("dev")


def test_no_beats_are_refused():
    with pytest.raises(ValueError, match="num_beats=0"):
        synthetic.load("test", beats_per_patient=0)


def median_timing(part, name):
    chosen = part.y == part.classes.index(name)
    return np.median(part.x[chosen, 0, 1:], axis=0)


def test_timing_of_the_classes_is_physiological(loaded):
    previous, following = zip(
        *(median_timing(loaded["train"], name) for name in "NSVF"),
        strict=True,
    )
    assert previous[1] < -0.5 and previous[2] < -0.5  # S, V: premature.
    assert abs(previous[0]) < 0.15
    assert previous[2] < previous[3] < previous[0]  # F: slightly early.
    assert following[2] > following[1] + 0.3  # Only V has the full pause.


def test_ventricular_beats_are_wide_and_fusion_lies_between(loaded):
    part = loaded["train"]

    def width(name):
        ecg = np.abs(part.x[part.y == part.classes.index(name), 100:156, 0])
        half = ecg.max(axis=1, keepdims=True) / 2
        return (ecg > half).sum(axis=1).mean() / part.fs

    assert width("V") > 1.5 * width("N")
    assert width("N") < width("F") < width("V")


def test_annotations_mark_the_beats_in_the_signal():
    rng = np.random.default_rng(3)
    patient = synthetic.draw_patient(rng)
    ecg, beats, labels = synthetic.generate_record(patient, 60, rng)
    assert (np.diff(beats) > 0).all() and beats[-1] < len(ecg)
    lead = features.band_limit(ecg, synthetic.FS)
    window = lead[beats[labels == 0][:, None] + np.arange(-40, 41)]
    assert np.abs(np.abs(window).argmax(axis=1) - 40).mean() < 4


def test_compensatory_pause_restores_the_rhythm():
    rng = np.random.default_rng(0)
    patient = dataclasses.replace(synthetic.draw_patient(rng), variability=0.0)
    times = synthetic.draw_times(patient, np.array([0, 0, 2, 0, 0]), rng)
    expected = patient.interval * np.array([0, 1, 3, 4])
    np.testing.assert_allclose(np.delete(times, 2), expected)
    assert times[2] < 1.9 * patient.interval


def test_the_task_is_neither_trivial_nor_impossible(loaded):
    def flat(part):
        return part.x[:, ::4].reshape(len(part), -1)

    train, test = loaded["train"], loaded["test"]
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    y_pred = model.fit(flat(train), train.y).predict(flat(test))
    macro_f1 = f1_score(test.y, y_pred, average="macro")
    assert 0.4 < macro_f1 < 0.9

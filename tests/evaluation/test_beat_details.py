import numpy as np
import pytest

from keras_hypertinypw.evaluation import beats
from keras_hypertinypw.evaluation.beat_details import METRICS, describe_beats


def draw(size=4000, num_patients=8):
    rng = np.random.default_rng(0)
    y_true = rng.integers(4, size=size)
    wrong = rng.random(size) < 0.3
    y_pred = np.where(wrong, rng.integers(4, size=size), y_true)
    logits = 4 * np.eye(4)[y_pred] + rng.normal(size=(size, 4))
    return y_true, logits, rng.integers(num_patients, size=size)


def describe(y_true, logits, groups):
    scores = beats.score_beats(y_true, logits, groups, threshold=0.3)
    return scores, describe_beats(y_true, logits, groups, scores)


@pytest.fixture(scope="module")
def described():
    return describe(*draw())


def test_every_beat_is_in_the_histogram_once(described):
    _, details = described
    y_true, _, _ = draw()
    assert sum(details.v_log_odds["v"]) == np.count_nonzero(y_true == 2)
    assert sum(details.v_log_odds["rest"]) == np.count_nonzero(y_true != 2)


def test_certain_beats_are_in_the_outermost_bins():
    y_true = np.arange(40) % 4
    logits = 1000 * np.eye(4)[y_true]
    _, details = describe(y_true, logits, y_true // 2)
    assert details.v_log_odds["v"][-1] == 10
    assert details.v_log_odds["rest"][0] == 30


@pytest.mark.parametrize("name", METRICS)
def test_the_ends_settle_on_the_interval_of_the_scores(name, described):
    scores, details = described
    settling = details.settling[name]
    assert settling["n_resamples"][-1] == scores.n_resamples
    reported, *others = settling["draws"]
    for end in ("low", "high"):
        assert reported[end][-1] == scores.metrics[name][end]
        assert len(reported[end]) == len(settling["n_resamples"])
        assert all(other[end] != reported[end] for other in others)


@pytest.mark.parametrize("name", METRICS)
def test_resamples_are_counted_between_their_extremes(name, described):
    scores, details = described
    histogram = details.resamples[name]
    assert sum(histogram["counts"]) == scores.n_resamples
    low, high = histogram["edges"][0], histogram["edges"][-1]
    assert low <= scores.metrics[name]["low"]
    assert high >= scores.metrics[name]["high"]


def test_few_resamples_are_enough_to_describe():
    y_true, logits, groups = draw()
    scores = beats.score_beats(
        y_true, logits, groups, threshold=0.3, n_resamples=3
    )
    details = describe_beats(y_true, logits, groups, scores)
    assert details.settling[METRICS[0]]["n_resamples"] == [3]


def test_patients_share_the_beats(described):
    _, details = described
    y_true, _, groups = draw()
    assert [p["patient"] for p in details.patients] == [*"01234567"]
    for row in details.patients:
        mine = groups == int(row["patient"])
        assert row["num_beats"] == np.count_nonzero(mine)
        assert row["num_v"] == np.count_nonzero(y_true[mine] == 2)


def test_a_patient_is_scored_over_the_classes_that_are_there():
    # Patient 0 has N alone, all of them recognized; patient 1 has all classes.
    y_true = np.array([0] * 10 + [0, 1, 2, 3] * 5)
    groups = np.array([0] * 10 + [1] * 20)
    logits = 8.0 * np.eye(4)[np.where(groups == 0, y_true, 2)]
    _, details = describe(y_true, logits, groups)
    first, second = details.patients
    assert first["macro_f1_4_classes"] == first["v_balanced_accuracy"] == 1
    # Everything is called V: F1 of V is 10 / 25, that of the others 0.
    assert second["macro_f1_4_classes"] == pytest.approx(0.1)
    assert second["v_balanced_accuracy"] == pytest.approx(0.5)

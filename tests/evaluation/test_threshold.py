import time

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from keras_hypertinypw import evaluation


def brute_force(y_true, y_score, metric):
    """Best value over one threshold per distinct score but the lowest."""
    return max(
        metric(y_true, (y_score >= score).astype(int))
        for score in np.unique(y_score)[1:]
    )


@st.composite
def scored(draw):
    size = draw(st.integers(2, 30))
    few_values = st.integers(-3, 3).map(float)
    scores = st.one_of(few_values, st.floats(-1e300, 1e300, width=64))
    y_score = draw(st.lists(scores, min_size=size, max_size=size))
    y_true = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    hypothesis.assume(0 < sum(y_true) < size and len(set(y_score)) > 1)
    return np.array(y_true), np.array(y_score)


@hypothesis.given(
    scored(),
    st.sampled_from([evaluation.balanced_accuracy, evaluation.binary_f1]),
)
def test_no_threshold_is_better(data, metric):
    y_true, y_score = data
    threshold = evaluation.tune_threshold(y_true, y_score, metric=metric)
    reached = metric(y_true, (y_score >= threshold).astype(int))
    assert reached == brute_force(y_true, y_score, metric)


@hypothesis.given(scored())
def test_any_function_gives_the_same_threshold(data):
    metric = evaluation.balanced_accuracy
    fast = evaluation.tune_threshold(*data, metric=metric)
    slow = evaluation.tune_threshold(*data, metric=lambda t, p: metric(t, p))
    assert fast == slow


def test_threshold_is_the_midpoint():
    threshold = evaluation.tune_threshold(
        np.array([0, 0, 1, 1]),
        np.array([0.125, 0.25, 0.75, 0.875]),
        metric=evaluation.balanced_accuracy,
    )
    assert threshold == 0.5


def test_among_equal_thresholds_the_lowest_wins():
    threshold = evaluation.tune_threshold(
        np.array([0, 1, 0, 1]),
        np.array([0.0, 1.0, 2.0, 3.0]),
        metric=evaluation.balanced_accuracy,
    )
    assert threshold == 0.5  # 2.5 is as good.


def test_order_of_the_windows_does_not_matter():
    rng = np.random.default_rng(0)
    y_true, y_score = rng.integers(0, 2, 500), rng.integers(-128, 128, 500)
    order = rng.permutation(500)
    metric = evaluation.binary_f1
    assert evaluation.tune_threshold(
        y_true, y_score, metric=metric
    ) == evaluation.tune_threshold(y_true[order], y_score[order], metric=metric)


def test_adjacent_float32_scores_are_told_apart():
    for low in (np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(1))):
        y_score = np.array([low, np.nextafter(low, np.float32(1))])
        threshold = evaluation.tune_threshold(
            np.array([0, 1]), y_score, metric=evaluation.balanced_accuracy
        )
        assert (y_score >= threshold).tolist() == [False, True]


def test_int8_scores_and_a_column_are_accepted():
    threshold = evaluation.tune_threshold(
        np.array([0, 0, 1]),
        np.array([[-128], [126], [127]], np.int8),
        metric=evaluation.balanced_accuracy,
    )
    assert threshold == 126.5


def test_equal_scores_leave_everything_positive():
    threshold = evaluation.tune_threshold(
        np.array([0, 1]), np.array([0.3, 0.3]), metric=evaluation.binary_f1
    )
    assert threshold == 0.3


def test_fifty_thousand_scores_take_no_time():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, 50_000)
    y_score = rng.normal(y_true, 1.0)
    start = time.process_time()
    threshold = evaluation.tune_threshold(
        y_true, y_score, metric=evaluation.balanced_accuracy
    )
    assert time.process_time() - start < 2
    assert 0.3 < threshold < 0.7


@pytest.mark.parametrize(
    ("y_true", "y_score", "message"),
    [
        ([0, 1], [0.1, np.nan], "1 of 2 NaN"),
        ([0, 1], [0.1, np.inf], "diverged"),
        ([1, 1], [0.1, 0.2], "both classes.*2 of 2"),
        ([0, 0], [0.1, 0.2], "both classes.*0 of 2"),
        ([0, 1], [0.1, 0.2, 0.3], r"\(3,\)"),
        ([0, 1], [[0.1, 0.2], [0.3, 0.4]], "one column"),
        ([0, 2], [0.1, 0.2], "`y_true`.*from 0 to 2"),
    ],
)
def test_unusable_scores_are_refused(y_true, y_score, message):
    with pytest.raises(ValueError, match=message):
        evaluation.tune_threshold(
            np.array(y_true),
            np.array(y_score),
            metric=evaluation.balanced_accuracy,
        )


def test_a_metric_of_more_classes_is_refused():
    with pytest.raises(ValueError, match="over 4 classes"):
        evaluation.tune_threshold(
            np.array([0, 1]),
            np.array([0.1, 0.2]),
            metric=evaluation.macro_f1.over(4),
        )

import time

import numpy as np
import pytest

from keras_hypertinypw import evaluation
from keras_hypertinypw.evaluation import ConfidenceInterval

MACRO_F1 = evaluation.macro_f1.over(4)


def as_function(metric):
    """Hides that a metric can be computed from counts."""
    return lambda y_true, y_score: metric(y_true, y_score)


def make_data(num_windows=2000, num_groups=22, accuracy=0.8, seed=0):
    rng = np.random.default_rng(seed)
    y_true = rng.choice(4, num_windows, p=[0.85, 0.06, 0.07, 0.02])
    wrong = rng.random(num_windows) > accuracy
    y_pred = np.where(wrong, rng.integers(0, 4, num_windows), y_true)
    # Groups of very different size, as patients are.
    shares = rng.dirichlet(np.ones(num_groups))
    groups = rng.choice(num_groups, num_windows, p=shares).astype(str)
    return y_true, y_pred, groups


def reference(metric, y_true, y_score, groups, rng, n_resamples, level):
    """The definition, word for word from the style guide's R13."""
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    values = np.empty(n_resamples)
    for i in range(n_resamples):
        drawn = rng.integers(len(members), size=len(members))
        index = np.concatenate([members[d] for d in drawn])
        values[i] = metric(y_true[index], y_score[index])
    tail = (1 - level) / 2
    return ConfidenceInterval(*np.quantile(values, [tail, 1 - tail]))


@pytest.mark.parametrize(
    "metric",
    [
        MACRO_F1,
        evaluation.macro_f1.merged((0, 1, 2, 2)),
        evaluation.binary_f1.merged((0, 0, 1, 0)),
        evaluation.accuracy.over(4),
    ],
)
def test_both_ways_equal_the_definition_exactly(metric):
    y_true, y_pred, groups = make_data()
    expected = reference(
        metric, y_true, y_pred, groups, np.random.default_rng(7), 300, 0.9
    )
    for way in (metric, as_function(metric)):
        interval = evaluation.bootstrap_ci(
            way,
            y_true,
            y_pred,
            groups=groups,
            rng=np.random.default_rng(7),
            n_resamples=300,
            confidence_level=0.9,
        )
        assert interval == expected
    assert expected.low < expected.high


def test_the_interval_lies_between_quantiles_of_the_values():
    y_true, y_pred, groups = make_data()
    options = {"groups": groups, "n_resamples": 200}
    values = evaluation.bootstrap_values(
        MACRO_F1, y_true, y_pred, rng=np.random.default_rng(5), **options
    )
    assert values.shape == (200,)
    assert evaluation.percentile_interval(values) == evaluation.bootstrap_ci(
        MACRO_F1, y_true, y_pred, rng=np.random.default_rng(5), **options
    )


def test_the_first_values_are_those_of_fewer_resamples():
    y_true, y_pred, groups = make_data()
    few, many = (
        evaluation.bootstrap_values(
            MACRO_F1,
            y_true,
            y_pred,
            groups=groups,
            rng=np.random.default_rng(5),
            n_resamples=count,
        )
        for count in (30, 70)
    )
    np.testing.assert_array_equal(few, many[:30])


def test_difference_is_paired():
    y_true, y_pred, groups = make_data()
    interval = evaluation.bootstrap_difference(
        MACRO_F1,
        y_true,
        y_pred,
        y_pred.copy(),
        groups=groups,
        rng=np.random.default_rng(0),
        n_resamples=100,
    )
    assert interval == ConfidenceInterval(0.0, 0.0)


def test_difference_is_the_same_both_ways_and_changes_sign():
    y_true, good, groups = make_data(accuracy=0.9)
    bad = make_data(accuracy=0.5)[1]

    def difference(metric, a, b):
        return evaluation.bootstrap_difference(
            metric,
            y_true,
            a,
            b,
            groups=groups,
            rng=np.random.default_rng(1),
            n_resamples=200,
        )

    forward = difference(MACRO_F1, good, bad)
    assert forward == difference(as_function(MACRO_F1), good, bad)
    assert 0 < forward.low < forward.high
    backward = difference(MACRO_F1, bad, good)
    assert backward.low == pytest.approx(-forward.high)
    assert backward.high == pytest.approx(-forward.low)


def runs_difference(y_true, runs_a, runs_b, groups):
    return evaluation.bootstrap_runs_difference(
        MACRO_F1,
        y_true,
        runs_a,
        runs_b,
        groups=groups,
        rng=np.random.default_rng(1),
        n_resamples=500,
    )


def test_of_one_run_each_it_is_the_paired_difference():
    y_true, good, groups = make_data(accuracy=0.9)
    bad = make_data(accuracy=0.5)[1]
    options = {"groups": groups, "n_resamples": 500}
    found = runs_difference(y_true, [good], [bad], groups)
    assert found == evaluation.bootstrap_difference(
        MACRO_F1, y_true, good, bad, rng=np.random.default_rng(1), **options
    )
    values = [
        evaluation.bootstrap_values(
            MACRO_F1, y_true, y_pred, rng=np.random.default_rng(1), **options
        )
        for y_pred in (good, bad)
    ]
    ends = np.quantile(values[0] - values[1], [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx(list(ends))


def test_runs_that_differ_widen_the_interval():
    y_true, good, groups = make_data(accuracy=0.9)
    bad, fair = (make_data(accuracy=share)[1] for share in (0.5, 0.7))
    alike = runs_difference(y_true, [good] * 3, [fair] * 3, groups)
    apart = runs_difference(y_true, [good, bad, good], [fair] * 3, groups)
    assert 0 < alike.low < alike.high
    assert apart.low < 0 < apart.high <= alike.high
    assert apart.high - apart.low > 2 * (alike.high - alike.low)


def test_pairing_is_narrower_than_two_separate_intervals():
    y_true, y_pred, groups = make_data(accuracy=0.7)
    slightly_better = np.where(np.arange(len(y_true)) % 20, y_pred, y_true)
    options = {"groups": groups, "n_resamples": 400}
    paired = evaluation.bootstrap_difference(
        MACRO_F1,
        y_true,
        slightly_better,
        y_pred,
        rng=np.random.default_rng(0),
        **options,
    )
    single = evaluation.bootstrap_ci(
        MACRO_F1, y_true, y_pred, rng=np.random.default_rng(0), **options
    )
    assert paired.high - paired.low < single.high - single.low


def test_whole_groups_are_resampled_not_windows():
    # Every patient is all right or all wrong: windows would give a narrow
    # interval around one half, patients a wide one.
    groups = np.repeat(np.arange(10), 200)
    y_true = np.ones(2000, int)
    y_pred = groups % 2
    interval = evaluation.bootstrap_ci(
        evaluation.accuracy,
        y_true,
        y_pred,
        groups=groups,
        rng=np.random.default_rng(0),
    )
    assert interval.low <= 0.25 and interval.high >= 0.75


def test_scores_may_have_several_columns():
    y_true, _, groups = make_data(num_windows=200)
    y_score = np.random.default_rng(0).random((200, 4))
    interval = evaluation.bootstrap_ci(
        lambda t, s: MACRO_F1(t, s.argmax(axis=1)),
        y_true,
        y_score,
        groups=groups,
        rng=np.random.default_rng(3),
        n_resamples=50,
    )
    assert interval == evaluation.bootstrap_ci(
        MACRO_F1,
        y_true,
        y_score.argmax(axis=1),
        groups=groups,
        rng=np.random.default_rng(3),
        n_resamples=50,
    )


def test_all_of_ds2_takes_seconds():
    y_true, y_pred, groups = make_data(num_windows=49_705)
    start = time.process_time()
    evaluation.bootstrap_ci(
        MACRO_F1, y_true, y_pred, groups=groups, rng=np.random.default_rng(0)
    )
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": np.zeros(200, int)}, "at least two groups"),
        ({"groups": np.zeros(3, int)}, "3 groups"),
        ({"n_resamples": 0}, "n_resamples=0"),
        ({"confidence_level": 95}, "confidence_level=95"),
        ({"metric": lambda t, s: np.nan}, "2000 values that are not"),
    ],
)
def test_invalid_arguments_are_refused(changes, message):
    y_true, y_pred, groups = make_data(num_windows=200)
    arguments = {
        "metric": MACRO_F1,
        "y_true": y_true,
        "y_score": y_pred,
        "groups": groups,
        "rng": np.random.default_rng(0),
    }
    with pytest.raises(ValueError, match=message):
        evaluation.bootstrap_ci(**{**arguments, **changes})

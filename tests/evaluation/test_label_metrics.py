import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from keras_hypertinypw.evaluation.bootstrap import bootstrap_values
from keras_hypertinypw.evaluation.label_metrics import (
    area_under_curve,
    label_f1,
    label_macro_auc,
    label_macro_f1,
)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    y_true = (rng.random((500, 5)) < [0.5, 0.2, 0.2, 0.1, 0.05]).astype(int)
    # Rounded, as int8 logits are: many are equal.
    scores = np.floor(4 * (y_true + rng.normal(size=(500, 5)))) / 4
    return y_true, scores


def test_macro_auc_is_that_of_sklearn(drawn):
    expected = sklearn_metrics.roc_auc_score(*drawn, average="macro")
    assert label_macro_auc(*drawn) == pytest.approx(expected, abs=1e-12)


def test_macro_f1_is_that_of_sklearn(drawn):
    y_true, scores = drawn
    y_pred = (scores >= 0.5).astype(int)
    expected = sklearn_metrics.f1_score(y_true, y_pred, average=None)
    counts = label_macro_f1.counts(y_true, y_pred)
    np.testing.assert_allclose(label_f1(counts), expected)
    assert label_macro_f1(y_true, y_pred) == pytest.approx(expected.mean())


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_is_chance(label):
    assert area_under_curve(np.full(4, label), np.arange(4.0)) == 0.5


def test_the_bootstrap_sums_counts_of_labels(drawn):
    y_true, scores = drawn
    y_pred = (scores >= 0.5).astype(int)
    options = {"groups": np.arange(500) % 20, "n_resamples": 25}
    fast, slow = (
        bootstrap_values(
            metric, y_true, y_pred, rng=np.random.default_rng(1), **options
        )
        for metric in (label_macro_f1, lambda a, b: label_macro_f1(a, b))
    )
    np.testing.assert_allclose(fast, slow)


@pytest.mark.parametrize(
    ("true", "pred"), [((9,), (9,)), ((9, 2), (9, 3)), ((9, 2), (8, 2))]
)
def test_shapes_that_do_not_fit_are_refused(true, pred):
    with pytest.raises(ValueError, match="num_windows, num_labels"):
        label_macro_f1(np.zeros(true, int), np.zeros(pred, int))

import numpy as np
import pytest
from class_draws import NAMES, draw, draw_labels, score

from keras_hypertinypw.evaluation import class_scores, metrics
from keras_hypertinypw.evaluation.bootstrap import bootstrap_ci


def test_many_classes_have_accuracy_and_macro_f1():
    y_true, logits, groups = draw(4)
    scores = score(y_true, logits, groups)
    y_pred = logits.argmax(axis=1)
    assert list(scores.metrics) == ["accuracy", "macro_f1"]
    assert scores.metrics["accuracy"]["value"] == np.mean(y_pred == y_true)
    assert scores.thresholds == {}
    assert np.sum(scores.confusion) == 2000


def test_two_classes_have_a_threshold_for_the_second():
    y_true = np.array([0, 0, 0, 1, 1, 1])
    logits = np.stack([np.zeros(6), [-5, -4, -3, -2, -1, 3]], axis=1)
    scores = score(y_true, logits, np.arange(6) // 2)
    for name in ("balanced_accuracy", "sensitivity", "specificity"):
        assert scores.metrics[name]["value"] == 1
    # The larger logit finds one of three.
    assert scores.metrics["accuracy"]["value"] == pytest.approx(4 / 6)
    assert scores.confusion == [[3, 0], [2, 1]]
    (threshold,) = scores.thresholds.values()
    low, high = (1 / (1 + np.exp(z)) for z in (3, 2))
    assert low < threshold <= high


def test_sensitivity_is_of_the_second_class():
    y_true = np.array([0, 0, 0, 0, 1, 1] * 2)
    logits = np.zeros((12, 2))
    logits[:, 1] = [-1, -1, -1, 1, 1, 1] * 2
    scores = class_scores.score_classes(
        y_true,
        logits,
        np.arange(12) // 6,
        classes=("normal", "apnea"),
        thresholds={"apnea": 0.5},
    )
    assert scores.metrics["sensitivity"]["value"] == 1
    assert scores.metrics["specificity"]["value"] == 0.75


def test_labels_have_a_threshold_each():
    y_true, logits, groups = draw_labels()
    scores = score(y_true, logits, groups)
    assert list(scores.metrics) == ["macro_auc", "macro_f1"]
    assert list(scores.thresholds) == list(NAMES[:3])
    assert np.shape(scores.confusion) == (3, 2, 2)
    np.testing.assert_array_equal(np.sum(scores.confusion, (1, 2)), 2000)
    # Tuned thresholds are better than a probability of one half.
    plain = class_scores.validation_macro_f1(y_true, logits, 3)
    assert scores.metrics["macro_f1"]["value"] > plain


@pytest.mark.parametrize("drawn", [draw(4), draw(2), draw_labels()])
def test_every_value_lies_in_an_interval_with_a_width(drawn):
    scores = score(*drawn)
    values = [*scores.metrics.values(), *scores.class_f1.values()]
    assert len(values) >= 5
    for value in values:
        assert value["low"] < value["value"] < value["high"]


def test_the_interval_of_a_class_is_that_of_its_f1():
    y_true, logits, groups = draw(4)
    scores = score(y_true, logits, groups, n_resamples=200)
    expected = bootstrap_ci(
        metrics.binary_f1.merged((0, 0, 1, 0)),
        y_true,
        logits.argmax(axis=1),
        groups=groups,
        rng=np.random.default_rng(0),
        n_resamples=200,
    )
    assert scores.class_f1["up"]["low"] == pytest.approx(expected.low)
    assert scores.class_f1["up"]["high"] == pytest.approx(expected.high)


def test_the_score_that_chooses_epochs_needs_no_threshold():
    y_true, logits, _ = draw(4)
    expected = metrics.macro_f1.over(4)(y_true, logits.argmax(axis=1))
    assert class_scores.validation_macro_f1(y_true, logits, 4) == expected


@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities_do_not_overflow(multi_label):
    logits = np.array([[1000.0, -1000.0], [0.0, 0.0]])
    found = class_scores.probabilities(logits, multi_label=multi_label)
    np.testing.assert_array_equal(found, [[1, 0], [0.5, 0.5]])


def test_logits_of_another_task_are_refused():
    with pytest.raises(ValueError, match=r"shape=\(5, 3\).*another data set"):
        class_scores.score_classes(
            np.zeros(5, int),
            np.zeros((5, 3)),
            np.arange(5),
            classes=NAMES,
            thresholds={},
        )


@pytest.mark.parametrize("y_true", [np.zeros(5, int), np.eye(5, 4, dtype=int)])
def test_logits_of_another_task_are_not_tuned(y_true):
    with pytest.raises(ValueError, match=r"shape=\(5, 3\).*another data set"):
        class_scores.tune_thresholds(y_true, np.zeros((5, 3)), NAMES)


def test_text_says_what_was_counted():
    text = str(score(*draw(2), window="minute", group="subject"))
    for part in ("macro f1", "F1 of no", "t* of no", "2,000 minutes of 8 sub"):
        assert part in text

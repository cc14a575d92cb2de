import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn import metrics as sk

from keras_hypertinypw import evaluation

NUM_CLASSES = 4
LABELS = list(range(NUM_CLASSES))


@st.composite
def label_pairs(draw, num_classes=NUM_CLASSES):
    size = draw(st.integers(1, 60))
    labels = hnp.arrays(
        np.int64, size, elements=st.integers(0, num_classes - 1)
    )
    return draw(labels), draw(labels)


@hypothesis.given(label_pairs())
def test_confusion_counts_equal_sklearn(pair):
    counts = evaluation.confusion_counts(*pair, num_classes=NUM_CLASSES)
    np.testing.assert_array_equal(
        counts, sk.confusion_matrix(*pair, labels=LABELS)
    )


# The same ratios, summed in another order.
ROUNDING = 1e-12


@hypothesis.given(label_pairs())
def test_multi_class_metrics_equal_sklearn(pair):
    options = {"labels": LABELS, "average": "macro", "zero_division": 0}
    for metric, expected in [
        (evaluation.macro_f1, sk.f1_score(*pair, **options)),
        (evaluation.balanced_accuracy, sk.recall_score(*pair, **options)),
        (evaluation.accuracy, sk.accuracy_score(*pair)),
    ]:
        value = metric.over(NUM_CLASSES)(*pair)
        assert value == pytest.approx(expected, abs=ROUNDING)


@hypothesis.given(label_pairs(num_classes=2))
def test_binary_metrics_equal_sklearn(pair):
    for metric, function, positive in [
        (evaluation.binary_f1, sk.f1_score, 1),
        (evaluation.sensitivity, sk.recall_score, 1),
        (evaluation.specificity, sk.recall_score, 0),
        (evaluation.positive_predictivity, sk.precision_score, 1),
    ]:
        expected = function(*pair, pos_label=positive, zero_division=0)
        assert metric(*pair) == pytest.approx(expected, abs=ROUNDING)


@hypothesis.given(label_pairs())
def test_class_metrics_equal_sklearn(pair):
    counts = evaluation.confusion_counts(*pair, num_classes=NUM_CLASSES)
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        *pair, labels=LABELS, zero_division=0
    )
    for function, expected in [
        (evaluation.class_positive_predictivity, precision),
        (evaluation.class_sensitivity, recall),
        (evaluation.class_f1, f1),
    ]:
        np.testing.assert_allclose(function(counts), expected, atol=ROUNDING)


@hypothesis.given(label_pairs())
def test_merging_counts_equals_merging_labels(pair):
    merge = np.array([0, 1, 2, 2])
    counts = evaluation.confusion_counts(*pair, num_classes=NUM_CLASSES)
    merged = [merge[labels] for labels in pair]
    np.testing.assert_array_equal(
        evaluation.merge_classes(counts, merge.tolist()),
        sk.confusion_matrix(*merged, labels=[0, 1, 2]),
    )
    assert evaluation.macro_f1.merged((0, 1, 2, 2))(*pair) == pytest.approx(
        sk.f1_score(
            *merged, labels=[0, 1, 2], average="macro", zero_division=0
        ),
        abs=ROUNDING,
    )


def test_one_class_versus_the_rest():
    y_true = np.array([0, 1, 2, 2, 2, 3])
    y_pred = np.array([0, 2, 2, 2, 0, 3])
    metric = evaluation.sensitivity.merged((0, 0, 1, 0))
    assert metric(y_true, y_pred) == 2 / 3


def test_stacked_counts_are_scored_one_by_one():
    counts = np.random.default_rng(0).integers(0, 9, (5, 7, 4, 4))
    stacked = evaluation.macro_f1.from_counts(counts)
    assert stacked.shape == (5, 7)
    for index in np.ndindex(5, 7):
        single = evaluation.macro_f1.from_counts(counts[index])
        assert stacked[index] == single


def test_a_class_that_never_occurs_counts_as_zero():
    y = np.array([0, 0, 1])
    assert evaluation.macro_f1.over(4)(y, y) == 0.5


def test_the_number_of_classes_must_be_fixed():
    y = np.array([0, 1])
    with pytest.raises(ValueError, match=r"macro_f1\.over\(num_classes\)"):
        evaluation.macro_f1(y, y)


@pytest.mark.parametrize(
    ("y_pred", "message"),
    [
        (np.array([0, 2]), "from 0 to 2"),
        (np.array([0, -1]), "from -1 to 0"),
        (np.array([0.0, 1.0]), "`y_pred` as integer classes.*float64"),
        (np.array([[0], [1]]), r"\(2, 1\)"),
        (np.array([0, 1, 1]), "2 and 3"),
    ],
)
def test_invalid_predictions_are_refused(y_pred, message):
    with pytest.raises(ValueError, match=message):
        evaluation.binary_f1(np.array([0, 1]), y_pred)


@pytest.mark.parametrize("merge", [(0, 1), (0, 1, 3, 3), ()])
def test_invalid_merges_are_refused(merge):
    with pytest.raises(ValueError, match="without gaps"):
        evaluation.merge_classes(np.eye(4, dtype=int), merge)

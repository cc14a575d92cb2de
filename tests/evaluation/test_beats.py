import numpy as np
import pytest

from keras_hypertinypw.evaluation import beats


def logits_of(y_pred, margin=4.0):
    return margin * np.eye(4)[y_pred]


def draw(rng, size=4000):
    y_true = rng.integers(4, size=size)
    noisy = np.where(rng.random(size) < 0.3, rng.integers(4, size=size), y_true)
    return y_true, logits_of(noisy), rng.integers(8, size=size)


def test_perfect_logits_score_one():
    y_true = np.arange(400) % 4
    scores = beats.score_beats(
        y_true, logits_of(y_true), y_true % 5, threshold=0.5
    )
    assert all(value["value"] == 1.0 for value in scores.metrics.values())
    assert np.array_equal(scores.confusion, np.eye(4) * 100)


def test_fusion_taken_for_v_costs_four_classes_but_not_three():
    y_true = np.arange(400) % 4
    y_pred = np.where(y_true == 3, 2, y_true)
    scores = beats.score_beats(
        y_true, logits_of(y_pred), y_true % 5, threshold=0.5
    )
    assert scores.metrics["macro_f1_3_classes"]["value"] == 1.0
    assert scores.metrics["macro_f1_4_classes"]["value"] < 0.7


def test_intervals_hold_the_value_and_have_a_width():
    y_true, logits, groups = draw(np.random.default_rng(0))
    scores = beats.score_beats(y_true, logits, groups, threshold=0.3)
    for value in scores.metrics.values():
        assert value["low"] < value["value"] < value["high"]
    assert scores.num_patients == 8


def test_the_seed_decides_the_intervals():
    y_true, logits, groups = draw(np.random.default_rng(0))
    first, same, other = (
        beats.score_beats(y_true, logits, groups, threshold=0.3, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == same
    assert first.metrics != other.metrics


def test_v_probability_is_the_softmax():
    logits = np.array([[1.0, 2.0, 3.0, 4.0], [1000.0, 0.0, 1000.0, 0.0]])
    expected = [np.exp(3) / np.exp([1, 2, 3, 4]).sum(), 0.5]
    np.testing.assert_allclose(beats.v_probability(logits), expected)


def test_threshold_separates_v_from_the_rest():
    y_true = np.array([0, 0, 1, 2, 2, 3])
    logits = np.zeros((6, 4))
    logits[:, 2] = [-3, -2, -1, 1, 2, -2]
    threshold = beats.tune_v_threshold(y_true, logits)
    predicted = beats.v_probability(logits) >= threshold
    assert np.array_equal(predicted, y_true == 2)


def test_three_logits_are_refused():
    with pytest.raises(ValueError, match="shape=.5, 3."):
        beats.score_beats(
            np.zeros(5, int), np.zeros((5, 3)), np.arange(5), threshold=0.5
        )


def test_text_names_every_metric():
    y_true, logits, groups = draw(np.random.default_rng(0))
    text = str(beats.score_beats(y_true, logits, groups, threshold=0.3))
    assert "macro f1 4 classes" in text and "8 patients" in text

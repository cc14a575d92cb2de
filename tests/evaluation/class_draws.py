"""Logits of networks that never were, for several kinds of classes."""

import numpy as np

from keras_hypertinypw.evaluation import class_scores

NAMES = ("yes", "no", "up", "down")


def draw(num_classes, size=2000, error_rate=0.3):
    rng = np.random.default_rng(0)
    y_true = rng.integers(num_classes, size=size)
    wrong = rng.random(size) < error_rate
    y_pred = np.where(wrong, rng.integers(num_classes, size=size), y_true)
    logits = 4 * np.eye(num_classes)[y_pred]
    logits += rng.normal(size=logits.shape)
    return y_true, logits, rng.integers(8, size=size)


def draw_labels(size=2000):
    rng = np.random.default_rng(0)
    y_true = (rng.random((size, 3)) < [0.5, 0.3, 0.1]).astype(int)
    logits = 3 * y_true - 2 + rng.normal(0, 2, y_true.shape)
    return y_true, logits, np.arange(size) // 2


def score(y_true, logits, groups, **options):
    classes = NAMES[: logits.shape[1]]
    thresholds = class_scores.tune_thresholds(y_true, logits, classes)
    return class_scores.score_classes(
        y_true,
        logits,
        groups,
        classes=classes,
        thresholds=thresholds,
        **options,
    )

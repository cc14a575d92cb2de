"""The decision threshold t*, tuned on validation, never on test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_hypertinypw.evaluation.metrics import CountMetric, check_labels

Metric = Callable[[np.ndarray, np.ndarray], float]


def tune_threshold(
    y_true: np.ndarray, y_score: np.ndarray, *, metric: Metric
) -> float:
    """Finds the threshold that maximizes a binary metric.

    `y_score >= threshold` is class 1. Candidates are the midpoints between
    neighbouring distinct scores; among equally good ones the lowest is
    returned. If all scores are equal nothing can be tuned, and that score is
    returned: everything is class 1.

    Args:
        y_true: True classes, 0 or 1, shape `(num_windows,)`. Both must occur.
        y_score: Scores, higher for class 1, shape `(num_windows,)` or, as a
            model with one output unit returns them, `(num_windows, 1)`.
        metric: Function of `(y_true, y_pred)`, higher is better. A
            `CountMetric` is scanned in one pass; any other is called once per
            candidate.

    Returns:
        The threshold, exactly representable in the type of `y_score`, unless
        that is an integer type.

    Raises:
        ValueError: If scores are not finite, a class is missing, the shapes
            differ or the metric is not binary.
    """
    y_true = check_labels("y_true", y_true, 2)
    y_score = np.asarray(y_score)
    if y_score.ndim == 2 and y_score.shape[1] == 1:
        y_score = y_score[:, 0]
    if y_score.dtype.kind in "iu":
        y_score = y_score.astype(np.float64)
    if y_score.shape != y_true.shape or y_score.dtype.kind != "f":
        raise ValueError(
            f"Expected `y_score` with one score for each of {len(y_true)} "
            f"windows. Received: {y_score.dtype} of shape {y_score.shape}. "
            "Of a model with several output units pass one column."
        )
    if not np.isfinite(y_score).all():
        raise ValueError(
            "Expected finite scores in `y_score`. Received: "
            f"{np.count_nonzero(~np.isfinite(y_score))} of {len(y_score)} NaN "
            "or infinite; the training may have diverged."
        )
    num_positive = int(y_true.sum())
    if num_positive in (0, len(y_true)):
        raise ValueError(
            "Expected both classes in `y_true`. Received: "
            f"{num_positive} of {len(y_true)} windows of class 1. Tune on a "
            "validation split that has both."
        )
    scores, position = np.unique(y_score, return_inverse=True)
    if len(scores) == 1:
        return float(scores[0])
    thresholds = _midpoints(scores)
    if isinstance(metric, CountMetric):
        if metric.num_classes not in (None, 2):
            raise ValueError(
                f"Expected a binary `metric`. Received: '{metric.name}' over "
                f"{metric.num_classes} classes. Use `metric.over(2)`."
            )
        totals = _binary_counts(y_true, position, len(scores))
        values = metric.from_counts(totals)
    else:
        values = np.array([metric(y_true, y_score >= t) for t in thresholds])
    return float(thresholds[np.argmax(values)])


def _midpoints(scores: np.ndarray) -> np.ndarray:
    low, high = scores[:-1], scores[1:]
    middle = low / 2 + high / 2  # In the scores' own type, without overflow.
    # Between adjacent floating-point numbers the midpoint rounds to one of
    # them; only the upper one keeps the lower score in class 0.
    return np.where((middle > low) & (middle <= high), middle, high)


def _binary_counts(
    y_true: np.ndarray, position: np.ndarray, num_scores: int
) -> np.ndarray:
    """Confusion counts of every midpoint, `(num_scores - 1, 2, 2)`."""
    counts = np.empty((num_scores - 1, 2, 2), np.int64)
    for label in (0, 1):
        at_score = np.bincount(position[y_true == label], minlength=num_scores)
        below = np.cumsum(at_score)
        counts[:, label, 0] = below[:-1]
        counts[:, label, 1] = below[-1] - below[:-1]
    return counts

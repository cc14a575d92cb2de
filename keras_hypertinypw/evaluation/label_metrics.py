"""Metrics of several labels at once, each of which is there or not."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_hypertinypw.evaluation.metrics import (
    CountMetric,
    class_f1,
    confusion_counts,
)


@dataclasses.dataclass(frozen=True)
class LabelMetric(CountMetric):
    """A metric of labels that needs only the confusion counts of each.

    Call it as `metric(y_true, y_pred)` with arrays of 0 and 1 of shape
    `(num_windows, num_labels)`. `from_counts` maps counts of shape
    `(..., num_labels, 2, 2)` to values of shape `(...)`; `num_classes` is
    not used.
    """

    def counts(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """Confusion counts of each label, `(num_labels, 2, 2)`.

        Raises:
            ValueError: If shapes differ or values are others than 0 and 1.
        """
        if y_true.ndim != 2 or y_true.shape != y_pred.shape:
            raise ValueError(
                "Expected `y_true` and `y_pred` of one shape "
                f"(num_windows, num_labels). Received: {y_true.shape} and "
                f"{y_pred.shape}."
            )
        return np.array(
            [
                confusion_counts(true, pred, num_classes=2)
                for true, pred in zip(y_true.T, y_pred.T, strict=True)
            ]
        )


def label_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of each label.

    Args:
        counts: Array of shape `(..., num_labels, 2, 2)`.

    Returns:
        float64 array of shape `(..., num_labels)`.
    """
    return class_f1(counts)[..., 1]


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    return label_f1(counts).mean(axis=-1)


label_macro_f1 = LabelMetric("label_macro_f1", _macro_f1)


def area_under_curve(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Area under the ROC curve: how often class 1 has the higher score.

    Equal scores count half, as in Hanley and McNeil, "The meaning and use of
    the area under a receiver operating characteristic (ROC) curve",
    Radiology 143, 1982.

    Args:
        y_true: True classes, 0 or 1, shape `(num_windows,)`.
        y_score: Scores, higher for class 1, shape `(num_windows,)`.

    Returns:
        A value in `[0, 1]`; 0.5, which is chance, if a class is missing.
    """
    values, position = np.unique(y_score, return_inverse=True)
    positive = y_true == 1
    ones = np.bincount(position[positive], minlength=len(values))
    zeros = np.bincount(position[~positive], minlength=len(values))
    pairs = ones.sum() * zeros.sum()
    if not pairs:
        return 0.5
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + zeros / 2)).sum() / pairs)


def label_macro_auc(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Mean over labels of `area_under_curve`.

    Args:
        y_true: 0 or 1, shape `(num_windows, num_labels)`.
        y_score: Scores, higher for 1, likewise.
    """
    pairs = zip(y_true.T, y_score.T, strict=True)
    return float(np.mean([area_under_curve(*pair) for pair in pairs]))

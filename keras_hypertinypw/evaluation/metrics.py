"""Classification metrics as functions of confusion counts.

Counts have shape `(..., num_classes, num_classes)`, rows are true classes and
columns predicted ones. The leading axes let the bootstrap and the threshold
scan score thousands of confusion matrices in one call. The set of classes is
fixed by the shape, and a ratio whose denominator is zero counts as 0
(sklearn's `labels=...`, `zero_division=0`), so that a resample that lacks a
class stays comparable with the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np


def confusion_counts(
    y_true: np.ndarray, y_pred: np.ndarray, *, num_classes: int
) -> np.ndarray:
    """Counts how often each true class was predicted as each class.

    Args:
        y_true: True classes, integers in `[0, num_classes)`, shape
            `(num_windows,)`.
        y_pred: Predicted classes, likewise.
        num_classes: Number of classes, whether they occur or not.

    Returns:
        int64 array of shape `(num_classes, num_classes)`.

    Raises:
        ValueError: If the arrays do not fit together or hold other values.
    """
    y_true = check_labels("y_true", y_true, num_classes)
    y_pred = check_labels("y_pred", y_pred, num_classes)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            "Expected `y_true` and `y_pred` of equal length. Received: "
            f"{len(y_true)} and {len(y_pred)}."
        )
    flat = np.bincount(
        y_true * num_classes + y_pred, minlength=num_classes * num_classes
    )
    return flat.reshape(num_classes, num_classes)


def check_labels(name: str, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns `labels` as int64, or says what is wrong with them.

    Raises:
        ValueError: If they are no integers in `[0, num_classes)`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ValueError(
            f"Expected `{name}` as integer classes of shape (num_windows,). "
            f"Received: {labels.dtype} of shape {labels.shape}. Turn scores "
            "into classes first: `argmax(-1)`, or `score >= threshold`."
        )
    labels = labels.astype(np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"Expected `{name}` with values from 0 to {num_classes - 1}. "
            f"Received: values from {labels.min()} to {labels.max()}. For "
            "more classes use `metric.over(num_classes)`."
        )
    return labels


def merge_classes(counts: np.ndarray, merge: Sequence[int]) -> np.ndarray:
    """Adds up the counts of classes that are merged into one.

    Args:
        counts: Array of shape `(..., num_classes, num_classes)`.
        merge: New class of each class; `(0, 1, 2, 2)` merges F into V.

    Returns:
        Array of shape `(..., new_classes, new_classes)`.

    Raises:
        ValueError: If `merge` does not name one new class per class, or
            leaves a new class without any.
    """
    num_classes = counts.shape[-1]
    num_new = max(merge, default=-1) + 1
    if len(merge) != num_classes or set(merge) != set(range(num_new)):
        raise ValueError(
            f"Expected `merge` with a new class for each of {num_classes} "
            f"classes, numbered from 0 without gaps. Received: merge={merge}."
        )
    member = np.zeros((num_classes, num_new), counts.dtype)
    member[np.arange(num_classes), list(merge)] = 1
    return member.T @ counts @ member


def class_sensitivity(counts: np.ndarray) -> np.ndarray:
    """Share of each true class that was found (recall).

    Args:
        counts: Array of shape `(..., num_classes, num_classes)`.

    Returns:
        float64 array of shape `(..., num_classes)`.
    """
    return _ratio(_hits(counts), counts.sum(axis=-1))


def class_positive_predictivity(counts: np.ndarray) -> np.ndarray:
    """Share of each class's predictions that are true (precision).

    Args:
        counts: Array of shape `(..., num_classes, num_classes)`.

    Returns:
        float64 array of shape `(..., num_classes)`.
    """
    return _ratio(_hits(counts), counts.sum(axis=-2))


def class_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of each class: `2 hits / (true + predicted)`.

    Args:
        counts: Array of shape `(..., num_classes, num_classes)`.

    Returns:
        float64 array of shape `(..., num_classes)`.
    """
    return _ratio(2 * _hits(counts), counts.sum(-1) + counts.sum(-2))


@dataclasses.dataclass(frozen=True)
class CountMetric:
    """A metric of classes that needs only their confusion counts.

    Call it as `metric(y_true, y_pred)` with classes, or give it to
    `tune_threshold` and `bootstrap_ci`, which then work on counts.

    Attributes:
        name: For tables and messages.
        from_counts: Maps counts of shape `(..., num_classes, num_classes)` to
            values of shape `(...)`.
        num_classes: Number of classes; `None` until `over` fixes it.
    """

    name: str
    from_counts: Callable[[np.ndarray], np.ndarray]
    num_classes: int | None = 2

    def over(self, num_classes: int) -> CountMetric:
        """The same metric over `num_classes` classes, present or not."""
        return dataclasses.replace(self, num_classes=num_classes)

    def merged(self, merge: Sequence[int]) -> CountMetric:
        """The same metric after merging classes; see `merge_classes`.

        `macro_f1.merged((0, 1, 2, 2))` takes N, S, V, F and scores F as V;
        `binary_f1.merged((0, 0, 1, 0))` scores V versus the rest.
        """
        merge = tuple(merge)
        return CountMetric(
            name=self.name,
            from_counts=lambda counts: self.from_counts(
                merge_classes(counts, merge)
            ),
            num_classes=len(merge),
        )

    def counts(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """Confusion counts over this metric's classes.

        Raises:
            ValueError: If the number of classes is not fixed, or the classes
                are invalid.
        """
        if self.num_classes is None:
            raise ValueError(
                f"Metric '{self.name}': expected a fixed number of classes. "
                f"Received: num_classes=None. Use "
                f"`{self.name}.over(num_classes)`."
            )
        return confusion_counts(y_true, y_pred, num_classes=self.num_classes)

    def __call__(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """Scores predicted classes against true ones.

        Args:
            y_true: True classes, integers of shape `(num_windows,)`.
            y_pred: Predicted classes, likewise.
        """
        return float(self.from_counts(self.counts(y_true, y_pred)))


def _hits(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(
        numerator,
        denominator,
        out=np.zeros(numerator.shape),
        where=denominator != 0,
    )


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    return class_f1(counts).mean(axis=-1)


def _balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    return class_sensitivity(counts).mean(axis=-1)


def _accuracy(counts: np.ndarray) -> np.ndarray:
    return _ratio(_hits(counts).sum(axis=-1), counts.sum(axis=(-2, -1)))


def _binary_f1(counts: np.ndarray) -> np.ndarray:
    return class_f1(counts)[..., 1]


def _sensitivity(counts: np.ndarray) -> np.ndarray:
    return class_sensitivity(counts)[..., 1]


def _specificity(counts: np.ndarray) -> np.ndarray:
    return class_sensitivity(counts)[..., 0]


def _positive_predictivity(counts: np.ndarray) -> np.ndarray:
    return class_positive_predictivity(counts)[..., 1]


macro_f1 = CountMetric("macro_f1", _macro_f1, num_classes=None)
"""Mean of the F1 scores of all classes; `over` says of how many."""
balanced_accuracy = CountMetric("balanced_accuracy", _balanced_accuracy)
"""Mean of sensitivity and specificity."""
accuracy = CountMetric("accuracy", _accuracy)
"""Fraction of right decisions."""
binary_f1 = CountMetric("binary_f1", _binary_f1)
"""F1 score of class 1 of two."""
sensitivity = CountMetric("sensitivity", _sensitivity)
"""Fraction of the windows of class 1 that were found; recall."""
specificity = CountMetric("specificity", _specificity)
"""Fraction of the windows of class 0 that were not taken for class 1."""
positive_predictivity = CountMetric(
    "positive_predictivity", _positive_predictivity
)
"""Fraction of right ones among the decisions for class 1; precision."""

"""The protocol for any classes: one of several, one of two, or labels.

One of several classes is decided by the largest logit. With two classes, the
second of which is the positive one, there is also a decision by a threshold
t* on its probability. With labels, of which a window may have several, each
has its own t*. Thresholds are tuned on validation windows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_hypertinypw.evaluation import intervals, label_metrics, metrics
from keras_hypertinypw.evaluation.bootstrap import (
    bootstrap_values,
    percentile_interval,
)
from keras_hypertinypw.evaluation.metrics import CountMetric
from keras_hypertinypw.evaluation.threshold import tune_threshold


@dataclasses.dataclass(frozen=True)
class ClassScores:
    """Scores of a set of windows.

    Attributes:
        metrics: `{name: {"value", "low", "high"}}`; low and high are the
            ends of the 95 % bootstrap interval over groups.
        class_f1: F1 by class, likewise with intervals; of labels at their
            thresholds, else of the largest logit.
        confusion: Counts `[true][predicted]` of the largest logit; of labels
            `[label][true][predicted]`.
        thresholds: t* by class: none, that of the positive one of two, or
            one for each label.
        num_windows: Number of windows.
        num_groups: Number of groups.
        window: What a window is, for example `"minute"`.
        group: What a group is, for example `"subject"`.
        n_resamples: Bootstrap resamples.
        bootstrap_seed: Their seed.
    """

    metrics: dict[str, dict[str, float]]
    class_f1: dict[str, dict[str, float]]
    confusion: list
    thresholds: dict[str, float]
    num_windows: int
    num_groups: int
    window: str
    group: str
    n_resamples: int
    bootstrap_seed: int

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        # What sums up stands last, where a terminal shows it.
        named = {
            **{f"F1 of {name}": v for name, v in self.class_f1.items()},
            **{n.replace("_", " "): v for n, v in self.metrics.items()},
        }
        lines = [intervals.line(*item) for item in named.items()]
        lines += [
            f"{f't* of {name}':<26}{threshold:.4f}, tuned on validation"
            for name, threshold in self.thresholds.items()
        ]
        lines.append(
            f"{self.num_windows:,} {self.window}s of {self.num_groups:,} "
            f"{self.group}s; 95 % intervals from {self.n_resamples:,} "
            f"resamples of {self.group}s, seed {self.bootstrap_seed}"
        )
        return "\n".join(lines)


def probabilities(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """Returns the softmax of logits, or the sigmoid of each.

    Args:
        logits: Array of shape `(num_windows, num_classes)`.
        multi_label: Whether a window may have several classes.

    Returns:
        float64 array of the same shape.
    """
    logits = logits.astype(np.float64)
    if multi_label:
        # Without overflow for either sign.
        return 0.5 * (1 + np.tanh(logits / 2))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def tune_thresholds(
    y_true: np.ndarray, logits: np.ndarray, classes: Sequence[str]
) -> dict[str, float]:
    """Returns the thresholds t* that a task has.

    Of two classes, that of best balanced accuracy; of labels, that of the
    best F1 of each, since most labels are rare.

    Args:
        y_true: Classes of the validation windows, `(num_windows,)`, or
            labels, `(num_windows, num_classes)`.
        logits: Their logits, `(num_windows, num_classes)`.
        classes: Names of the classes.

    Raises:
        ValueError: If there is not one logit for each class, or a class or
            its absence does not occur.
    """
    _check_logits(logits, y_true, classes)
    multi_label = y_true.ndim == 2
    scores = probabilities(logits, multi_label=multi_label)
    if multi_label:
        return {
            name: tune_threshold(
                y_true[:, i], scores[:, i], metric=metrics.binary_f1
            )
            for i, name in enumerate(classes)
        }
    if len(classes) != 2:
        return {}
    threshold = tune_threshold(
        y_true, scores[:, 1], metric=metrics.balanced_accuracy
    )
    return {classes[1]: threshold}


def decisions(
    y_true: np.ndarray, logits: np.ndarray, thresholds: Mapping[str, float]
) -> intervals.Decisions:
    """Returns each metric of the protocol with what it compares.

    Args:
        y_true: Classes, `(num_windows,)`, or labels,
            `(num_windows, num_classes)`.
        logits: Logits, `(num_windows, num_classes)`.
        thresholds: From `tune_thresholds`.

    Returns:
        `{name: (metric, true, decided)}`, the most telling two first.
    """
    multi_label = y_true.ndim == 2
    scores = probabilities(logits, multi_label=multi_label)
    if multi_label:
        decided = (scores >= [*thresholds.values()]).astype(int)
        return {
            "macro_auc": (label_metrics.label_macro_auc, y_true, scores),
            "macro_f1": (label_metrics.label_macro_f1, y_true, decided),
        }
    num_classes = logits.shape[1]
    y_pred = logits.argmax(axis=1)
    accuracy = metrics.accuracy.over(num_classes), y_true, y_pred
    macro_f1 = metrics.macro_f1.over(num_classes), y_true, y_pred
    if not thresholds:
        return {"accuracy": accuracy, "macro_f1": macro_f1}
    (threshold,) = thresholds.values()
    decided = (scores[:, 1] >= threshold).astype(int)
    return {
        "macro_f1": macro_f1,
        "balanced_accuracy": (metrics.balanced_accuracy, y_true, decided),
        "accuracy": accuracy,
        "sensitivity": (metrics.sensitivity, y_true, decided),
        "specificity": (metrics.specificity, y_true, decided),
    }


def score_classes(
    y_true: np.ndarray,
    logits: np.ndarray,
    groups: np.ndarray,
    *,
    classes: Sequence[str],
    thresholds: Mapping[str, float],
    window: str = "window",
    group: str = "group",
    seed: int = 0,
    n_resamples: int = 2000,
) -> ClassScores:
    """Scores logits by the protocol, with intervals.

    Args:
        y_true: Classes, `(num_windows,)`, or labels,
            `(num_windows, num_classes)`.
        logits: Logits, `(num_windows, num_classes)`.
        groups: Group of each window, `(num_windows,)`.
        classes: Names of the classes.
        thresholds: From `tune_thresholds` on validation windows.
        window: What a window is.
        group: What a group is.
        seed: Of the bootstrap.
        n_resamples: Of the bootstrap.

    Raises:
        ValueError: If there is not one logit for each class, or classes are
            unknown.
    """
    _check_logits(logits, y_true, classes)
    chosen = decisions(y_true, logits, thresholds)
    per_class = _class_f1_metric(y_true.ndim == 2, len(classes))
    _, truth, decision = chosen["macro_f1"]
    counts = per_class.counts(truth, decision)
    resampled = bootstrap_values(
        per_class,
        truth,
        decision,
        groups=groups,
        rng=np.random.default_rng(seed),
        n_resamples=n_resamples,
    )
    return ClassScores(
        metrics=intervals.with_intervals(
            chosen, groups, seed=seed, n_resamples=n_resamples
        ),
        class_f1={
            name: {"value": value, **dataclasses.asdict(interval)}
            for name, value, interval in zip(
                classes,
                per_class.from_counts(counts).tolist(),
                map(percentile_interval, resampled.T),
                strict=True,
            )
        },
        confusion=counts.tolist(),
        thresholds=dict(thresholds),
        num_windows=len(y_true),
        num_groups=len(np.unique(groups)),
        window=window,
        group=group,
        n_resamples=n_resamples,
        bootstrap_seed=seed,
    )


def validation_macro_f1(
    y_true: np.ndarray, logits: np.ndarray, num_classes: int
) -> float:
    """Macro-F1 without a threshold to tune, to choose epochs by.

    Args:
        y_true: Classes, `(num_windows,)`, or labels,
            `(num_windows, num_classes)`.
        logits: Logits, `(num_windows, num_classes)`. A label is there if its
            logit is not negative.
        num_classes: Number of classes.
    """
    if y_true.ndim == 2:
        decided = (logits >= 0).astype(int)
        return label_metrics.label_macro_f1(y_true, decided)
    return metrics.macro_f1.over(num_classes)(y_true, logits.argmax(axis=1))


def _check_logits(
    logits: np.ndarray, y_true: np.ndarray, classes: Sequence[str]
) -> None:
    expected = (len(y_true), len(classes))
    if logits.shape != expected:
        raise ValueError(
            f"Expected `logits` of shape {expected}, one for each of "
            f"{len(classes)} classes. Received: shape={logits.shape}. The "
            "file may be of another data set."
        )


def _class_f1_metric(multi_label: bool, num_classes: int) -> CountMetric:
    """F1 of every class at once, `(..., num_classes)`."""
    if multi_label:
        return label_metrics.LabelMetric("label_f1", label_metrics.label_f1)
    return CountMetric("class_f1", metrics.class_f1, num_classes)

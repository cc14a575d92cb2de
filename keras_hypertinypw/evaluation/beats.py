"""The protocol for AAMI beats: four classes, three classes, V versus rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_hypertinypw.evaluation import intervals
from keras_hypertinypw.evaluation.metrics import (
    CountMetric,
    balanced_accuracy,
    binary_f1,
    class_f1,
    confusion_counts,
    macro_f1,
    positive_predictivity,
    sensitivity,
)
from keras_hypertinypw.evaluation.threshold import tune_threshold

CLASSES = ("N", "S", "V", "F")
V_CLASS = CLASSES.index("V")
_FUSION_AS_V = (0, 1, 2, 2)
_MULTICLASS = {
    "macro_f1_4_classes": macro_f1.over(4),
    "macro_f1_3_classes": macro_f1.merged(_FUSION_AS_V),
}
_BINARY = {
    "v_balanced_accuracy": balanced_accuracy,
    "v_f1": binary_f1,
    "v_sensitivity": sensitivity,
    "v_positive_predictivity": positive_predictivity,
}


@dataclasses.dataclass(frozen=True)
class BeatScores:
    """Scores of a set of beats.

    Attributes:
        metrics: `{name: {"value", "low", "high"}}`; low and high are the
            ends of the 95 % bootstrap interval over patients.
        class_f1: F1 by class, of the four-class decision.
        confusion: Counts `[true][predicted]` of the four-class decision.
        threshold: t*, applied to the probability of V.
        num_beats: Number of beats.
        num_patients: Number of patients.
        n_resamples: Bootstrap resamples.
        bootstrap_seed: Their seed.
    """

    metrics: dict[str, dict[str, float]]
    class_f1: dict[str, float]
    confusion: list[list[int]]
    threshold: float
    num_beats: int
    num_patients: int
    n_resamples: int
    bootstrap_seed: int

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        lines = [
            intervals.line(name.replace("_", " "), value)
            for name, value in self.metrics.items()
        ]
        per_class = ", ".join(f"{c} {f:.3f}" for c, f in self.class_f1.items())
        lines.append(f"{'F1 by class':<26}{per_class}")
        lines.append(
            f"{'t* (V versus rest)':<26}{self.threshold:.4f}, tuned on "
            "validation"
        )
        lines.append(
            f"{self.num_beats:,} beats of {self.num_patients} patients; "
            f"95 % intervals from {self.n_resamples:,} resamples of patients, "
            f"seed {self.bootstrap_seed}"
        )
        return "\n".join(lines)


def v_probability(logits: np.ndarray) -> np.ndarray:
    """Returns the softmax probability of class V.

    Args:
        logits: Array of shape `(num_beats, 4)`.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted.astype(np.float64))
    return exponentials[:, V_CLASS] / exponentials.sum(axis=1)


def tune_v_threshold(y_true: np.ndarray, logits: np.ndarray) -> float:
    """Returns t*: the threshold of best balanced accuracy, V versus rest.

    Args:
        y_true: Classes of the validation beats, `(num_beats,)`.
        logits: Their logits, `(num_beats, 4)`.
    """
    return tune_threshold(
        (y_true == V_CLASS).astype(int),
        v_probability(logits),
        metric=balanced_accuracy,
    )


def decisions(
    y_true: np.ndarray, logits: np.ndarray, *, threshold: float
) -> dict[str, tuple[CountMetric, np.ndarray, np.ndarray]]:
    """Returns each metric of the protocol with the classes that it compares.

    Args:
        y_true: Classes, `(num_beats,)`.
        logits: Logits, `(num_beats, 4)`.
        threshold: t*, for V versus rest.

    Returns:
        `{name: (metric, true classes, decided classes)}`.
    """
    y_pred = logits.argmax(axis=1)
    is_v = (y_true == V_CLASS).astype(int)
    decided_v = (v_probability(logits) >= threshold).astype(int)
    return {
        **{name: (m, y_true, y_pred) for name, m in _MULTICLASS.items()},
        **{name: (m, is_v, decided_v) for name, m in _BINARY.items()},
    }


def score_beats(
    y_true: np.ndarray,
    logits: np.ndarray,
    groups: np.ndarray,
    *,
    threshold: float,
    seed: int = 0,
    n_resamples: int = 2000,
) -> BeatScores:
    """Scores logits of beats by the protocol, with intervals.

    Args:
        y_true: Classes, `(num_beats,)`.
        logits: Logits, `(num_beats, 4)`.
        groups: Patient of each beat, `(num_beats,)`.
        threshold: t*, from `tune_v_threshold` on validation beats.
        seed: Of the bootstrap.
        n_resamples: Of the bootstrap.

    Raises:
        ValueError: If there are not four logits, or classes are unknown.
    """
    if logits.shape != (len(y_true), len(CLASSES)):
        raise ValueError(
            f"Expected `logits` of shape {(len(y_true), len(CLASSES))}, one "
            f"for each of {CLASSES}. Received: shape={logits.shape}."
        )
    y_pred = logits.argmax(axis=1)
    counts = confusion_counts(y_true, y_pred, num_classes=len(CLASSES))
    return BeatScores(
        metrics=intervals.with_intervals(
            decisions(y_true, logits, threshold=threshold),
            groups,
            seed=seed,
            n_resamples=n_resamples,
        ),
        class_f1=dict(zip(CLASSES, class_f1(counts).tolist(), strict=True)),
        confusion=counts.tolist(),
        threshold=threshold,
        num_beats=len(y_true),
        num_patients=len(np.unique(groups)),
        n_resamples=n_resamples,
        bootstrap_seed=seed,
    )

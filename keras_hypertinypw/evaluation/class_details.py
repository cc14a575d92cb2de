"""What a report shows beside the scores of classes: small plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_hypertinypw.evaluation import (
    class_scores,
    distributions,
    intervals,
    metrics,
)
from keras_hypertinypw.evaluation.class_scores import ClassScores

# More groups have too few windows each, and rows that nobody reads.
MAX_GROUPS = 60
_PER_CLASS = {
    "macro_f1": metrics.class_f1,
    "balanced_accuracy": metrics.class_sensitivity,
}


@dataclasses.dataclass(frozen=True)
class ClassDetails:
    """Distributions behind `ClassScores`, of its first two metrics.

    Attributes:
        log_odds: `{"edges", "positive", "rest"}`: counts of windows by the
            log-odds of the positive one of two classes; else none.
        resamples: By metric, `{"edges", "counts"}` of the bootstrap's values.
        settling: By metric, `{"n_resamples", "draws"}`: the ends of the
            interval after so many resamples, `draws[i]["low"]` and
            `["high"]`. The first draw is the one of `ClassScores`.
        groups: For each group `{"group", "num_windows", "num_positive"}`
            (the last of two classes only) and both metrics of that group
            alone, as means over the classes that it has. None of labels, and
            none if there are more than `MAX_GROUPS`.
    """

    log_odds: dict[str, list] | None
    resamples: dict[str, dict[str, list]]
    settling: dict[str, dict[str, Any]]
    groups: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)


def describe_classes(
    y_true: np.ndarray,
    logits: np.ndarray,
    groups: np.ndarray,
    scores: ClassScores,
) -> ClassDetails:
    """Summarizes the distributions behind scores.

    Args:
        y_true: Classes, `(num_windows,)`, or labels,
            `(num_windows, num_classes)`.
        logits: Logits, `(num_windows, num_classes)`.
        groups: Group of each window, `(num_windows,)`.
        scores: What `score_classes` returned for the same windows.
    """
    chosen = class_scores.decisions(y_true, logits, scores.thresholds)
    chosen = dict([*chosen.items()][:2])
    resamples, settling = {}, {}
    for name, compared in chosen.items():
        resamples[name], settling[name] = distributions.resample(
            *compared,
            groups,
            seed=scores.bootstrap_seed,
            n_resamples=scores.n_resamples,
        )
    exclusive = y_true.ndim == 1
    log_odds = None
    if exclusive and scores.thresholds:
        probability = class_scores.probabilities(logits, multi_label=False)
        log_odds = distributions.count_log_odds(
            probability[:, 1], y_true == 1, name="positive"
        )
    few = exclusive and scores.num_groups <= MAX_GROUPS
    return ClassDetails(
        log_odds=log_odds,
        resamples=resamples,
        settling=settling,
        groups=_score_groups(y_true, groups, chosen, logits.shape[1])
        if few
        else [],
    )


def _score_groups(
    y_true: np.ndarray,
    groups: np.ndarray,
    chosen: intervals.Decisions,
    num_classes: int,
) -> list[dict[str, Any]]:
    """Scores every group alone, over the classes that it has."""
    rows = []
    for group in np.unique(groups):
        mine = groups == group
        row: dict[str, Any] = {"group": str(group)}
        for name, (metric, truth, decision) in chosen.items():
            if name not in _PER_CLASS:
                row[name] = float(metric(truth[mine], decision[mine]))
                continue
            counts = metrics.confusion_counts(
                truth[mine], decision[mine], num_classes=num_classes
            )
            present = counts.sum(axis=1) > 0
            row[name] = float(_PER_CLASS[name](counts)[present].mean())
        row["num_windows"] = int(mine.sum())
        if num_classes == 2:
            row["num_positive"] = int(y_true[mine].sum())
        rows.append(row)
    return rows

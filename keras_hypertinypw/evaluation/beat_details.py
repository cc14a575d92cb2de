"""What a report shows beside the scores of beats: small plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_hypertinypw.evaluation import distributions
from keras_hypertinypw.evaluation.beats import (
    CLASSES,
    V_CLASS,
    BeatScores,
    decisions,
    v_probability,
)
from keras_hypertinypw.evaluation.metrics import (
    class_f1,
    class_sensitivity,
    confusion_counts,
)

# Two metrics say enough: one of all classes, one of V versus rest.
METRICS = ("macro_f1_4_classes", "v_balanced_accuracy")


@dataclasses.dataclass(frozen=True)
class BeatDetails:
    """Distributions behind `BeatScores`.

    Attributes:
        v_log_odds: `{"edges", "v", "rest"}`: counts of beats by the log-odds
            of V, for true V and for all others. The outermost bins hold
            everything beyond them.
        resamples: By metric, `{"edges", "counts"}` of the bootstrap's values.
        settling: By metric, `{"n_resamples", "draws"}`: the ends of the
            interval after so many resamples, `draws[i]["low"]` and
            `["high"]`. The first draw is the one of `BeatScores`.
        patients: For each patient `{"patient", "num_beats", "num_v"}` and
            both metrics of that patient alone, as means over the classes
            that the patient has.
    """

    v_log_odds: dict[str, list]
    resamples: dict[str, dict[str, list]]
    settling: dict[str, dict[str, list]]
    patients: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)


def describe_beats(
    y_true: np.ndarray,
    logits: np.ndarray,
    groups: np.ndarray,
    scores: BeatScores,
) -> BeatDetails:
    """Summarizes the distributions behind scores.

    Args:
        y_true: Classes, `(num_beats,)`.
        logits: Logits, `(num_beats, 4)`.
        groups: Patient of each beat, `(num_beats,)`.
        scores: What `score_beats` returned for the same beats.
    """
    chosen = decisions(y_true, logits, threshold=scores.threshold)
    resamples, settling = {}, {}
    for name in METRICS:
        resamples[name], settling[name] = distributions.resample(
            *chosen[name],
            groups,
            seed=scores.bootstrap_seed,
            n_resamples=scores.n_resamples,
        )
    return BeatDetails(
        v_log_odds=distributions.count_log_odds(
            v_probability(logits), y_true == V_CLASS, name="v"
        ),
        resamples=resamples,
        settling=settling,
        patients=_score_patients(groups, chosen),
    )


def _score_patients(
    groups: np.ndarray,
    chosen: dict[str, tuple],
) -> list[dict[str, Any]]:
    """Scores every patient alone, over the classes that the patient has."""
    by_class = {
        "macro_f1_4_classes": (class_f1, len(CLASSES)),
        "v_balanced_accuracy": (class_sensitivity, 2),
    }
    patients = []
    for group in np.unique(groups):
        mine = groups == group
        row: dict[str, Any] = {"patient": str(group)}
        for name, (per_class, num_classes) in by_class.items():
            _, truth, decision = chosen[name]
            counts = confusion_counts(
                truth[mine], decision[mine], num_classes=num_classes
            )
            present = counts.sum(axis=1) > 0
            row[name] = float(per_class(counts)[present].mean())
        is_v = chosen["v_balanced_accuracy"][1]
        row["num_beats"] = int(mine.sum())
        row["num_v"] = int(is_v[mine].sum())
        patients.append(row)
    return patients

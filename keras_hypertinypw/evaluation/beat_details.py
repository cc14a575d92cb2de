"""What a report shows beside the scores of beats: small plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_hypertinypw.evaluation.beats import (
    CLASSES,
    V_CLASS,
    BeatScores,
    decisions,
    v_probability,
)
from keras_hypertinypw.evaluation.bootstrap import (
    bootstrap_values,
    percentile_interval,
)
from keras_hypertinypw.evaluation.metrics import (
    class_f1,
    class_sensitivity,
    confusion_counts,
)

# Two metrics say enough: one of all classes, one of V versus rest.
METRICS = ("macro_f1_4_classes", "v_balanced_accuracy")
# Log-odds of V: a probability of 0.001 and one of 0.999 are near +-7.
_EDGES = np.linspace(-8, 8, 33)
_BINS = 30
# Prefixes of the resamples at which the ends of the interval are read.
_NUM_STEPS = 16
# Further draws, which show by how much the ends depend on the draw.
_NUM_REPEATS = 4


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
        metric, truth, decision = chosen[name]
        draws = [
            bootstrap_values(
                metric,
                truth,
                decision,
                groups=groups,
                rng=np.random.default_rng(scores.bootstrap_seed + repeat),
                n_resamples=scores.n_resamples,
            )
            for repeat in range(1 + _NUM_REPEATS)
        ]
        counts, edges = np.histogram(draws[0], bins=_BINS)
        resamples[name] = {"edges": edges.tolist(), "counts": counts.tolist()}
        settling[name] = _settle(draws)
    return BeatDetails(
        v_log_odds=_count_log_odds(v_probability(logits), y_true == V_CLASS),
        resamples=resamples,
        settling=settling,
        patients=_score_patients(groups, chosen),
    )


def _count_log_odds(probability: np.ndarray, is_v: np.ndarray) -> dict:
    """Counts probabilities on an axis that spreads both ends."""
    # A probability of exactly 0 or 1 has no finite log-odds.
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    log_odds = np.log(inside / (1 - inside)).clip(_EDGES[0], _EDGES[-1])
    return {
        "edges": _EDGES.tolist(),
        "v": np.histogram(log_odds[is_v], _EDGES)[0].tolist(),
        "rest": np.histogram(log_odds[~is_v], _EDGES)[0].tolist(),
    }


def _settle(draws: list[np.ndarray]) -> dict[str, list]:
    """Reads the ends of the interval while resamples are added."""
    total = len(draws[0])
    # Even steps on a logarithmic axis, the last of which is everything.
    steps = np.unique(np.geomspace(min(50, total), total, _NUM_STEPS + 1))
    counts = np.unique(np.ceil(steps).astype(int).clip(max=total)).tolist()
    intervals = [
        [percentile_interval(values[:count]) for count in counts]
        for values in draws
    ]
    return {
        "n_resamples": counts,
        "draws": [
            {
                "low": [interval.low for interval in row],
                "high": [interval.high for interval in row],
            }
            for row in intervals
        ],
    }


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

"""Percentile bootstrap over patients (or speakers).

Windows of one patient are not independent, so whole groups are resampled. The
same generator state draws the same groups whichever metric is scored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from keras_hypertinypw.evaluation.metrics import CountMetric

Metric = Callable[[np.ndarray, np.ndarray], float]


@dataclasses.dataclass(frozen=True)
class ConfidenceInterval:
    """A confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float


def bootstrap_ci(
    metric: Metric,
    y_true: np.ndarray,
    y_score: np.ndarray,
    *,
    groups: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
) -> ConfidenceInterval:
    """Percentile interval of `metric`, resampling whole `groups` (patients).

    Args:
        metric: Function of `(y_true, y_score)`. A `CountMetric` takes
            predicted classes as `y_score` and is scored from sums of each
            group's confusion counts, which is fast; any other function is
            called with the windows of every resample.
        y_true: True classes, shape `(num_windows,)`.
        y_score: What `metric` takes, shape `(num_windows, ...)`.
        groups: Group of each window, shape `(num_windows,)`.
        rng: Draws the resamples.
        n_resamples: Number of resamples.
        confidence_level: Probability that the interval covers, in `(0, 1)`.

    Raises:
        ValueError: If shapes differ, there is only one group, an option is
            out of range, or `metric` is not finite on a resample.
    """
    values = bootstrap_values(
        metric,
        y_true,
        y_score,
        groups=groups,
        rng=rng,
        n_resamples=n_resamples,
    )
    return percentile_interval(values, confidence_level)


def bootstrap_values(
    metric: Metric,
    y_true: np.ndarray,
    y_score: np.ndarray,
    *,
    groups: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int = 2000,
) -> np.ndarray:
    """The resampled values whose quantiles `bootstrap_ci` returns.

    Args:
        metric: As for `bootstrap_ci`.
        y_true: True classes, shape `(num_windows,)`.
        y_score: What `metric` takes, shape `(num_windows, ...)`.
        groups: Group of each window, shape `(num_windows,)`.
        rng: Draws the resamples.
        n_resamples: Number of resamples.

    Returns:
        float64 array of shape `(n_resamples,)`, in the order of drawing: its
        first values are those of fewer resamples. Of a `CountMetric` that
        gives several values, `(n_resamples, num_values)`.

    Raises:
        ValueError: As `bootstrap_ci`.
    """
    return _resampled(metric, y_true, [y_score], groups, rng, n_resamples)[0]


def bootstrap_difference(
    metric: Metric,
    y_true: np.ndarray,
    y_score_a: np.ndarray,
    y_score_b: np.ndarray,
    *,
    groups: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
) -> ConfidenceInterval:
    """Percentile interval of `metric` of A minus that of B, paired.

    Both are scored on the same resampled groups, so what is hard about a
    patient cancels. An interval that leaves out 0 tells A and B apart.

    Args:
        metric: As for `bootstrap_ci`.
        y_true: True classes, shape `(num_windows,)`.
        y_score_a: Scores or classes of contender A, `(num_windows, ...)`.
        y_score_b: Those of contender B, likewise.
        groups: Group of each window, shape `(num_windows,)`.
        rng: Draws the resamples.
        n_resamples: Number of resamples.
        confidence_level: Probability that the interval covers, in `(0, 1)`.

    Raises:
        ValueError: As `bootstrap_ci`.
    """
    return bootstrap_runs_difference(
        metric,
        y_true,
        [y_score_a],
        [y_score_b],
        groups=groups,
        rng=rng,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
    )


def bootstrap_runs_difference(
    metric: Metric,
    y_true: np.ndarray,
    runs_a: Sequence[np.ndarray],
    runs_b: Sequence[np.ndarray],
    *,
    groups: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
) -> ConfidenceInterval:
    """Percentile interval of the mean `metric` of runs A minus that of B.

    Runs are trainings of the same network from several seeds. Each resample
    draws groups, the same for all, and then runs of A and of B, so that the
    interval holds what seeds do to either. Of one run each it is that of
    `bootstrap_difference`. A few runs say little about all that there could
    be: the interval is too narrow rather than too wide.

    Args:
        metric: As for `bootstrap_ci`.
        y_true: True classes, shape `(num_windows,)`.
        runs_a: Scores or classes of each run of A, `(num_windows, ...)`.
        runs_b: Those of each run of B, likewise.
        groups: Group of each window, shape `(num_windows,)`.
        rng: Draws the resamples.
        n_resamples: Number of resamples.
        confidence_level: Probability that the interval covers, in `(0, 1)`.

    Raises:
        ValueError: As `bootstrap_ci`.
    """
    values = _resampled(
        metric, y_true, [*runs_a, *runs_b], groups, rng, n_resamples
    )
    a, b = np.split(values, [len(runs_a)])
    return percentile_interval(
        _mean_of_drawn(a, rng) - _mean_of_drawn(b, rng), confidence_level
    )


def _mean_of_drawn(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws as many runs as there are, anew for each resample."""
    drawn = rng.integers(len(values), size=values.shape)
    return np.take_along_axis(values, drawn, axis=0).mean(axis=0)


def percentile_interval(
    values: np.ndarray, confidence_level: float = 0.95
) -> ConfidenceInterval:
    """The interval between two quantiles of resampled values.

    Args:
        values: Array of shape `(n_resamples,)`.
        confidence_level: Probability that the interval covers, in `(0, 1)`.

    Raises:
        ValueError: If `confidence_level` is out of range.
    """
    if not 0 < confidence_level < 1:
        raise ValueError(
            "Expected `confidence_level` between 0 and 1. "
            f"Received: confidence_level={confidence_level}."
        )
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return ConfidenceInterval(float(low), float(high))


def _resampled(
    metric: Metric,
    y_true: np.ndarray,
    contenders: list[np.ndarray],
    groups: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int,
) -> np.ndarray:
    """Values of the metric, `(num_contenders, n_resamples)`."""
    y_true, groups = np.asarray(y_true), np.asarray(groups)
    contenders = [np.asarray(y_score) for y_score in contenders]
    lengths = [len(groups), *map(len, contenders)]
    if set(lengths) != {len(y_true)}:
        raise ValueError(
            f"Expected one score and one group for each of {len(y_true)} "
            f"windows. Received: {lengths[0]} groups and {lengths[1:]} scores."
        )
    if n_resamples < 1:
        raise ValueError(
            "Expected at least one resample. "
            f"Received: n_resamples={n_resamples}."
        )
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    if len(members) < 2:
        raise ValueError(
            "Expected at least two groups to resample. "
            f"Received: {len(members)}. Pass the patient of each window."
        )
    drawn = np.array(
        [
            rng.integers(len(members), size=len(members))
            for _ in range(n_resamples)
        ]
    )
    if isinstance(metric, CountMetric):
        rows = [
            _from_counts(metric, y_true, y_pred, members, drawn)
            for y_pred in contenders
        ]
    else:
        rows = [
            _from_windows(metric, y_true, y_score, members, drawn)
            for y_score in contenders
        ]
    values = np.array(rows)
    if not np.isfinite(values).all():
        raise ValueError(
            "Expected a metric that is finite on every resample. Received: "
            f"{np.count_nonzero(~np.isfinite(values))} values that are not; "
            "fix the set of classes, and count an empty ratio as 0."
        )
    return values


def _from_counts(
    metric: CountMetric,
    y_true: np.ndarray,
    y_pred: np.ndarray,
    members: list[np.ndarray],
    drawn: np.ndarray,
) -> np.ndarray:
    per_group = np.array([metric.counts(y_true[m], y_pred[m]) for m in members])
    times_drawn = np.array(
        [np.bincount(d, minlength=len(members)) for d in drawn]
    )
    return metric.from_counts(np.tensordot(times_drawn, per_group, axes=1))


def _from_windows(
    metric: Metric,
    y_true: np.ndarray,
    y_score: np.ndarray,
    members: list[np.ndarray],
    drawn: np.ndarray,
) -> np.ndarray:
    values = np.empty(len(drawn))
    for i, groups in enumerate(drawn):
        index = np.concatenate([members[g] for g in groups])
        values[i] = metric(y_true[index], y_score[index])
    return values

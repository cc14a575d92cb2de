"""Distributions behind scores, as small plain data for a report."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_hypertinypw.evaluation.bootstrap import (
    Metric,
    bootstrap_values,
    percentile_interval,
)

# Log-odds: a probability of 0.001 and one of 0.999 are near +-7.
_EDGES = np.linspace(-8, 8, 33)
_BINS = 30
# Prefixes of the resamples at which the ends of the interval are read.
_NUM_STEPS = 16
# Further draws, which show by how much the ends depend on the draw.
_NUM_REPEATS = 4


def count_log_odds(
    probability: np.ndarray, is_positive: np.ndarray, *, name: str
) -> dict[str, list]:
    """Counts probabilities on an axis that spreads both ends.

    Args:
        probability: Of the positive class, `(num_windows,)`.
        is_positive: Whether it is the true one, `(num_windows,)`.
        name: Key of its counts.

    Returns:
        `{"edges", name, "rest"}`; the outermost bins hold everything beyond
        them.
    """
    # A probability of exactly 0 or 1 has no finite log-odds.
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    log_odds = np.log(inside / (1 - inside)).clip(_EDGES[0], _EDGES[-1])
    return {
        "edges": _EDGES.tolist(),
        name: np.histogram(log_odds[is_positive], _EDGES)[0].tolist(),
        "rest": np.histogram(log_odds[~is_positive], _EDGES)[0].tolist(),
    }


def resample(
    metric: Metric,
    y_true: np.ndarray,
    y_score: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int,
    n_resamples: int,
) -> tuple[dict[str, list], dict[str, Any]]:
    """Repeats a bootstrap, and draws it some more times.

    Args:
        metric: As for `bootstrap_values`, like the next three.
        y_true: True classes.
        y_score: What `metric` takes.
        groups: Group of each window.
        seed: Of the bootstrap; further draws have the next seeds.
        n_resamples: Of each draw.

    Returns:
        `{"edges", "counts"}` of the values, and `{"n_resamples", "draws"}`:
        the ends of the interval after so many resamples,
        `draws[i]["low"]` and `["high"]`. The first draw is that of `seed`.
    """
    draws = [
        bootstrap_values(
            metric,
            y_true,
            y_score,
            groups=groups,
            rng=np.random.default_rng(seed + repeat),
            n_resamples=n_resamples,
        )
        for repeat in range(1 + _NUM_REPEATS)
    ]
    counts, edges = np.histogram(draws[0], bins=_BINS)
    histogram = {"edges": edges.tolist(), "counts": counts.tolist()}
    return histogram, _settle(draws)


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

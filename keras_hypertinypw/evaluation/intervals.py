"""Metrics with their bootstrap intervals, as values and as text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_hypertinypw.evaluation.bootstrap import Metric, bootstrap_ci

# Each metric with the true and the decided classes (or scores) it compares.
Decisions = Mapping[str, tuple[Metric, np.ndarray, np.ndarray]]


def with_intervals(
    decisions: Decisions, groups: np.ndarray, *, seed: int, n_resamples: int
) -> dict[str, dict[str, float]]:
    """Returns `{name: {"value", "low", "high"}}`, 95 % intervals over groups.

    Args:
        decisions: Metrics and what they compare, by name.
        groups: Group of each window, `(num_windows,)`.
        seed: Of the bootstrap, for each metric anew.
        n_resamples: Of the bootstrap.
    """
    found = {}
    for name, (metric, truth, decision) in decisions.items():
        interval = bootstrap_ci(
            metric,
            truth,
            decision,
            groups=groups,
            rng=np.random.default_rng(seed),
            n_resamples=n_resamples,
        )
        found[name] = {
            "value": float(metric(truth, decision)),
            "low": interval.low,
            "high": interval.high,
        }
    return found


def line(name: str, value: Mapping[str, float]) -> str:
    """Returns a line of a table: name, value and interval."""
    return (
        f"{name:<26}{value['value']:.3f}  "
        f"[{value['low']:.3f}, {value['high']:.3f}]"
    )

"""Metrics, thresholds and confidence intervals, in numpy alone."""

from keras_hypertinypw.evaluation.bootstrap import (
    ConfidenceInterval,
    bootstrap_ci,
    bootstrap_difference,
    bootstrap_runs_difference,
    bootstrap_values,
    percentile_interval,
)
from keras_hypertinypw.evaluation.metrics import (
    CountMetric,
    accuracy,
    balanced_accuracy,
    binary_f1,
    class_f1,
    class_positive_predictivity,
    class_sensitivity,
    confusion_counts,
    macro_f1,
    merge_classes,
    positive_predictivity,
    sensitivity,
    specificity,
)
from keras_hypertinypw.evaluation.threshold import tune_threshold

__all__ = [
    "ConfidenceInterval",
    "CountMetric",
    "accuracy",
    "balanced_accuracy",
    "binary_f1",
    "bootstrap_ci",
    "bootstrap_difference",
    "bootstrap_runs_difference",
    "bootstrap_values",
    "class_f1",
    "class_positive_predictivity",
    "class_sensitivity",
    "confusion_counts",
    "macro_f1",
    "merge_classes",
    "percentile_interval",
    "positive_predictivity",
    "sensitivity",
    "specificity",
    "tune_threshold",
]

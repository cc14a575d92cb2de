"""The tasks of the frontier: data, network and score of each.

MIT-BIH V-versus-rest is the four-class network with t* on its probability of
V, so it is scored beside "mitdb" and trained once. "mitdb_beats" splits beats
at random, patients mixed: a test of capacity, not of generalization.
"arabic_40_wide" is the pair at the paper's scale: 18 times the multiply-
accumulates, so fewer epochs, for both alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_hypertinypw import models  # isort: skip  Before tensorflow.
import numpy as np
import tf_keras as keras

from keras_hypertinypw import tasks
from keras_hypertinypw.batches import Augment
from keras_hypertinypw.datasets.splits import SPLITS
from keras_hypertinypw.datasets.windows import Windows, concatenate, select
from keras_hypertinypw.evaluation import beats, metrics
from keras_hypertinypw.evaluation.bootstrap import bootstrap_ci
from keras_hypertinypw.run_config import Schedule

BOOTSTRAP_SEED = 0
_BEAT_SPLIT_SEED = 0
_BEAT_SPLIT = (0.6, 0.8)  # Ends of training and of validation.


@dataclasses.dataclass(frozen=True)
class Task:
    """What a network is trained for.

    Attributes:
        load: Returns the windows of a split.
        network: `models.ecg_network` or `models.ds_cnn`.
        schedule: The training budget, the same for every contender.
        augment: Changes the windows in training, for every contender.
        given_width: Channels of the network that may not be redesigned.
        pair: The contenders that are compared on that network alone; empty
            for all, on it and at every budget.
    """

    load: Callable[[str], Windows]
    network: Callable[..., keras.Model]
    schedule: Schedule
    augment: Augment | None = None
    given_width: int = 128
    pair: tuple[str, ...] = ()


def _load_beats(split: str) -> Windows:
    """Returns a random part of all beats of both sets of patients."""
    load = tasks.TASKS["mitdb"].load
    everything = concatenate([load(name) for name in SPLITS])
    order = np.random.default_rng(_BEAT_SPLIT_SEED).permutation(len(everything))
    ends = [0, *(int(len(order) * end) for end in _BEAT_SPLIT), len(order)]
    index = SPLITS.index(split)
    chosen = np.sort(order[ends[index] : ends[index + 1]])
    return select(everything, chosen)


def _registered(name: str, schedule: Schedule | None = None) -> Task:
    """Returns what a user's training takes, with another schedule if given."""
    task = tasks.TASKS[name]
    return Task(
        task.load,
        getattr(models, task.network),
        schedule or task.schedule,
        task.augment,
    )


_ECG = Schedule(
    float_epochs=12, quantized_epochs=8, quantized_learning_rate=1e-3
)
_WIDE = Schedule(
    float_epochs=10, quantized_epochs=6, quantized_learning_rate=1e-3
)
TASKS = {
    "arabic_40": _registered("arabic_40"),
    "speech_v1": _registered("speech_v1"),
    "mitdb": _registered("mitdb", _ECG),
    "mitdb_beats": Task(_load_beats, models.ecg_network, _ECG),
    "arabic_40_wide": dataclasses.replace(
        _registered("arabic_40", _WIDE),
        given_width=570,
        pair=("stored_int8", "gen_0.5"),
    ),
}


_TRAINED = {"mitdb_v": "mitdb"}  # Tasks that another one's training serves.


def trained_task(row_task: str) -> str:
    """Returns the key of `TASKS` whose training serves a row's task."""
    return _TRAINED.get(row_task, row_task)


def truth(row_task: str, windows: Windows) -> tuple[np.ndarray, int]:
    """Returns the classes of windows, and how many there are, for a row."""
    if row_task == "mitdb_v":
        return (windows.y == beats.V_CLASS).astype(int), 2
    return windows.y, len(windows.classes)


@dataclasses.dataclass(frozen=True, eq=False)
class Decided:
    """True and predicted classes of a task, by split.

    Attributes:
        num_classes: How many there are.
        validation: Both, for the windows that choose.
        test: Both, for the windows that are scored.
        threshold: t* where a probability decided, else None.
    """

    num_classes: int
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    threshold: float | None = None


def decide(
    task: str,
    validation: Windows,
    validation_logits: np.ndarray,
    test: Windows,
    test_logits: np.ndarray,
) -> dict[str, Decided]:
    """Returns what logits decide, by the task of a row.

    Args:
        task: A key of `TASKS`.
        validation: Windows that t* is tuned on.
        validation_logits: Their logits, `(num_windows, num_classes)`.
        test: Windows to score.
        test_logits: Their logits, likewise.
    """
    by_task = {
        task: Decided(
            len(test.classes),
            (validation.y, validation_logits.argmax(axis=1)),
            (test.y, test_logits.argmax(axis=1)),
        )
    }
    if task == "mitdb":
        threshold = beats.tune_v_threshold(validation.y, validation_logits)
        by_task["mitdb_v"] = Decided(
            truth("mitdb_v", test)[1],
            _v_versus_rest(validation, validation_logits, threshold),
            _v_versus_rest(test, test_logits, threshold),
            threshold,
        )
    return by_task


def scores(decided: Decided, groups: np.ndarray) -> dict[str, Any]:
    """Returns what a row says of test and validation.

    Args:
        decided: What a network decides.
        groups: Of the test windows.
    """
    metric = metrics.macro_f1.over(decided.num_classes)
    test = decided.test
    interval = bootstrap_ci(
        metric, *test, groups=groups, rng=np.random.default_rng(BOOTSTRAP_SEED)
    )
    found = {
        "macro_f1": metric(*test),
        "accuracy": metrics.accuracy.over(decided.num_classes)(*test),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "val_macro_f1": metric(*decided.validation),
    }
    if decided.threshold is not None:
        found |= {
            "threshold": decided.threshold,
            "sensitivity": metrics.sensitivity(*test),
            "specificity": metrics.specificity(*test),
        }
    return found


def _v_versus_rest(
    windows: Windows, logits: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    decided = beats.v_probability(logits) >= threshold
    return truth("mitdb_v", windows)[0], decided.astype(int)

"""Scores a `.tflite` on a data set, in TFLM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.evaluation import (
    beat_details,
    beats,
    class_details,
    class_scores,
)
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.progress import progress_bar
from keras_hypertinypw.tasks import Task

Scores = beats.BeatScores | class_scores.ClassScores
Details = beat_details.BeatDetails | class_details.ClassDetails

# Windows for each message to the interpreter, so that progress shows.
_CHUNK = 512


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What running a file on a data set gave.

    Attributes:
        scores: Scores on the test windows.
        details: Distributions behind them, for reports.
        arena_bytes: Arena that TFLM uses.
    """

    scores: Scores
    details: Details
    arena_bytes: int


def evaluate(
    content: bytes, validation: Windows, test: Windows, *, task: Task
) -> Evaluation:
    """Scores a `.tflite` in TFLM by the protocol of a task.

    Args:
        content: Bytes of the file.
        validation: Windows that thresholds are tuned on.
        test: Windows to score.
        task: Says how.

    Raises:
        ConversionError: If TFLM refuses the file.
        ValueError: If the file is not one of this task.
    """
    with Interpreter(content) as interpreter:
        _require_shape(interpreter, test, task)
        tuned, logits = (
            predict(interpreter, windows.x, f"TFLM, {name}", task.window)
            for name, windows in (("validation", validation), ("test", test))
        )
        arena_bytes = interpreter.arena_used_bytes or 0
    scores: Scores
    details: Details
    y, groups = test.y, test.groups
    if task.protocol == "beats":
        threshold = beats.tune_v_threshold(validation.y, tuned)
        scores = beats.score_beats(y, logits, groups, threshold=threshold)
        details = beat_details.describe_beats(y, logits, groups, scores)
    else:
        scores = class_scores.score_classes(
            y,
            logits,
            groups,
            classes=test.classes,
            thresholds=class_scores.tune_thresholds(
                validation.y, tuned, validation.classes
            ),
            window=task.window,
            group=task.group,
        )
        details = class_details.describe_classes(y, logits, groups, scores)
    return Evaluation(scores, details, arena_bytes)


def _require_shape(
    interpreter: Interpreter, windows: Windows, task: Task
) -> None:
    expected, received = windows.x.shape[1:], interpreter.input_shape[1:]
    if received != expected:
        raise ValueError(
            f"Expected a file for {task.title}, whose inputs are of shape "
            f"{expected}. Received: a file for inputs of shape {received}. "
            "Name the data set that it was trained on: `--dataset`."
        )


def read_scores(test: Mapping[str, Any], task: Task) -> Scores:
    """Returns the scores that a result holds under "test"."""
    if task.protocol == "beats":
        return beats.BeatScores(**test)
    return class_scores.ClassScores(**test)


def predict(
    interpreter: Interpreter, x: np.ndarray, name: str, unit: str
) -> np.ndarray:
    """Returns the logits of windows, with a progress bar.

    Args:
        interpreter: Of the file.
        x: Windows, float32, of shape `(num_windows, ...)`.
        name: What the bar says.
        unit: What a window is.
    """
    chunks = []
    with progress_bar(total=len(x), desc=name, unit=unit) as bar:
        for start in range(0, len(x), _CHUNK):
            chunks.append(interpreter.predict(x[start : start + _CHUNK]))
            bar.update(len(chunks[-1]))
    return np.concatenate(chunks)

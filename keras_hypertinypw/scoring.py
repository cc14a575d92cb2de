"""Scores a `.tflite` on a data set, in TFLM."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import numpy as np
from tqdm import tqdm

from keras_hypertinypw.datasets import mitdb, synthetic
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.evaluation import beat_details, beats
from keras_hypertinypw.interpreter import Interpreter

DATASETS: dict[str, ModuleType] = {"mitdb": mitdb, "synthetic": synthetic}
# Beats for each message to the interpreter, so that progress shows.
_CHUNK = 512


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What running a file on a data set gave.

    Attributes:
        scores: Scores on the test beats.
        details: Distributions behind them, for reports.
        arena_bytes: Arena that TFLM uses.
    """

    scores: beats.BeatScores
    details: beat_details.BeatDetails
    arena_bytes: int


def evaluate(content: bytes, validation: Windows, test: Windows) -> Evaluation:
    """Scores a `.tflite` in TFLM; t* comes from the validation beats."""
    with Interpreter(content) as interpreter:
        threshold = beats.tune_v_threshold(
            validation.y, _predict(interpreter, validation.x, "validation")
        )
        logits = _predict(interpreter, test.x, "test")
        arena_bytes = interpreter.arena_used_bytes or 0
    scores = beats.score_beats(test.y, logits, test.groups, threshold=threshold)
    details = beat_details.describe_beats(test.y, logits, test.groups, scores)
    return Evaluation(scores, details, arena_bytes)


def _predict(interpreter: Interpreter, x: np.ndarray, name: str) -> np.ndarray:
    chunks = []
    with tqdm(total=len(x), desc=f"TFLM, {name}", unit="beat") as bar:
        for start in range(0, len(x), _CHUNK):
            chunks.append(interpreter.predict(x[start : start + _CHUNK]))
            bar.update(len(chunks[-1]))
    return np.concatenate(chunks)

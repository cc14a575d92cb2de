"""The widest network of a kind in a file budget, sized and trained."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw import runs, scoring
from keras_hypertinypw.bias_narrowing import narrow_biases
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.environment import versions
from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.fit_kinds import KINDS, Kind
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.progress import stage
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.slim import slim
from keras_hypertinypw.tasks import Task
from keras_hypertinypw.width_search import (
    MARGIN,
    KnownSizes,
    untrained_file,
    widest,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One training of a candidate.

    Attributes:
        config: What was trained.
        content: Bytes of the slimmed `.tflite`.
        decisions: Classes of the validation windows, as TFLM decides.
        val_macro_f1: Their macro-F1.
        arena_bytes: Arena that TFLM uses.
    """

    config: RunConfig
    content: bytes
    decisions: np.ndarray
    val_macro_f1: float
    arena_bytes: int


class Search:
    """The widest network of a kind that fits, also when it is trained.

    Args:
        name: A key of `KINDS`.
        base: What all kinds have in common.
        budget: Bytes of file and ops.
        windows: To train on.
        folder: Gets sizes, and a folder for each width.
    """

    def __init__(
        self,
        name: str,
        base: RunConfig,
        budget: int,
        windows: Windows,
        folder: pathlib.Path,
    ) -> None:
        self._kind = KINDS[name]
        self._base = base
        self._windows = windows
        self._folder = folder
        self._file_budget = budget - self._kind.code_bytes
        # Sizes are those of however long it trains.
        same = dataclasses.replace(base, schedule=Schedule())
        smallest = configure(same, self._kind, self._kind.least_width)
        self._sizes = KnownSizes(
            folder / "sizes.json",
            functools.partial(_untrained, base, self._kind, windows),
            of={
                "config": dataclasses.asdict(smallest),
                "versions": versions(),
            },
        )

    def width(self) -> int | None:
        """Returns the channels of the network, None if none fits."""
        return widest(
            self._sizes.measure,
            self._file_budget,
            least=self._kind.least_width,
        )

    def least_bytes(self) -> int:
        """Returns the least budget: the smallest network, ops and a margin."""
        smallest = self._sizes.measure(self._kind.least_width)
        return smallest + self._kind.code_bytes + MARGIN

    def train(
        self, seeds: Sequence[int], validation: Windows, task: Task, bar: tqdm
    ) -> list[Run]:
        """Returns trainings from each seed, none if no network is left.

        A file that turns out too large for the budget, since fewer of its
        vectors are equal than was foreseen, is followed by a narrower network.

        Args:
            seeds: Of trainings.
            validation: Windows that choose an epoch.
            task: What the data set is.
            bar: Counts trainings.
        """
        while (width := self.width()) is not None:
            config = configure(self._base, self._kind, width)
            found = []
            for seed in seeds:
                run = _train(
                    self._kind,
                    _with_seed(config, seed),
                    task,
                    self._windows,
                    validation,
                    self._folder / f"width_{width}" / f"seed_{seed}",
                )
                if len(run.content) > self._file_budget:
                    self._sizes.correct(width, len(run.content))
                    break
                found.append(run)
                bar.update()
            else:
                return found
        return []


def _with_seed(config: RunConfig, seed: int) -> RunConfig:
    schedule = dataclasses.replace(config.schedule, seed=seed)
    return dataclasses.replace(config, schedule=schedule)


def configure(base: RunConfig, kind: Kind, width: int) -> RunConfig:
    """Returns what trains a kind's network of that many channels."""
    schedule = dataclasses.replace(
        base.schedule,
        kernel_bits=kind.kernel_bits,
        kernel_per_channel=not kind.bare,
    )
    return dataclasses.replace(
        base, schedule=schedule, width=width, **kind.config
    )


def _untrained(
    base: RunConfig, kind: Kind, windows: Windows, width: int
) -> bytes:
    sys.stderr.write(f"Sizing the {kind.title} network, {width} wide\n")
    config = configure(base, kind, width)
    return untrained_file(
        runs.build_model(config, windows.x.shape[1:], len(windows.classes)),
        lambda model: _to_tflite(kind, model, config, verify=False),
        kernel_bits=config.schedule.kernel_bits,
        kernel_per_channel=config.schedule.kernel_per_channel,
    )


def _train(
    kind: Kind,
    config: RunConfig,
    task: Task,
    windows: Windows,
    validation: Windows,
    folder: pathlib.Path,
) -> Run:
    trained = runs.train_network(config, windows, validation, folder)
    with stage("Converting"):
        content = slim(_to_tflite(kind, trained.model, config))
    write_atomically(folder / "model.tflite", content)
    with Interpreter(content) as interpreter:
        logits = scoring.predict(
            interpreter, validation.x, "TFLM, validation", task.window
        )
        arena_bytes = interpreter.arena_used_bytes or 0
    decisions = logits.argmax(axis=1)
    score = macro_f1(validation, decisions)
    return Run(config, content, decisions, score, arena_bytes)


def _to_tflite(
    kind: Kind, model: keras.Model, config: RunConfig, *, verify: bool = True
) -> bytes:
    """Converts a network, with narrow biases if its kind has them."""
    content = runs.config_to_tflite(model, config, verify=verify)
    return narrow_biases(content) if kind.bare else content


def macro_f1(windows: Windows, decisions: np.ndarray) -> float:
    """Returns the macro-F1 of decided classes, `(num_windows,)`."""
    metric = metrics.macro_f1.over(len(windows.classes))
    return metric(windows.y, decisions)

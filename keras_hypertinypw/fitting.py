"""Fits a network into a file budget: several kinds, the best on validation."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw import checks, runs, scoring
from keras_hypertinypw.bias_narrowing import narrow_biases
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.environment import versions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.evaluation import metrics, selection
from keras_hypertinypw.evaluation.bootstrap import (
    bootstrap_values,
    percentile_interval,
)
from keras_hypertinypw.files import write_atomically, write_json
from keras_hypertinypw.fit_kinds import KINDS, Kind
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.progress import progress_bar, stage
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.slim import slim
from keras_hypertinypw.tasks import TASKS, Task
from keras_hypertinypw.width_search import KnownSizes, untrained_file, widest

_BOOTSTRAP_SEED = 0


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


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A candidate, trained from each seed.

    Attributes:
        kind: A key of `KINDS`.
        runs: One for each seed.
    """

    kind: str
    runs: Sequence[Run]

    @property
    def best(self) -> Run:
        """The best run on validation, whose file is the one to use."""
        return max(self.runs, key=lambda run: run.val_macro_f1)

    @property
    def name(self) -> str:
        """Of the network, in a sentence."""
        title = KINDS[self.kind].title
        return f"the {title} network of width {self.best.config.width}"


def fit(
    dataset: str,
    budget: int,
    out: pathlib.Path,
    *,
    schedule: Schedule,
    kinds: Sequence[str] = tuple(KINDS),
    num_seeds: int = 1,
    data_dir: str | None = None,
    download: bool = False,
    command: str,
) -> dict[str, Any]:
    """Trains the widest network of each kind, and chooses on validation.

    Of several seeds their mean decides, and the best file of the chosen kind
    is kept: one seed may be points above or below another one.

    Interrupted, the same call continues from its checkpoints.

    Args:
        dataset: A key of `tasks.TASKS`.
        budget: Bytes of flash for the slimmed file, and for the op's code if
            the network needs it.
        out: Folder; gets `model.tflite`, `fit.json` and a folder for each
            kind, with one for each width and seed inside.
        schedule: The same for every kind; its seed is the first one.
        kinds: Keys of `KINDS` to try.
        num_seeds: How many times each kind is trained.
        data_dir: Folder of the data set.
        download: Whether to download what is not there.
        command: The command line, for the record.

    Returns:
        What `fit.json` holds.

    Raises:
        ConversionError: If no network fits the budget.
        ValueError: If a window of the data set can have several classes, or
            `num_seeds` is not positive.
    """
    checks.positive_int("num_seeds", num_seeds)
    task = TASKS[dataset]
    if task.multi_label:
        raise ValueError(
            "Expected a data set whose windows have one class each. Received: "
            f"'{dataset}', with several labels. Compare widths by hand, with "
            "`hypertinypw train`."
        )
    windows, validation, test = (
        task.load(split, data_dir=data_dir, download=download)
        for split in ("train", "validation", "test")
    )
    base = RunConfig(dataset=dataset, schedule=schedule)
    searches = {
        name: _Search(name, base, budget, windows, out / name) for name in kinds
    }
    fitting = [name for name in kinds if searches[name].width() is not None]
    seeds = range(schedule.seed, schedule.seed + num_seeds)
    with progress_bar(
        total=len(fitting) * num_seeds, desc="Trainings", unit="training"
    ) as bar:
        runs_by_kind = {
            name: searches[name].train(seeds, validation, task, bar)
            for name in fitting
        }
    fitted = [
        Fitted(name, found) for name, found in runs_by_kind.items() if found
    ]
    if not fitted:
        smallest = min(search.least_bytes() for search in searches.values())
        raise ConversionError(
            "Expected a budget that holds a network. Received: "
            f"{budget:,} B; the smallest one takes {smallest:,} B. Raise the "
            "budget."
        )
    choice = selection.choose(
        [
            selection.Candidate(
                f.name,
                KINDS[f.kind].generates,
                [run.decisions for run in f.runs],
            )
            for f in fitted
        ],
        validation.y,
        validation.groups,
        num_classes=len(validation.classes),
        rng=np.random.default_rng(_BOOTSTRAP_SEED),
    )
    chosen = fitted[choice.index]
    best = chosen.best
    # The last look: only the chosen network meets the test windows.
    evaluation = scoring.evaluate(best.content, validation, test, task=task)
    result = {
        "budget_bytes": budget,
        "kinds": [_row(f, validation) for f in fitted],
        "left_out": [
            kind for kind in kinds if kind not in {f.kind for f in fitted}
        ],
        "chosen": chosen.kind,
        "reason": choice.reason,
        "config": dataclasses.asdict(best.config),
        "data_dir": data_dir,
        "test": evaluation.scores.to_dict(),
        "command": command,
        "versions": versions(),
    }
    write_atomically(out / "model.tflite", best.content)
    write_json(out / "fit.json", result)
    return result


class _Search:
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
        """Returns what the smallest network takes, its ops included."""
        smallest = self._sizes.measure(self._kind.least_width)
        return smallest + self._kind.code_bytes

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


def _row(fitted: Fitted, validation: Windows) -> dict[str, Any]:
    best = fitted.best
    values = [
        bootstrap_values(
            metrics.macro_f1.over(len(validation.classes)),
            validation.y,
            run.decisions,
            groups=validation.groups,
            rng=np.random.default_rng(_BOOTSTRAP_SEED),  # The same groups.
        )
        for run in fitted.runs
    ]
    interval = percentile_interval(np.mean(values, axis=0))
    scores = {run.config.schedule.seed: run.val_macro_f1 for run in fitted.runs}
    return {
        "kind": fitted.kind,
        "width": best.config.width,
        "file_bytes": len(best.content),
        "op_code_bytes": KINDS[fitted.kind].code_bytes,
        "arena_bytes": best.arena_bytes,
        "val_macro_f1": float(np.mean(list(scores.values()))),
        "low": interval.low,
        "high": interval.high,
        "seeds": scores,
    }

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

from keras_hypertinypw import runs, scoring
from keras_hypertinypw.bias_narrowing import narrow_biases
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.environment import versions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.evaluation import metrics, selection
from keras_hypertinypw.evaluation.bootstrap import bootstrap_ci
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
class Fitted:
    """A trained candidate.

    Attributes:
        kind: A key of `KINDS`.
        config: What was trained.
        content: Bytes of the slimmed `.tflite`.
        decisions: Classes of the validation windows, as TFLM decides.
        arena_bytes: Arena that TFLM uses.
    """

    kind: str
    config: RunConfig
    content: bytes
    decisions: np.ndarray
    arena_bytes: int

    @property
    def name(self) -> str:
        """Of the network, in a sentence."""
        title = KINDS[self.kind].title
        return f"the {title} network of width {self.config.width}"


def fit(
    dataset: str,
    budget: int,
    out: pathlib.Path,
    *,
    schedule: Schedule,
    kinds: Sequence[str] = tuple(KINDS),
    data_dir: str | None = None,
    download: bool = False,
    command: str,
) -> dict[str, Any]:
    """Trains the widest network of each kind, and chooses on validation.

    Interrupted, the same call continues from its checkpoints.

    Args:
        dataset: A key of `tasks.TASKS`.
        budget: Bytes of flash for the slimmed file, and for the op's code if
            the network needs it.
        out: Folder; gets `model.tflite`, `fit.json` and a folder for each
            kind.
        schedule: The same for every kind.
        kinds: Keys of `KINDS` to try.
        data_dir: Folder of the data set.
        download: Whether to download what is not there.
        command: The command line, for the record.

    Returns:
        What `fit.json` holds.

    Raises:
        ConversionError: If no network fits the budget.
        ValueError: If a window of the data set can have several classes.
    """
    task = TASKS[dataset]
    windows, validation, test = (
        task.load(split, data_dir=data_dir, download=download)
        for split in ("train", "validation", "test")
    )
    if validation.multi_label:
        raise ValueError(
            "Expected a data set whose windows have one class each. Received: "
            f"'{dataset}', with several labels. Compare widths by hand, with "
            "`hypertinypw train`."
        )
    base = RunConfig(dataset=dataset, schedule=schedule)
    configs = _configs(kinds, base, budget, windows, out)
    fitted = [
        _train(kind, config, task, windows, validation, out / kind)
        for kind, config in progress_bar(
            configs.items(), desc="Kinds", unit="kind"
        )
    ]
    choice = selection.choose(
        [
            selection.Candidate(f.name, KINDS[f.kind].needs_op, f.decisions)
            for f in fitted
        ],
        validation.y,
        validation.groups,
        num_classes=len(validation.classes),
        rng=np.random.default_rng(_BOOTSTRAP_SEED),
    )
    best = fitted[choice.index]
    # The last look: only the chosen network meets the test windows.
    evaluation = scoring.evaluate(best.content, validation, test, task=task)
    result = {
        "budget_bytes": budget,
        "kinds": [_row(f, validation) for f in fitted],
        "left_out": [kind for kind in kinds if kind not in configs],
        "chosen": best.kind,
        "reason": choice.reason,
        "config": dataclasses.asdict(best.config),
        "test": evaluation.scores.to_dict(),
        "command": command,
        "versions": versions(),
    }
    write_atomically(out / "model.tflite", best.content)
    write_json(out / "fit.json", result)
    return result


def _configs(
    kinds: Sequence[str],
    base: RunConfig,
    budget: int,
    windows: Windows,
    out: pathlib.Path,
) -> dict[str, RunConfig]:
    """Returns the widest network of each kind that has one."""
    found: dict[str, RunConfig] = {}
    taken: list[int] = []
    for name in kinds:
        kind = KINDS[name]
        sizes = KnownSizes(
            out / name / "sizes.json",
            functools.partial(_untrained, base, kind, windows),
        )
        width = widest(
            sizes.measure,
            budget - kind.code_bytes,
            least=kind.least_width,
        )
        if width is not None:
            found[name] = _config(base, kind, width)
        else:
            taken.append(sizes.measure(kind.least_width) + kind.code_bytes)
    if not found:
        raise ConversionError(
            "Expected a budget that holds a network. Received: "
            f"{budget:,} B; the smallest one takes {min(taken):,} B. Raise the "
            "budget."
        )
    return found


def _config(base: RunConfig, kind: Kind, width: int) -> RunConfig:
    schedule = dataclasses.replace(base.schedule, kernel_bits=kind.kernel_bits)
    return dataclasses.replace(
        base, schedule=schedule, width=width, **kind.config
    )


def _untrained(
    base: RunConfig, kind: Kind, windows: Windows, width: int
) -> bytes:
    sys.stderr.write(f"Sizing the {kind.title} network, {width} wide\n")
    config = _config(base, kind, width)
    return untrained_file(
        runs.build_model(config, windows.x.shape[1:], len(windows.classes)),
        lambda model: _to_tflite(kind, model, config, verify=False),
        kernel_bits=kind.kernel_bits,
    )


def _train(
    kind: str,
    config: RunConfig,
    task: Task,
    windows: Windows,
    validation: Windows,
    folder: pathlib.Path,
) -> Fitted:
    trained = runs.train_network(config, windows, validation, folder)
    with stage("Converting"):
        content = slim(_to_tflite(KINDS[kind], trained.model, config))
    write_atomically(folder / "model.tflite", content)
    with Interpreter(content) as interpreter:
        logits = scoring.predict(
            interpreter, validation.x, "TFLM, validation", task.window
        )
        arena_bytes = interpreter.arena_used_bytes or 0
    return Fitted(kind, config, content, logits.argmax(axis=1), arena_bytes)


def _to_tflite(
    kind: Kind, model: keras.Model, config: RunConfig, *, verify: bool = True
) -> bytes:
    """Converts a network, with narrow biases if its kind has them."""
    content = runs.config_to_tflite(model, config, verify=verify)
    return narrow_biases(content) if kind.narrow else content


def macro_f1(windows: Windows, decisions: np.ndarray) -> float:
    """Returns the macro-F1 of decided classes, `(num_windows,)`."""
    metric = metrics.macro_f1.over(len(windows.classes))
    return metric(windows.y, decisions)


def _row(fitted: Fitted, validation: Windows) -> dict[str, Any]:
    interval = bootstrap_ci(
        metrics.macro_f1.over(len(validation.classes)),
        validation.y,
        fitted.decisions,
        groups=validation.groups,
        rng=np.random.default_rng(_BOOTSTRAP_SEED),
    )
    return {
        "kind": fitted.kind,
        "width": fitted.config.width,
        "file_bytes": len(fitted.content),
        "op_code_bytes": KINDS[fitted.kind].code_bytes,
        "arena_bytes": fitted.arena_bytes,
        "val_macro_f1": macro_f1(validation, fitted.decisions),
        "low": interval.low,
        "high": interval.high,
    }

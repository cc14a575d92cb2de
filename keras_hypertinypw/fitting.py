"""Fits a network into a file budget: several kinds, the best on validation."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_hypertinypw import checks, scoring
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.environment import versions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.evaluation import metrics, selection
from keras_hypertinypw.evaluation.bootstrap import (
    bootstrap_values,
    percentile_interval,
)
from keras_hypertinypw.files import write_atomically, write_json
from keras_hypertinypw.fit_kinds import KINDS
from keras_hypertinypw.fit_search import Run, Search
from keras_hypertinypw.progress import progress_bar
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.tasks import TASKS

_BOOTSTRAP_SEED = 0


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
        name: Search(name, base, budget, windows, out / name) for name in kinds
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
        least = min(search.least_bytes() for search in searches.values())
        more = "" if len(searches) == len(KINDS) else ", or try more kinds"
        raise ConversionError(
            "Expected a budget that holds a network. Received: "
            f"{budget:,} B; the smallest one needs {least:,} B. Raise the "
            f"budget{more}."
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

"""Fits a network into a file budget: several kinds, the best on validation."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw import runs, scoring
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.environment import versions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.evaluation import metrics, selection
from keras_hypertinypw.evaluation.bootstrap import bootstrap_ci
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.op_size import op_code_bytes
from keras_hypertinypw.progress import stage
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.slim import slim
from keras_hypertinypw.tasks import TASKS, Task
from keras_hypertinypw.training import train
from keras_hypertinypw.width_search import untrained_file, widest

_BOOTSTRAP_SEED = 0


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to spend the bytes of pointwise kernels.

    Attributes:
        title: As in "the stored int8 network".
        kernel_bits: Of stored kernels.
        config: Fields of `RunConfig` that make it.
    """

    title: str
    kernel_bits: int
    config: dict[str, Any]

    @property
    def needs_op(self) -> bool:
        """Whether its firmware needs GeneratePW."""
        return not self.config.get("stored")

    @property
    def code_bytes(self) -> int:
        """Flash of the op, without its faster path."""
        return op_code_bytes(fastest=False) if self.needs_op else 0


def _generated(title: str, block_size: int, hidden_units: int) -> Kind:
    return Kind(
        title,
        4,
        {
            "generate_first": True,
            "hidden_units": (hidden_units,),
            "code_dim": 16,
            "code_bits": 1,
            "block_size": block_size,
            "use_skip": True,
        },
    )


# The best of each family in `benchmarks/results/frontier.jsonl`.
KINDS = {
    "stored_int8": Kind("stored int8", 8, {"stored": True}),
    "stored_int4": Kind("stored int4", 4, {"stored": True}),
    "generated_1": _generated("generated (1 bit a weight)", 16, 16),
    "generated_0.5": _generated("generated (0.5 bit a weight)", 32, 32),
}


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
        return f"the {KINDS[self.kind].title} network of width " + str(
            self.config.width
        )

    @property
    def total_bytes(self) -> int:
        """Bytes of the file, and of the op if it needs it."""
        return len(self.content) + KINDS[self.kind].code_bytes


def fit(
    dataset: str,
    budget: int,
    out: pathlib.Path,
    *,
    schedule: Schedule,
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
    if validation.y.ndim != 1:
        raise ValueError(
            "Expected a data set whose windows have one class each. Received: "
            f"'{dataset}', with several labels. Compare widths by hand, with "
            "`hypertinypw train`."
        )
    base = RunConfig(dataset=dataset, schedule=schedule)
    configs = _configs(base, budget, windows, out)
    fitted = [
        _train(kind, config, task, windows, validation, out / kind)
        for kind, config in tqdm(configs.items(), desc="Kinds", unit="kind")
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
        "left_out": [kind for kind in KINDS if kind not in configs],
        "chosen": best.kind,
        "reason": choice.reason,
        "config": dataclasses.asdict(best.config),
        "test": evaluation.scores.to_dict(),
        "command": command,
        "versions": versions(),
    }
    write_atomically(out / "model.tflite", best.content)
    write_atomically(
        out / "fit.json", (json.dumps(result, indent=1) + "\n").encode()
    )
    return result


def _configs(
    base: RunConfig, budget: int, windows: Windows, out: pathlib.Path
) -> dict[str, RunConfig]:
    """Returns the widest network of each kind that has one."""
    found: dict[str, RunConfig] = {}
    least = None
    for name, kind in tqdm(KINDS.items(), desc="Sizing", unit="kind"):
        sizes = _Sizes(base, kind, windows, out / name / "sizes.json")
        width = widest(
            sizes.measure,
            budget - kind.code_bytes,
            least=8 if kind.needs_op else 2,
        )
        if width is not None:
            found[name] = sizes.config(width)
        elif not kind.needs_op:
            least = min(least or sizes.measure(2), sizes.measure(2))
    if not found:
        raise ConversionError(
            "Expected a budget that holds a network. Received: "
            f"{budget:,} B; the smallest one, of width 2, takes {least:,} B. "
            "Raise the budget."
        )
    return found


class _Sizes:
    """Sizes of untrained files of a kind, kept between calls."""

    def __init__(
        self,
        base: RunConfig,
        kind: Kind,
        windows: Windows,
        path: pathlib.Path,
    ) -> None:
        self._base, self._kind, self._path = base, kind, path
        self._shape = windows.x.shape[1:]
        self._num_classes = len(windows.classes)
        self._known: dict[str, int] = {}
        if path.exists():
            self._known = json.loads(path.read_text())

    def config(self, width: int) -> RunConfig:
        """Returns what makes a network of that width."""
        schedule = dataclasses.replace(
            self._base.schedule, kernel_bits=self._kind.kernel_bits
        )
        return dataclasses.replace(
            self._base, schedule=schedule, width=width, **self._kind.config
        )

    def measure(self, width: int) -> int:
        """Returns the bytes of a slimmed file."""
        if str(width) not in self._known:
            config = self.config(width)
            content = untrained_file(
                runs.build_model(config, self._shape, self._num_classes),
                lambda model: _to_tflite(model, config),
                kernel_bits=self._kind.kernel_bits,
            )
            # Else every graph that was ever built stays in memory.
            keras.backend.clear_session()
            self._known[str(width)] = len(content)
            write_atomically(self._path, json.dumps(self._known).encode())
        return self._known[str(width)]


def _to_tflite(model: Any, config: RunConfig, *, verify: bool = False) -> bytes:
    return runs.to_tflite(
        model,
        stored=config.stored,
        kernel_bits=config.schedule.kernel_bits,
        verify=verify,
    )


def _train(
    kind: str,
    config: RunConfig,
    task: Task,
    windows: Windows,
    validation: Windows,
    folder: pathlib.Path,
) -> Fitted:
    shape, num_classes = windows.x.shape[1:], len(windows.classes)
    trained = train(
        lambda: runs.build_model(config, shape, num_classes),
        windows,
        validation,
        schedule=config.schedule,
        checkpoint_dir=folder / "checkpoints",
        augment=task.augment,
    )
    with stage("Converting"):
        content = slim(_to_tflite(trained.model, config, verify=True))
    write_atomically(folder / "model.tflite", content)
    with Interpreter(content) as interpreter:
        logits = scoring.predict(
            interpreter, validation.x, "TFLM, validation", task.window
        )
        arena_bytes = interpreter.arena_used_bytes or 0
    return Fitted(kind, config, content, logits.argmax(axis=1), arena_bytes)


def _row(fitted: Fitted, validation: Windows) -> dict[str, Any]:
    metric = metrics.macro_f1.over(len(validation.classes))
    interval = bootstrap_ci(
        metric,
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
        "val_macro_f1": metric(validation.y, fitted.decisions),
        "low": interval.low,
        "high": interval.high,
    }

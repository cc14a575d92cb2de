"""The phases of training: float, quantization-aware, codes; resumable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw.batches import Augment, Batches, class_weights
from keras_hypertinypw.checkpoint import Checkpoint
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.evaluation.class_scores import validation_macro_f1
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.progress import progress_bar
from keras_hypertinypw.quantization import (
    freeze_all_but_codes,
    freeze_codes,
    quantize_model,
)
from keras_hypertinypw.run_config import Schedule, complete_schedule

CALIBRATION_WINDOWS = 512


@dataclasses.dataclass(frozen=True)
class _Phase:
    """One run of Adam, from its rate down to zero by a cosine."""

    name: str
    epochs: int
    learning_rate: float


@dataclasses.dataclass(frozen=True)
class Trained:
    """What training returns.

    Attributes:
        model: The quantized model with the weights of its best epoch.
        history: Loss and validation macro-F1 of every epoch, by phase.
    """

    model: keras.Model
    history: dict[str, list[dict[str, float]]]


def train(
    build: Callable[[], keras.Model],
    train_windows: Windows,
    validation_windows: Windows,
    *,
    schedule: Schedule,
    checkpoint_dir: pathlib.Path,
    augment: Augment | None = None,
) -> Trained:
    """Trains in float, quantizes, fine-tunes; keeps the best epoch of each.

    Codes of less than eight bits learn in float alone, see `freeze_codes`.
    The best epoch is that of the highest validation macro-F1. After an
    interruption the same call continues with the epoch that was running.

    Args:
        build: Makes the float model, the same at every call.
        train_windows: Windows to fit.
        validation_windows: Windows that choose the epoch.
        schedule: Epochs, rates, seed.
        checkpoint_dir: Where checkpoints are kept.
        augment: Changes the windows of each batch, see `Batches`.

    Raises:
        ValueError: If the checkpoints there are of another model, schedule
            or data, or damaged.
        OSError: If a checkpoint cannot be written.
        RuntimeError: If TensorFlow fails.
    """
    keras.utils.set_random_seed(schedule.seed)
    model = build()
    data = (train_windows, validation_windows)
    _claim_folder(checkpoint_dir, model, data, schedule)

    def fit(fitted: keras.Model, phase: _Phase) -> list[dict[str, float]]:
        return _fit(fitted, data, schedule, phase, checkpoint_dir, augment)

    first = _Phase("float", schedule.float_epochs, schedule.learning_rate)
    history = {"float": fit(model, first)}
    sample = np.random.default_rng(schedule.seed).permutation(
        len(train_windows.y)
    )[:CALIBRATION_WINDOWS]
    quantized = quantize_model(
        model,
        kernel_bits=schedule.kernel_bits,
        kernel_per_channel=schedule.kernel_per_channel,
        calibration_data=train_windows.x[sample],
    )
    history["quantized"] = fit(
        freeze_codes(quantized), _quantized_phase(schedule)
    )
    return Trained(quantized, history)


def train_codes(
    model: keras.Model,
    train_windows: Windows,
    validation_windows: Windows,
    *,
    schedule: Schedule,
    checkpoint_dir: pathlib.Path,
    augment: Augment | None = None,
) -> list[dict[str, float]]:
    """Goes on with the codes of a trained model, and nothing else.

    The file of the model then differs from the one before in its codes
    alone, so `patches.make_patch` makes a small update of it.

    Args:
        model: A quantized model, changed in place: it keeps the codes of the
            epoch of the highest validation macro-F1.
        train_windows: Windows to fit.
        validation_windows: Windows that choose the epoch.
        schedule: Its epochs and rate are those of the quantized phase.
        checkpoint_dir: Where checkpoints are kept; not that of `train`.
        augment: Changes the windows of each batch, see `Batches`.

    Returns:
        Loss and validation macro-F1 of every epoch.

    Raises:
        As `train`.
    """
    keras.utils.set_random_seed(schedule.seed)
    data = (train_windows, validation_windows)
    _claim_folder(checkpoint_dir, model, data, schedule)
    return _fit(
        freeze_all_but_codes(model),
        data,
        schedule,
        dataclasses.replace(_quantized_phase(schedule), name="codes"),
        checkpoint_dir,
        augment,
    )


def _quantized_phase(schedule: Schedule) -> _Phase:
    return _Phase(
        "quantized", schedule.quantized_epochs, schedule.quantized_learning_rate
    )


def checkpoint_path(checkpoint_dir: pathlib.Path, phase: str) -> pathlib.Path:
    """Returns where a phase's checkpoint is kept."""
    return checkpoint_dir / f"{phase}.npz"


def _claim_folder(
    folder: pathlib.Path,
    model: keras.Model,
    data: tuple[Windows, Windows],
    schedule: Schedule,
) -> None:
    """Refuses checkpoints that another model, schedule or data left."""
    summary = {
        "model": _anonymous(json.loads(model.to_json())),
        "data": [_digest(windows) for windows in data],
        "schedule": dataclasses.asdict(schedule),
    }
    path = folder / "training.json"
    if not path.exists():
        write_atomically(path, json.dumps(summary).encode())
    elif _read_summary(path) != summary:
        raise ValueError(
            f"Expected checkpoints of the same model, schedule and data in "
            f"'{folder}'. Received: those of another run. Choose another "
            "output folder, or delete this one."
        )


def _read_summary(path: pathlib.Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        return {**found, "schedule": complete_schedule(found["schedule"])}
    except (ValueError, KeyError, TypeError):
        return {}  # Damaged, so of nobody.


def _digest(windows: Windows) -> str:
    content = hashlib.sha256()
    for array in (windows.x, windows.y, windows.groups):
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def _anonymous(config: Any) -> Any:
    """Drops names, which Keras numbers anew in each process, and links."""
    if isinstance(config, dict):
        return {
            key: _anonymous(value)
            for key, value in config.items()
            if key not in ("name", "inbound_nodes")
            and not key.endswith("put_layers")
        }
    if isinstance(config, list):
        return [_anonymous(value) for value in config]
    return config


def _fit(
    model: keras.Model,
    data: tuple[Windows, Windows],
    schedule: Schedule,
    phase: _Phase,
    folder: pathlib.Path,
    augment: Augment | None,
) -> list[dict[str, float]]:
    train_windows, validation_windows = data
    epochs = phase.epochs
    steps = -(-len(train_windows.y) // schedule.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        phase.learning_rate, epochs * steps
    )
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.BinaryCrossentropy(from_logits=True)
        if train_windows.multi_label
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # Or the first step makes its variables, and is traced a second time.
    model.optimizer.build(model.trainable_variables)
    path = checkpoint_path(folder, phase.name)
    progress = _Progress(model, validation_windows, path)
    if progress.done < epochs:
        batches = Batches(
            train_windows, schedule.batch_size, schedule.seed, augment
        )
        # The bar is closed before an error is shown.
        with progress_bar(
            total=epochs * steps,
            initial=progress.done * steps,
            desc=phase.name,
            unit="step",
        ) as progress.bar:
            _run_epochs(model, batches, progress, epochs, train_windows)
    model.set_weights(progress.best)
    return progress.records


def _run_epochs(
    model: keras.Model,
    batches: Batches,
    progress: _Progress,
    epochs: int,
    windows: Windows,
) -> None:
    shuffle = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, _: batches.shuffle(epoch)
    )
    weights = None
    if not windows.multi_label:
        weights = class_weights(windows.y, len(windows.classes))
    try:
        model.fit(
            batches,
            epochs=epochs,
            initial_epoch=progress.done,
            class_weight=weights,
            shuffle=False,
            verbose=0,
            callbacks=[shuffle, progress],
        )
    except tf.errors.OpError as error:
        raise RuntimeError(
            "Expected TensorFlow to train. Received: "
            f"{error.message.partition(chr(10))[0]}. Give the same command "
            "again; if it is short of memory, with a smaller `width`."
        ) from error


class _Progress(keras.callbacks.Callback):
    """Scores each epoch on validation, keeps the best, saves, reports.

    Args:
        model: A compiled model; continues from the checkpoint, if there is
            one.
        validation: Windows that choose the epoch.
        path: Of the checkpoint.

    Attributes:
        records: What every epoch gave.
        best: Weights after the best epoch.
        bar: The progress to show.
    """

    bar: tqdm

    def __init__(
        self, model: keras.Model, validation: Windows, path: pathlib.Path
    ) -> None:
        super().__init__()
        self._validation = validation
        self._path = path
        self.records: list[dict[str, float]] = []
        self.best: list[np.ndarray] = []
        if path.exists():
            self._restore(model, Checkpoint.load(path))

    @property
    def done(self) -> int:
        """Number of epochs on record."""
        return len(self.records)

    def _restore(self, model: keras.Model, saved: Checkpoint) -> None:
        model.set_weights(saved.weights)
        model.optimizer.set_weights(saved.optimizer)
        self.records, self.best = saved.records, saved.best

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logits = self.model.predict(
            self._validation.x, batch_size=1024, verbose=0
        )
        score = validation_macro_f1(
            self._validation.y, logits, len(self._validation.classes)
        )
        record = {"loss": float(logs["loss"]), "validation_macro_f1": score}
        weights = self.model.get_weights()
        best = max((r["validation_macro_f1"] for r in self.records), default=-1)
        if score > best:
            self.best = weights
        self.records.append(record)
        optimizer = [v.numpy() for v in self.model.optimizer.variables]
        Checkpoint(self.records, weights, optimizer, self.best).save(self._path)
        self.bar.set_postfix({k: f"{v:.3f}" for k, v in record.items()})

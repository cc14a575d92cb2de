"""The two phases of training: float, then quantization-aware; resumable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.quantization import quantize_model
from keras_hypertinypw.run_config import Schedule

CALIBRATION_WINDOWS = 512


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
) -> Trained:
    """Trains in float, quantizes, fine-tunes; keeps the best epoch of each.

    The best epoch is that of the highest validation macro-F1. After an
    interruption the same call continues with the epoch that was running.

    Args:
        build: Makes the float model, the same at every call.
        train_windows: Windows to fit.
        validation_windows: Windows that choose the epoch.
        schedule: Epochs, rates, seed.
        checkpoint_dir: Where checkpoints are kept.

    Raises:
        ValueError: If the checkpoints there are of another model, schedule
            or data.
    """
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(schedule.seed)
    model = build()
    data = (train_windows, validation_windows)
    _claim_folder(checkpoint_dir, model, data, schedule)
    history = {}
    history["float"] = _fit(
        model, data, schedule, "float", checkpoint_dir / "float"
    )
    sample = np.random.default_rng(schedule.seed).permutation(
        len(train_windows.y)
    )[:CALIBRATION_WINDOWS]
    quantized = quantize_model(model, calibration_data=train_windows.x[sample])
    history["quantized"] = _fit(
        quantized, data, schedule, "quantized", checkpoint_dir / "quantized"
    )
    return Trained(quantized, history)


def class_weights(y: np.ndarray, num_classes: int) -> dict[int, float]:
    """Returns `1 / sqrt(frequency)` per class, of mean 1 over the windows."""
    counts = np.maximum(np.bincount(y, minlength=num_classes), 1)
    weights = 1 / np.sqrt(counts)
    weights *= counts.sum() / (weights * counts).sum()
    return dict(enumerate(weights.tolist()))


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
    if path.exists() and json.loads(path.read_text()) != summary:
        raise ValueError(
            f"Expected checkpoints of the same model, schedule and data in "
            f"'{folder}'. Received: those of another run. Choose another "
            "output folder, or delete this one."
        )
    write_atomically(path, json.dumps(summary).encode())


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
    phase: str,
    folder: pathlib.Path,
) -> list[dict[str, float]]:
    train_windows, validation_windows = data
    epochs = getattr(schedule, f"{phase}_epochs")
    steps = -(-len(train_windows.y) // schedule.batch_size)
    start = (
        schedule.learning_rate
        if phase == "float"
        else schedule.quantized_learning_rate
    )
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(start, epochs * steps)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    best = _BestEpoch(validation_windows, folder, phase, epochs)
    batches = _Batches(train_windows, schedule)
    if best.done < epochs:
        model.fit(
            batches,
            epochs=epochs,
            class_weight=class_weights(
                train_windows.y, len(train_windows.classes)
            ),
            shuffle=False,
            verbose=0,
            # The backup is written after the best epoch's record, so that an
            # interruption between the two repeats an epoch and loses none.
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_epoch_begin=lambda epoch, _: batches.shuffle(epoch)
                ),
                best,
                keras.callbacks.BackupAndRestore(folder / "backup"),
            ],
        )
    model.load_weights(best.weights_path)
    return best.records


class _Batches(keras.utils.Sequence):
    """Shuffled batches; the order depends on seed and epoch alone."""

    def __init__(self, windows: Windows, schedule: Schedule) -> None:
        self._windows = windows
        self._batch_size = schedule.batch_size
        self._seed = schedule.seed
        self.shuffle(0)

    def __len__(self) -> int:
        return -(-len(self._windows.y) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        return self._windows.x[chosen], self._windows.y[chosen]

    def shuffle(self, epoch: int) -> None:
        """Takes the order of an epoch."""
        rng = np.random.default_rng([self._seed, epoch])
        self._order = rng.permutation(len(self._windows.y))


class _BestEpoch(keras.callbacks.Callback):
    """Scores each epoch on validation, keeps the best weights, reports."""

    def __init__(
        self,
        validation: Windows,
        folder: pathlib.Path,
        phase: str,
        epochs: int,
    ) -> None:
        super().__init__()
        self._validation = validation
        self._log_path = folder / "history.json"
        self.weights_path = folder / "best.weights.h5"
        self._phase, self._epochs = phase, epochs
        folder.mkdir(parents=True, exist_ok=True)
        self.records: list[dict[str, float]] = []
        if self._log_path.exists():
            self.records = json.loads(self._log_path.read_text())

    @property
    def done(self) -> int:
        """Number of epochs on record."""
        return len(self.records)

    def on_train_begin(self, logs: Any = None) -> None:
        total = self._epochs * self.params["steps"]
        self._bar = tqdm(total=total, desc=self._phase, unit="step")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # An epoch that ran but was not backed up runs again.
        self.records = self.records[:epoch]
        self._bar.update(epoch * self.params["steps"] - self._bar.n)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logits = self.model.predict(
            self._validation.x, batch_size=1024, verbose=0
        )
        counts = metrics.confusion_counts(
            self._validation.y,
            logits.argmax(axis=1),
            num_classes=len(self._validation.classes),
        )
        score = metrics.macro_f1.from_counts(counts)
        record = {
            "loss": float(logs["loss"]),
            "validation_macro_f1": float(score),
        }
        best = max((r["validation_macro_f1"] for r in self.records), default=-1)
        if score > best:
            temporary = self.weights_path.with_name("new.weights.h5")
            self.model.save_weights(temporary)
            temporary.replace(self.weights_path)
        self.records.append(record)
        write_atomically(
            self._log_path, json.dumps(self.records, indent=1).encode()
        )
        self._bar.set_postfix({k: f"{v:.3f}" for k, v in record.items()})

    def on_train_end(self, logs: Any = None) -> None:
        self._bar.close()

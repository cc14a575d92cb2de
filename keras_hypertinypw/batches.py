"""The order in which windows are trained, and what each counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tf_keras as keras

from keras_hypertinypw.datasets.windows import Windows


def class_weights(y: np.ndarray, num_classes: int) -> dict[int, float]:
    """Returns `1 / sqrt(frequency)` per class, of mean 1 over the windows."""
    counts = np.maximum(np.bincount(y, minlength=num_classes), 1)
    weights = 1 / np.sqrt(counts)
    weights *= counts.sum() / (weights * counts).sum()
    return dict(enumerate(weights.tolist()))


# Changes a batch's windows at random; returns a copy.
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Batches(keras.utils.Sequence):
    """Shuffled batches; they depend on seed and epoch alone.

    Args:
        windows: What to train on.
        batch_size: Windows in a batch.
        seed: Of every epoch's order and changes.
        augment: Changes the windows of each batch, as those of
            `datasets.augmentation` do; None leaves them as they are.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
    ) -> None:
        self._windows = windows
        self._augment = augment
        self._batch_size = batch_size
        self._seed = seed
        self.shuffle(0)

    def __len__(self) -> int:
        return -(-len(self._windows.y) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        start = index * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        x = self._windows.x[chosen]
        if self._augment is not None:
            rng = np.random.default_rng([self._seed, self._epoch, index])
            x = self._augment(x, rng)
        return x, self._windows.y[chosen]

    def shuffle(self, epoch: int) -> None:
        """Takes the order of an epoch."""
        self._epoch = epoch
        rng = np.random.default_rng([self._seed, epoch])
        self._order = rng.permutation(len(self._windows.y))

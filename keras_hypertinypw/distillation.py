"""Training towards what a larger network says, beside the classes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw.batches import Augment, Batches, class_weights
from keras_hypertinypw.datasets.windows import Windows

_TEMPERATURE = 2.0
_SHARE = 0.5  # Of the teacher in the loss.


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the class, and with a teacher's softened logits.

    `(1 - a) CE(y, p) + a T^2 (CE(q_T, p_T) - H(q_T))`, of Hinton, Vinyals and
    Dean, "Distilling the Knowledge in a Neural Network" (2015), with a = 0.5
    and T = 2. True values are those of `TaughtBatches`.
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each window.

        Args:
            y_true: Class and teacher's logits, `(batch_size, 1 + num_classes)`.
            y_pred: Logits, `(batch_size, num_classes)`.
        """
        classes = tf.cast(y_true[:, 0], tf.int32)
        of_class = tf.nn.sparse_softmax_cross_entropy_with_logits(
            classes, y_pred
        )
        soft = tf.nn.softmax(y_true[:, 1:] / _TEMPERATURE)
        of_teacher = keras.losses.kl_divergence(
            soft, tf.nn.softmax(y_pred / _TEMPERATURE)
        )
        return (1 - _SHARE) * of_class + _SHARE * _TEMPERATURE**2 * of_teacher


class TaughtBatches(Batches):
    """Batches with a teacher's logits of the windows as they were changed.

    An item is `(x, y, weights)`, with `y` as in `DistillationLoss` and a
    weight for each window, that of its class.

    Args:
        windows: Of one class each.
        batch_size: As of `Batches`.
        seed: As of `Batches`.
        augment: As of `Batches`.
        teacher: Returns logits of the same classes.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        seed: int,
        augment: Augment | None,
        teacher: keras.Model,
    ) -> None:
        super().__init__(windows, batch_size, seed, augment)
        self._teach = tf.function(lambda x: teacher(x, training=False))
        num_classes = len(windows.classes)
        by_class = class_weights(windows.y, num_classes)
        self._weights = np.array([by_class[k] for k in range(num_classes)])

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        x, y = super().__getitem__(index)
        logits = self._teach(tf.constant(x)).numpy()
        return x, np.column_stack([y, logits]), self._weights[y]

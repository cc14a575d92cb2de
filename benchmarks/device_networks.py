"""The three networks whose device figures are quoted.

`examples/mitdb`; the DS-CNN of MLPerf Tiny's keyword spotting; MobileNet 0.25
for 96x96 images and two classes. The last two are calibrated and not trained:
the figures do not depend on what the weights are.
"""

from __future__ import annotations

import pathlib

from keras_hypertinypw import (  # isort: skip  Before tensorflow.
    WeightGenerator,
    convert_keras_model,
    quantize_model,
    swap_pointwise,
)
import numpy as np
import tf_keras as keras

from keras_hypertinypw.models import ds_cnn

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"
SEED = 0
_PASSES = 8  # Of noise, for the statistics of batch norms.


def networks() -> dict[str, bytes]:
    """Returns generated files by name; kernels cached."""
    keras.utils.set_random_seed(SEED)
    large = mobilenet()
    return {
        "mitdb": (EXAMPLES / "generated.tflite").read_bytes(),
        "ds_cnn": _converted(ds_cnn((49, 10, 1), 12)),
        "mobilenet": _converted(large),
    }


def mobilenet() -> keras.Model:
    """Returns MobileNet 0.25 for 96x96 images and two classes, untrained."""
    return keras.applications.MobileNet(
        alpha=0.25,
        input_shape=(96, 96, 3),
        weights=None,
        classes=2,
        classifier_activation=None,
    )


def settle(model: keras.Model) -> np.ndarray:
    """Gives batch norms the statistics of noise, and returns that noise."""
    rng = np.random.default_rng(SEED)
    inputs = rng.normal(size=(64, *model.input_shape[1:])).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.5
    for _ in range(_PASSES):
        model(inputs, training=True)
    return inputs


def _converted(model: keras.Model) -> bytes:
    swapped = swap_pointwise(
        model, generator=WeightGenerator(name="generator"), fit_steps=1
    )
    inputs = settle(swapped)
    quantized = quantize_model(swapped, calibration_data=inputs)
    # Noise moves the logits too little for a comparison of many values.
    return convert_keras_model(quantized, verify=False)

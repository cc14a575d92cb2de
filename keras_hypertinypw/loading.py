"""Loading float models with their generators kept shared."""

from __future__ import annotations

import os

import tf_keras as keras

from keras_hypertinypw import layers  # noqa: F401  Registers the layers.
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.generator import generator_scope


def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """Loads a float model that `model.save(path)` wrote.

    It is `keras.models.load_model` inside a `generator_scope`, so that
    layers that shared a generator share it again. A quantized model does not
    reload from `.keras`: build the float model, call `quantize_model`, then
    `load_weights`.

    Args:
        path: A `.keras` file.

    Raises:
        ConversionError: If the file is not a tf_keras model.
    """
    try:
        with generator_scope():
            return keras.models.load_model(path)
    except (OSError, TypeError, ValueError, KeyError) as error:
        reason = str(error).partition(" Full object config")[0].rstrip(".")
        raise ConversionError(
            f"Expected '{os.fspath(path)}' as a .keras file of tf_keras (Keras "
            f"2). Received: a file that tf_keras cannot load: {reason}. A "
            "model of Keras 3 has to be built again with `import tf_keras as "
            "keras`."
        ) from error

"""What `hypertinypw convert` accepts beside a run's folder."""

from __future__ import annotations

import pathlib

import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.input_files import load_array
from keras_hypertinypw.loading import load_model
from keras_hypertinypw.quantization import quantize_model


def load_and_quantize(
    path: pathlib.Path, calibration_path: str | None
) -> keras.Model:
    """Loads a float `.keras` model and quantizes it without training.

    Args:
        path: A `.keras` file.
        calibration_path: A `.npy` file of inputs, `(num_inputs, ...)`.

    Raises:
        ConversionError: If a file is missing or does not fit.
    """
    if path.suffix != ".keras" or not path.is_file():
        raise ConversionError(
            "Expected the folder of a finished `hypertinypw train`, or a "
            f"float .keras file. Received: '{path}'. A .tflite file cannot be "
            "converted again."
        )
    inputs = (
        load_array("--calibration_data", calibration_path)
        if calibration_path is not None
        else None
    )
    model = load_model(path)
    if inputs is None:
        raise ConversionError(
            "Expected --calibration_data with a .keras file, to set the "
            "ranges of activations. Received: none. Save some hundred inputs "
            "with numpy.save and name the file."
        )
    expected = tuple(model.inputs[0].shape[1:])
    if inputs.shape[1:] != expected:
        raise ConversionError(
            f"Expected calibration inputs of shape (num_inputs, "
            f"{', '.join(map(str, expected))}). Received: {inputs.shape}. "
            "Save what the model takes in training."
        )
    return quantize_model(model, calibration_data=inputs)

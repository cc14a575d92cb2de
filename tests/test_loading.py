import subprocess
import sys

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import load_model

INPUTS = keras_models.noise((4, *keras_models.IMAGE_SHAPE))

LOAD = """
import sys
import numpy as np
import keras_hypertinypw
model = keras_hypertinypw.load_model(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def test_another_process_loads_the_same_function(tmp_path):
    # There nothing but `load_model` registers the layers.
    model = keras_models.image_model(keras_models.generator())
    paths = [tmp_path / name for name in ("model.keras", "x.npy", "y.npy")]
    model.save(paths[0])
    np.save(paths[1], INPUTS)
    subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, paths)],
        check=True,
        capture_output=True,
    )
    expected = model.predict(INPUTS, verbose=0)
    np.testing.assert_array_equal(np.load(paths[2]), expected)


def test_a_compiled_model_loads_compiled(tmp_path):
    model = keras_models.image_model(keras_models.generator())
    model.compile(keras.optimizers.Adam(0.125), "mse")
    model.train_on_batch(INPUTS, np.zeros((4, 4)))
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.learning_rate) == 0.125
    loaded.train_on_batch(INPUTS, np.zeros((4, 4)))
    model.train_on_batch(INPUTS, np.zeros((4, 4)))
    np.testing.assert_array_equal(loaded(INPUTS), model(INPUTS))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises((OSError, ValueError), match="missing.keras"):
        load_model(tmp_path / "missing.keras")

import json
import pathlib

import numpy as np
import pytest
from tiny_models import build_add_model

from keras_hypertinypw import WeightGenerator, models, quantize_model
from keras_hypertinypw.converter import convert_keras_model
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.freezing import freeze
from keras_hypertinypw.int4 import pack_int4
from keras_hypertinypw.savings import measure_savings
from keras_hypertinypw.slim import slim

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples/mitdb"


def test_the_generated_form_is_as_large_as_what_is_converted():
    model = models.ecg_network(
        (64, 1), 4, width=16, generator=WeightGenerator()
    )
    x = np.random.default_rng(0).normal(size=(16, 64, 1))
    quantized = quantize_model(model, calibration_data=x.astype(np.float32))
    generated = convert_keras_model(quantized, verify=False)
    dense = freeze(quantized).dense_model
    savings = measure_savings(dense)
    assert savings.num_kernels == 3
    assert savings.file_bytes == len(dense)
    assert savings.generated_bytes == len(slim(generated, verify=False))


def test_the_other_forms_are_what_slim_and_int4_write():
    content = (EXAMPLES / "stored.tflite").read_bytes()
    savings = measure_savings(content)
    assert savings.slimmed_bytes == len(slim(content, verify=False))
    packed = slim(pack_int4(content), verify=False)
    assert savings.int4_bytes == len(packed) < savings.slimmed_bytes


def test_a_generated_file_is_not_generated_again():
    content = (EXAMPLES / "generated.tflite").read_bytes()
    savings = measure_savings(content)
    assert (savings.generated_bytes, savings.num_kernels) == (None, 0)
    assert "there already" in str(savings).splitlines()[-1]


def test_a_file_without_kernels_can_only_be_slimmed():
    savings = measure_savings(build_add_model(output_scale=0.5))
    assert savings.int4_bytes is None and savings.generated_bytes is None
    _, slimmed, int4, generated = str(savings).splitlines()
    assert f"{savings.slimmed_bytes:,}" in slimmed
    assert int4.split()[2] == generated.split()[2] == "-"


def test_savings_survive_json():
    savings = measure_savings((EXAMPLES / "stored.tflite").read_bytes())
    record = json.loads(json.dumps(savings.to_dict()))
    assert record["slimmed_bytes"] == savings.slimmed_bytes


def test_a_damaged_file_is_refused():
    with pytest.raises(ConversionError):
        measure_savings(b"nothing")

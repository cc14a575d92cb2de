import dataclasses

import keras_models
import numpy as np
import pytest
import tiny_models

from keras_hypertinypw import (
    ConversionError,
    materialize,
    verification,
    verify,
)
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.spec import DenseSpec, GeneratorSpec
from keras_hypertinypw.verification import draw_inputs


def test_an_untouched_file_is_identical(tiny_model, tiny_dense_model):
    result = verify(tiny_model, dense_model=tiny_dense_model)
    assert result.identical
    assert result.num_differences == result.max_difference == 0
    assert result.num_kernels == 3
    assert result.num_inputs == 103
    assert result.num_values == 3 * 103 * 4 * 4 * 32
    assert result.num_distinct >= 50
    assert result.arena_bytes > 1000


def test_a_stored_file_is_compared_with_itself(tiny_model, tiny_dense_model):
    result = verify(tiny_dense_model)
    assert result.identical
    assert result.num_kernels == 0 and result.num_values > 10_000
    other = materialize(tampered(tiny_model, "lazy/codes", 0b11))
    result = verify(tiny_dense_model, dense_model=other)
    assert not result.identical
    assert result.num_differences > 0


def test_its_materialized_twin_is_the_default(tiny_model):
    assert verify(tiny_model) == verify(
        tiny_model, dense_model=materialize(tiny_model)
    )


def test_syntheses_are_counted(tiny_model):
    counts = verify(tiny_model, num_inputs=10).generate_counts
    assert counts == {
        "lazy/kernel": 1,
        "fresh/kernel": 3 * 13,
        "boot/kernel": 1,
    }


def tampered(content, name, change):
    """Returns a file with the first byte of a tensor's data changed."""
    model = read_model(content)
    (tensor,) = (
        t for t in model.subgraphs[0].tensors if t.name == name.encode()
    )
    buffer = model.buffers[tensor.buffer]
    data = np.array(buffer.data, np.uint8)
    data[0] ^= change
    buffer.data = data
    return write_model(model)


def test_tampered_codes_are_detected(tiny_model, tiny_dense_model):
    broken = tampered(tiny_model, "lazy/codes", 0b11)
    result = verify(broken, dense_model=tiny_dense_model)
    assert not result.identical
    assert result.num_differences > 0
    assert result.different_kernels == ("lazy/kernel",)


def muted(content):
    """Returns a file whose outputs are constant: their step is huge."""
    model = read_model(content)
    graph = model.subgraphs[0]
    output = graph.tensors[graph.outputs[0]]
    output.quantization.scale = np.array([1e6], np.float32)
    return write_model(model)


def test_a_tampered_kernel_is_detected_where_outputs_are_equal(
    tiny_model, tiny_dense_model, monkeypatch
):
    monkeypatch.setattr(verification, "MIN_DISTINCT", 1)
    broken = muted(tampered(tiny_model, "lazy/codes", 0b11))
    result = verify(broken, dense_model=muted(tiny_dense_model))
    assert result.num_differences == 0
    assert result.different_kernels == ("lazy/kernel",)
    assert not result.identical


def silent(spec):
    """Returns a layer of the same shape whose kernel is zero."""
    generator = GeneratorSpec(
        tuple(
            DenseSpec(
                np.zeros_like(layer.weights),
                np.zeros_like(layer.bias),
                layer.bias_shift,
                layer.shift,
            )
            for layer in spec.generator.layers
        )
    )
    return dataclasses.replace(spec, generator=generator)


def test_a_constant_network_is_refused(tiny_specs):
    content = tiny_models.build_model([silent(tiny_specs[0])])
    with pytest.raises(ConversionError, match="at least 50 distinct.*Received"):
        verify(content)


def test_more_inputs_are_drawn_where_outputs_hardly_vary(tiny_specs):
    rng = np.random.default_rng(41)
    spec = tiny_models.random_spec(
        rng, tiny_specs[0].generator, kernel_shape=(3, 1, 1, 12)
    )
    content = tiny_models.build_model([spec])
    assert verify(content, num_inputs=100).num_inputs == 103
    assert verify(content, num_inputs=1).num_inputs == 13


def test_a_difference_below_1_in_a_float_output_is_detected():
    frozen, content = keras_models.float_image_model()
    assert verify(content, dense_model=frozen.dense_model).identical
    model = read_model(frozen.dense_model)
    graph = model.subgraphs[0]
    (dequantize,) = (o for o in graph.operators if o.outputs == graph.outputs)
    steps = graph.tensors[dequantize.inputs[0]].quantization
    steps.scale = np.float32(0.999) * np.array(steps.scale, np.float32)
    result = verify(content, dense_model=write_model(model))
    assert not result.identical
    assert 0 < result.max_difference < 1


def test_float_inputs_are_steps_of_the_int8_input():
    frozen, _ = keras_models.float_image_model()
    found = verification._input_quantization(frozen.dense_model)
    quantized = keras_models.quantized_image_model()
    low, high = quantized.layers[1].get_weights()[:2]
    assert found[0] == pytest.approx((high - low) / 255, rel=1e-3)
    assert -128 - found[1] == pytest.approx(low / found[0], abs=1)


@pytest.mark.parametrize("shape", [(5,), (7, 3), (4, 4, 2)])
def test_inputs_end_with_the_edges(shape):
    inputs = draw_inputs(shape, 11, seed=1)
    assert inputs.shape == (14, *shape)
    assert inputs.dtype == np.int8
    for found, edge in zip(inputs[-3:], (-128, 127, 0), strict=True):
        assert np.all(found == edge)
    assert len(np.unique(inputs[:-3])) > 10


def test_the_summary_says_it_all(tiny_model, tiny_dense_model):
    lines = str(verify(tiny_model, num_inputs=10)).splitlines()
    assert lines[0] == "identical"
    assert "0 different (by at most 0)" in lines[1]
    assert lines[2] == "3 generated kernels compared, 0 different"
    assert "1 synthesis of lazy/kernel" in lines
    broken = tampered(tiny_model, "lazy/codes", 0b11)
    assert str(verify(broken, dense_model=tiny_dense_model)).startswith(
        "DIFFERENT"
    )

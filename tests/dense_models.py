"""Dense int8 models whose pointwise kernels are what random specs make.

The stock converter makes the graph; the kernels are overwritten, so that
no training is needed to test surgery on files.
"""

from __future__ import annotations

import functools
import os

import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import integer
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    operator_name,
    read_model,
    tensor_shape,
    write_model,
)
from keras_hypertinypw.pruning import prune_buffers
from keras_hypertinypw.spec import DenseSpec, GeneratorSpec, PointwiseSpec

INPUT_SHAPE = (8, 8, 4)


def random_generator(rng, *, code_dim=5, block_size=24, skip=True):
    hidden = DenseSpec(
        rng.integers(-40, 41, (7, code_dim)).astype(np.int8),
        rng.integers(-40, 41, 7).astype(np.int8),
        bias_shift=2,
        shift=3,
    )
    last = DenseSpec(
        rng.integers(-60, 61, (block_size, 7)).astype(np.int8),
        rng.integers(-60, 61, block_size).astype(np.int8),
        bias_shift=3,
        shift=6,
    )
    if not skip:
        return GeneratorSpec((hidden, last))
    weights = rng.integers(-20, 21, (block_size, code_dim)).astype(np.int8)
    return GeneratorSpec((hidden, last), weights, skip_shift=2)


def random_spec(rng, name, kernel_shape, generator, *, code_bits=4, **options):
    blocks = -(-int(np.prod(kernel_shape)) // generator.block_size)
    fields = rng.integers(0, 1 << code_bits, (blocks, generator.code_dim))
    codes = 2 * fields - ((1 << code_bits) - 1)
    if code_bits == 8:
        codes = fields - 128
    return PointwiseSpec(
        name,
        generator,
        codes.astype(np.int32),
        code_bits,
        kernel_shape,
        rng.integers(0, 2, kernel_shape[0]).astype(bool),
        **options,
    )


@functools.cache
def stock_model(shared_layer: bool = False) -> bytes:
    """Returns a stock int8 model.

    Its 1x1 kernels have the shapes (12, 1, 1, 6), (12, 1, 1, 12),
    (12, 1, 1, 12), (10, 1, 1, 12). With `shared_layer` one layer of shape
    (12, 1, 1, 12) is called twice instead.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tf_keras as keras

    keras.utils.set_random_seed(7)
    # Names of its own: they are in the file, and Keras numbers all others.
    inputs = keras.Input(INPUT_SHAPE, batch_size=1, name="image")
    conv, depthwise = keras.layers.Conv2D, keras.layers.DepthwiseConv2D
    x = conv(6, 3, padding="same", activation="relu", name="stem")(inputs)
    x = conv(12, 1, name="widen")(x)
    first, second = conv(12, 1, name="first"), conv(12, 1, name="second")
    x = depthwise(3, padding="same", name="depthwise")(first(x))
    x = (first if shared_layer else second)(x)
    x = conv(10, 1, name="narrow")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    outputs = keras.layers.Dense(40, name="logits")(x)
    model = keras.Model(inputs, outputs, name="stock_model")
    samples = np.random.default_rng(8).normal(size=(32, 1, *INPUT_SHAPE))

    def representative_dataset():
        for sample in samples.astype(np.float32):
            yield [sample]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


def pointwise_tensors(model):
    """Returns the filters of all 1x1 CONV_2D, each once, in order of use."""
    graph = model.subgraphs[0]
    indices = [
        operator.inputs[1]
        for operator in graph.operators
        if operator_name(model, operator) == "CONV_2D"
    ]
    tensors = [graph.tensors[index] for index in dict.fromkeys(indices)]
    return [t for t in tensors if tensor_shape(t)[1:3] == (1, 1)]


def with_kernels(model_content, kernels):
    """Overwrites the 1x1 kernels, in order of use; None leaves one alone."""
    model = read_model(model_content)
    tensors = pointwise_tensors(model)
    for tensor, kernel in zip(tensors, kernels, strict=True):
        if kernel is not None:
            assert kernel.shape == tensor_shape(tensor)
            tensor.buffer = add_buffer(model, kernel.tobytes())
    prune_buffers(model)
    return write_model(model)


def dense_model(specs, *, shared_layer=False):
    """Returns a dense model for specs, in order; None keeps a kernel."""
    kernels = [spec and integer.synthesize(spec) for spec in specs]
    return with_kernels(stock_model(shared_layer), kernels)


def kernel_shapes(shared_layer=False):
    tensors = pointwise_tensors(read_model(stock_model(shared_layer)))
    return [tensor_shape(tensor) for tensor in tensors]


def random_specs(rng, *, shared_layer=False, code_bits=4, **options):
    """Returns one spec per 1x1 layer, all with one generator."""
    generator = random_generator(rng)
    return [
        random_spec(
            rng, f"pw{i}", shape, generator, code_bits=code_bits, **options
        )
        for i, shape in enumerate(kernel_shapes(shared_layer))
    ]


def run(model_content, inputs):
    """Runs int8 inputs through LiteRT's reference kernels."""
    interpreter = litert.Interpreter(
        model_content=model_content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    outputs = []
    for sample in inputs:
        interpreter.set_tensor(source, sample)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target).copy())
    return np.concatenate(outputs)


def random_inputs(rng, count=16):
    shape = (count, 1, *INPUT_SHAPE)
    return rng.integers(-128, 128, shape).astype(np.int8)


def buffer_offsets(model_content):
    """Returns where each buffer's data starts, from the raw bytes."""
    model = schema.Model.GetRootAs(model_content)
    tables = [model.Buffers(i)._tab for i in range(model.BuffersLength())]
    return [
        table.Vector(table.Offset(4)) for table in tables if table.Offset(4)
    ]

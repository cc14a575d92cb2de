"""A float network as the one whose layers are quantized."""

from __future__ import annotations

import tf_keras as keras

from keras_hypertinypw import folding, unfolding
from keras_hypertinypw.equalizing import (
    equalize_channels,
    equalize_stored,
    level_scales,
)
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.inlining import read_graph
from keras_hypertinypw.int4_values import INT4_BITS
from keras_hypertinypw.kernel_quantizer import KERNELS
from keras_hypertinypw.model_graph import ModelGraph
from keras_hypertinypw.operators import replace_additions
from keras_hypertinypw.separable import split_separable


def rewritten_graph(
    model: keras.Model, *, kernel_bits: int, kernel_per_channel: bool
) -> ModelGraph:
    """Returns the network of a model, as each of its layers runs on a device.

    It computes what the model does, to the last digits of float32, but for
    channels of almost no size (`equalizing.equalize_channels`). Arguments and
    steps are those of `quantization.quantize_model`.

    Raises:
        ConversionError: If a layer cannot be rewritten, or is called twice.
    """
    graph = read_graph(model)
    graph.require_single_calls()
    replace_additions(graph)
    _require_no_functions(graph)
    folding.require_channels_last(graph)
    split_separable(graph)
    unfolding.unfold_1d(graph)
    level_scales(graph)
    folding.fold_batch_norms(graph)
    folding.fold_relus(graph)
    equalize_channels(graph)
    if kernel_bits == INT4_BITS:
        for class_name in KERNELS:
            folding.fold_relus(graph, class_name)
    if not kernel_per_channel:
        equalize_stored(graph)
    return graph


def _require_no_functions(graph: ModelGraph) -> None:
    for name in graph.layers:
        kind = graph.class_name(name)
        if kind.endswith("Lambda"):  # Operators are, too.
            raise ConversionError(
                f"Layer '{name}': expected a layer that can be quantized. "
                f"Received: a {kind}. Use layers (Multiply, Reshape, ...) "
                "instead of functions and operators."
            )

"""Reads a model as a graph of layers, without models inside it."""

from __future__ import annotations

import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.keras_checks import require_functional
from keras_hypertinypw.model_graph import ModelGraph


def read_graph(model: keras.Model) -> ModelGraph:
    """Returns a model's graph; models inside it become their layers.

    Where a model inside was called with `training=False`, its batch norms
    are frozen and its dropouts drop nothing.

    Raises:
        ConversionError: If a model inside is called twice, is no functional
            or sequential one, or has a layer of the same name as another.
    """
    require_functional(model)
    graph = ModelGraph(model)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _inline(graph, layer)
    return graph


def _inline(graph: ModelGraph, model: keras.Model) -> None:
    name = model.name
    calls = graph.layers[name]["inbound_nodes"]
    if len(calls) != 1:
        raise ConversionError(
            f"Model '{name}' inside a model: expected one call. Received: "
            f"{len(calls)}. Make one model for each call."
        )
    inner = read_graph(model)
    # Its inputs go.
    stay = {*inner.layers} - {*inner.names("InputLayer")}
    taken = sorted(stay & {*graph.layers})
    if taken:
        raise ConversionError(
            f"Model '{name}' inside a model: expected layers of other names "
            f"than those around it. Received: {taken} in both. Rename one."
        )
    if calls[0][0][3:] and calls[0][0][3].get("training") is False:
        for batch_norm in inner.names("BatchNormalization"):
            inner.config(batch_norm)["trainable"] = False
        for dropout in inner.names("Dropout"):
            inner.config(dropout)["rate"] = 0.0
    graph.absorb(name, inner)

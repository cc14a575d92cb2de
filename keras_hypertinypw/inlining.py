"""Reads a model as a graph of layers, without models inside it."""

from __future__ import annotations

import inspect
from typing import Any

import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.keras_checks import all_layers, require_functional
from keras_hypertinypw.model_graph import ModelGraph


def read_graph(model: keras.Model) -> ModelGraph:
    """Returns a model's graph; models inside it become their layers.

    A layer whose name is taken gets that of its model in front. Where a model
    inside was called with `training=False`, its batch norms still are, and
    its dropouts and the like are gone.

    Raises:
        ConversionError: If a model inside is called twice, or with
            `training=True`, is no functional or sequential one, shares a
            layer with the model around it, or takes dictionaries.
    """
    require_functional(model)
    graph = ModelGraph(model)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _require_nothing_shared(model, layer)
            _inline(graph, layer)
    return graph


def _require_nothing_shared(model: keras.Model, inner: keras.Model) -> None:
    others = [layer for layer in model.layers if layer is not inner]
    for layer in all_layers(inner):
        is_input = isinstance(layer, keras.layers.InputLayer)
        if not is_input and any(layer is other for other in others):
            raise ConversionError(
                f"Layer '{layer.name}': expected calls on one level. Received: "
                f"calls inside the model '{inner.name}' and around it. Make "
                "one layer for each."
            )


def _inline(graph: ModelGraph, model: keras.Model) -> None:
    name = model.name
    calls = graph.layers[name]["inbound_nodes"]
    if len(calls) != 1:
        raise ConversionError(
            f"Model '{name}' inside a model: expected one call. Received: "
            f"{len(calls)}. Make one model for each call."
        )
    inner = read_graph(model)
    training = _call_arguments(calls[0]).get("training")
    if training:
        raise ConversionError(
            f"Model '{name}' inside a model: expected a call that leaves "
            "`training` to Keras, or sets it to False. Received: "
            f"training={training}. Call it without."
        )
    if training is not None:
        _stop_training(inner, model)
    # Its inputs go, and its own name becomes free.
    stay = {*inner.layers} - {*inner.names("InputLayer")}
    for taken in sorted(stay & ({*graph.layers} - {name})):
        new = f"{name}_{taken}"
        while new in inner.layers or new in graph.layers:
            new += "_"
        inner.rename(taken, new)
    graph.absorb(name, inner)


def _call_arguments(call: Any) -> dict[str, Any]:
    """Returns the keyword arguments of a call."""
    references = call if isinstance(call, list) else []
    return next((r[3] for r in references if len(r) > 3), {})


def _stop_training(graph: ModelGraph, model: keras.Model) -> None:
    """Makes layers do in training what they do in inference."""
    for layer in all_layers(model):
        if layer.name not in graph.layers:
            continue
        if "training" not in inspect.signature(layer.call).parameters:
            continue
        if layer.weights:
            for call in graph.layers[layer.name]["inbound_nodes"]:
                for reference in call:
                    reference[3:] = [{"training": False}]
        else:
            graph.remove(layer.name)

"""Replaces `x + y` by a layer, which quantization knows."""

from __future__ import annotations

import tf_keras as keras

from keras_hypertinypw.model_graph import ModelGraph

_ADDITIONS = ("__operators__.add", "math.add")


def replace_additions(graph: ModelGraph) -> None:
    """Replaces each addition of two layers' outputs by an Add layer.

    Adding a constant, and any other operator, stays what it is.
    """
    for name in graph.names("TFOpLambda"):
        (call,) = graph.layers[name]["inbound_nodes"]
        is_addition = graph.config(name)["function"] in _ADDITIONS
        if not is_addition or not isinstance(call[0], str):
            continue
        first, arguments = call[:3], call[3]
        second = arguments.get("y")
        if isinstance(second, list) and second[0] in graph.layers:
            graph.replace(name, keras.layers.Add(name=name), [])
            graph.layers[name]["inbound_nodes"] = [[first, second]]

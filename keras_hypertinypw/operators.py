"""Replaces `x + y` by a layer, which quantization knows."""

from __future__ import annotations

import tf_keras as keras

from keras_hypertinypw.model_graph import ModelGraph

_ADDITIONS = ("__operators__.add", "math.add")


def replace_additions(graph: ModelGraph) -> None:
    """Replaces each addition of two layers' outputs by an Add layer.

    Adding a constant, outputs of other rank (Add aligns them differently),
    and any other operator stay what they are.
    """
    for name in graph.names("TFOpLambda"):
        (call,) = graph.layers[name]["inbound_nodes"]
        is_addition = graph.config(name)["function"] in _ADDITIONS
        if not is_addition or not isinstance(call[0], str):
            continue
        first, second = call[:3], call[3].get("y")
        # A constant is no list, or has no name of a layer.
        operands = [first, second] if isinstance(second, list) else []
        ranks = {graph.ranks.get(operand[0]) for operand in operands}
        if len(ranks) == 1 and None not in ranks:
            graph.replace(name, keras.layers.Add(name=name), [])
            graph.layers[name]["inbound_nodes"] = [operands]

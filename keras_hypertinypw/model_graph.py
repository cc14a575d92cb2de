"""Edits of a functional model's configuration, with its weights.

A `ModelGraph` is the model as plain data: layer configs by name, the edges
between them, and weight arrays by layer name. Rewrites change that data, and
`build_model` makes a new model of it; the original is never touched.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import tf_keras as keras

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.generator import generator_scope
from keras_hypertinypw.references import (
    Targets,
    find_references,
    redirected,
    renamed,
)


class ModelGraph:
    """A functional or sequential model as configuration and weights.

    Args:
        model: A built tf_keras model.

    Attributes:
        layers: Layer entries (`class_name`, `config`, `inbound_nodes`) by
            layer name, in the model's order.
        weights: Lists of arrays by layer name, as `layer.get_weights()`.
        ranks: Ranks of the layers' outputs by layer name; None for several.
        output_shapes: Shapes of the model's outputs by layer name.

    Raises:
        ConversionError: If Keras cannot write a layer as configuration.
    """

    def __init__(self, model: keras.Model) -> None:
        model = _with_layers(model)
        self._config = copy.deepcopy(_read_config(model))
        self.layers = _by_name(self._config["layers"])
        self.weights: dict[str, list[np.ndarray]] = {
            layer.name: layer.get_weights() for layer in model.layers
        }
        self.ranks: dict[str, int | None] = {
            layer.name: _rank(layer.get_output_at(0)) for layer in model.layers
        }
        # Keras finds only registered classes by their names.
        self._classes: dict[str, type] = {
            type(layer).__name__: type(layer)
            for layer in model.layers
            if not type(layer).__module__.startswith(keras.__name__)
        }
        self.output_shapes: dict[str, tuple[int | None, ...]] = {
            tensor._keras_history.layer.name: tuple(tensor.shape)
            for tensor in model.outputs
        }
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # From the end, so that it survives an axis more.
                axis = layer.axis[0] - layer.input_spec.ndim
                self.config(layer.name)["axis"] = [axis]

    def require_single_calls(self) -> None:
        """Checks that no layer is called twice.

        Raises:
            ConversionError: If one is.
        """
        for name, entry in self.layers.items():
            if len(entry["inbound_nodes"]) > 1:
                raise ConversionError(
                    f"Layer '{name}': expected a layer that is called once. "
                    f"Received: {len(entry['inbound_nodes'])} calls, and "
                    "quantization gives a layer one range of outputs. Make "
                    "one layer for each call."
                )

    def class_name(self, name: str) -> str:
        """Returns the class of a layer, without its package."""
        return self.layers[name]["class_name"].split(">")[-1]

    def names(self, class_name: str) -> list[str]:
        """Returns the names of all layers of a class."""
        return [n for n in self.layers if self.class_name(n) == class_name]

    def config(self, name: str) -> dict[str, Any]:
        """Returns the mutable config of a layer."""
        return self.layers[name]["config"]

    @property
    def output_names(self) -> list[str]:
        """Names of the layers whose outputs are the model's."""
        return find_references(self._config["output_layers"], self.layers)

    def inputs_of(self, name: str) -> list[str]:
        """Returns the names of the layers a layer reads, with repetition."""
        return find_references(self.layers[name]["inbound_nodes"], self.layers)

    def readers_of(self, name: str) -> list[str]:
        """Returns the layers that read `name`, with repetition."""
        return [
            reader
            for reader in self.layers
            for source in self.inputs_of(reader)
            if source == name
        ]

    def only_consumer(self, name: str) -> str | None:
        """Returns the layer that alone reads `name`, once, if there is one."""
        consumers = self.readers_of(name)
        if len(consumers) == 1 and name not in self.output_names:
            return consumers[0]
        return None

    def replace(
        self, name: str, layer: keras.layers.Layer, weights: list[np.ndarray]
    ) -> None:
        """Puts a layer of the same name and inputs in the place of another.

        Args:
            name: The layer that goes.
            layer: What comes; it is copied.
            weights: What its `get_weights()` will be.
        """
        calls = self.layers[name]["inbound_nodes"]
        entry = keras.saving.serialize_keras_object(layer)
        entry = {**entry, "name": name, "inbound_nodes": calls}
        self._config["layers"][self._position(name)] = entry
        self.layers[name] = entry
        self.weights[name] = weights

    def insert_before(
        self, name: str, layer: keras.layers.Layer, weights: list[np.ndarray]
    ) -> None:
        """Inserts a layer that reads what `name` did, and that `name` reads.

        Each call of `name` gets a call of the new layer.

        Args:
            name: A layer with one input.
            layer: What comes, under a new name; it is copied.
            weights: What its `get_weights()` will be.
        """
        old = self.layers[name]
        calls = old["inbound_nodes"]
        entry = keras.saving.serialize_keras_object(layer)
        entry = {**entry, "name": layer.name, "inbound_nodes": calls}
        self._insert(self._position(name), entry, weights)
        old["inbound_nodes"] = [
            [[layer.name, call, 0, {}]] for call in range(len(calls))
        ]

    def _position(self, name: str) -> int:
        return self._config["layers"].index(self.layers[name])

    def _insert(
        self, position: int, entry: dict[str, Any], weights: list[np.ndarray]
    ) -> None:
        self._config["layers"].insert(position, entry)
        self.layers = _by_name(self._config["layers"])
        self.weights[entry["name"]] = weights

    def absorb(self, name: str, inner: ModelGraph) -> None:
        """Puts the layers of a model inside this one in its place.

        Args:
            name: The model inside, called once.
            inner: Its graph, which is used up. Its layers have other names
                than this one's.

        Raises:
            ConversionError: If its inputs or outputs are dictionaries.
        """
        (call,) = self.layers[name]["inbound_nodes"]
        ends = (inner._config["input_layers"], inner._config["output_layers"])
        if any(isinstance(end, dict) for end in (call, *ends)):
            raise ConversionError(
                f"Model '{name}' inside a model: expected inputs and outputs "
                "as tensors or lists of them. Received: a dictionary. Build "
                "the model inside with lists."
            )
        inputs = [entry[0] for entry in inner._config["input_layers"]]
        inner._redirect(
            {old: [source] for old, source in zip(inputs, call, strict=True)}
        )
        self._redirect({name: inner._config["output_layers"]})
        kept = [layer for layer in inner.layers if layer not in inputs]
        position = self._position(name)
        self._config["layers"][position : position + 1] = [
            inner.layers[layer] for layer in kept
        ]
        self.layers = _by_name(self._config["layers"])
        self._classes |= inner._classes
        del self.weights[name], self.ranks[name]
        self.weights |= {layer: inner.weights[layer] for layer in kept}
        self.ranks |= {layer: inner.ranks[layer] for layer in kept}
        shapes = {**inner.output_shapes, **self.output_shapes}
        self.output_shapes = {
            layer: shapes[layer]
            for layer in self.output_names
            if layer in shapes
        }

    def rename(self, old: str, new: str) -> None:
        """Gives a layer a name that no other has."""
        names = self.layers
        for entry in names.values():
            entry["inbound_nodes"] = renamed(
                entry["inbound_nodes"], names, old, new
            )
        for end in ("input_layers", "output_layers"):
            self._config[end] = renamed(self._config[end], names, old, new)
        names[old]["name"] = names[old]["config"]["name"] = new
        self.layers = _by_name(self._config["layers"])
        self.weights[new] = self.weights.pop(old)
        self.ranks[new] = self.ranks.pop(old)
        if old in self.output_shapes:
            self.output_shapes[new] = self.output_shapes.pop(old)

    def _redirect(self, targets: Targets) -> None:
        """Makes readers and the model read something else."""
        for entry in self.layers.values():
            entry["inbound_nodes"] = redirected(
                entry["inbound_nodes"], self.layers, targets
            )
        self._config["output_layers"] = redirected(
            self._config["output_layers"], self.layers, targets
        )

    def unused_name(self, name: str) -> str:
        """Returns `name`, with underscores behind it if it is taken."""
        while name in self.layers:
            name += "_"
        return name

    def remove(self, name: str) -> None:
        """Removes a layer with one input; its readers read that instead."""
        (source,) = self.inputs_of(name)
        self._redirect({name: [[source, 0, 0]]})
        self._config["layers"].remove(self.layers.pop(name))
        self.weights.pop(name, None)

    def insert_reshape(
        self, name: str, target_shape: tuple[int, ...], *, suffix: str
    ) -> None:
        """Inserts a Reshape that is read in the place of `name`.

        Args:
            name: Layer whose outputs are reshaped. Behind an input, its
                readers read the Reshape; behind an output, the model does.
            target_shape: As in Keras.
            suffix: Added to `name`, gives the new layer's name.
        """
        new = self.unused_name(f"{name}{suffix}")
        targets = {name: [[new, 0, 0]]}
        if self.class_name(name) == "InputLayer":
            for entry in self.layers.values():
                entry["inbound_nodes"] = redirected(
                    entry["inbound_nodes"], self.layers, targets
                )
        else:
            self._config["output_layers"] = redirected(
                self._config["output_layers"], self.layers, targets
            )
        entry = {
            "module": "tf_keras.layers",
            "class_name": "Reshape",
            "config": {
                "name": new,
                "trainable": True,
                "dtype": "float32",
                "target_shape": target_shape,
            },
            "registered_name": None,
            "name": new,
            "inbound_nodes": [[[name, 0, 0, {}]]],
        }
        self._insert(self._position(name) + 1, entry, [])

    def build_model(self) -> keras.Model:
        """Returns a new model of this graph, with these weights.

        Raises:
            ConversionError: If Keras cannot make a layer of its configuration.
        """
        scope = keras.saving.custom_object_scope(self._classes)
        try:
            with generator_scope(), scope:
                model = keras.Model.from_config(self._config)
        except (TypeError, ValueError) as error:
            raise _not_copied(error) from error
        for layer in model.layers:
            layer.set_weights(self.weights[layer.name])
        return model


def _by_name(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry["config"]["name"]: entry for entry in entries}


def _rank(outputs: Any) -> int | None:
    shape = getattr(outputs, "shape", None)
    return None if shape is None else shape.rank


def _with_layers(model: keras.Model) -> keras.Model:
    """Returns a model whose configuration lists inputs, layers and calls."""
    is_sequential = isinstance(model, keras.Sequential)
    if is_sequential or "layers" not in _read_config(model):
        # Or a functional model of a class of its own.
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def _read_config(model: keras.Model) -> dict[str, Any]:
    try:
        return model.get_config()
    except (NotImplementedError, TypeError) as error:
        raise _not_copied(error) from error


def _not_copied(error: Exception) -> ConversionError:
    return ConversionError(
        "Expected layers that Keras copies by their configuration. Received: "
        f"{str(error).partition(chr(10))[0]} Give custom layers a "
        "`get_config`, and use layers instead of Lambda."
    )

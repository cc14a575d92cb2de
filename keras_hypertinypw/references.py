"""References to layers inside the configuration of a Keras model.

A reference is a list `[layer name, call, output, ...]`; what follows are the
arguments of the call that reads it, which may hold references again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

# What is read instead of each output of a layer, by layer name.
Targets = Mapping[str, Sequence[list]]


def find_references(nested: Any, names: Container[str]) -> list[str]:
    """Returns the names of the layers that are referred to inside."""
    found: list[str] = []

    def note(reference: list) -> list:
        found.append(reference[0])
        return reference

    _map_references(nested, names, note)
    return found


def redirected(nested: Any, names: Container[str], targets: Targets) -> Any:
    """Returns a copy in which `targets` are read; arguments stay.

    Args:
        nested: Lists and dictionaries with references inside.
        names: The layers of the model.
        targets: A reference for each output, by the layer that is replaced.
    """

    def redirect(reference: list) -> list:
        name, _, output, *arguments = reference
        if name not in targets:
            return reference
        return [*targets[name][output][:3], *arguments]

    return _map_references(nested, names, redirect)


def renamed(nested: Any, names: Container[str], old: str, new: str) -> Any:
    """Returns a copy in which a layer has another name."""

    def rename(reference: list) -> list:
        return [new if reference[0] == old else reference[0], *reference[1:]]

    return _map_references(nested, names, rename)


def _map_references(
    nested: Any, names: Container[str], function: Callable[[list], list]
) -> Any:
    if isinstance(nested, dict):
        return {
            key: _map_references(value, names, function)
            for key, value in nested.items()
        }
    if not isinstance(nested, (list, tuple)):
        return nested
    if (
        len(nested) >= 3
        and isinstance(nested[0], str)
        and nested[0] in names
        and isinstance(nested[1], int)
    ):
        arguments = _map_references(nested[3:], names, function)
        return function([*nested[:3], *arguments])
    return [_map_references(item, names, function) for item in nested]

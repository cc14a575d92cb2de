"""Argument checks whose errors name the argument and what came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def positive_int(name: str, value: object) -> int:
    """Returns `value` if it is an integer above zero."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(
            f"Expected `{name}` to be a positive integer. "
            f"Received: {name}={value!r}."
        )
    number = int(value.__index__())
    if number < 1:
        raise ValueError(
            f"Expected `{name}` to be a positive integer. "
            f"Received: {name}={number}."
        )
    return number


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Returns `value` if it is among `allowed`."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise ValueError(
            f"Expected `{name}` to be one of {allowed}. "
            f"Received: {name}={value!r}."
        )
    return value


def instance(name: str, value: object, cls: type[T]) -> T:
    """Returns `value` if it is an instance of `cls`."""
    if not isinstance(value, cls):
        raise TypeError(
            f"Expected `{name}` to be a {cls.__name__}. "
            f"Received: {name}={value!r} of type {type(value).__name__}."
        )
    return value

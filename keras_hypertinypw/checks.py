"""Argument checks whose errors name the argument and what came."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import SupportsIndex, TypeVar, cast

import numpy as np

T = TypeVar("T")


def positive_int(name: str, value: object) -> int:
    """Returns `value` if it is an integer above zero."""
    return _int_from(1, "a positive integer", name, value)


def non_negative_int(name: str, value: object) -> int:
    """Returns `value` if it is an integer, zero or above."""
    return _int_from(0, "zero or a positive integer", name, value)


def positive_number(name: str, value: float) -> float:
    """Returns `value` if it is above zero, and neither infinite nor NaN."""
    if not 0 < value < math.inf:
        raise ValueError(
            f"Expected `{name}` to be a positive number. "
            f"Received: {name}={value!r}."
        )
    return value


def _int_from(low: int, expected: str, name: str, value: object) -> int:
    try:
        # operator.index takes numpy's integers, but also bool.
        is_bool = isinstance(value, (bool, np.bool_))
        number = -1 if is_bool else operator.index(cast(SupportsIndex, value))
    except TypeError:
        number = -1
    if number < low:
        raise ValueError(
            f"Expected `{name}` to be {expected}. Received: {name}={value!r}."
        )
    return number


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """Returns the member of `allowed` that equals `value`."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise ValueError(
            f"Expected `{name}` to be one of {allowed}. "
            f"Received: {name}={value!r}."
        )
    # Not `value`: 4.0 == 4, but cannot shift.
    return allowed[allowed.index(value)]


def instance(name: str, value: object, cls: type[T]) -> T:
    """Returns `value` if it is an instance of `cls`."""
    if not isinstance(value, cls):
        raise TypeError(
            f"Expected `{name}` to be a {cls.__name__}. "
            f"Received: {name}={value!r} of type {type(value).__name__}."
        )
    return value

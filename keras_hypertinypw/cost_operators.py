"""What stock ops do, in numbers that the cost model multiplies.

A kind is the function that CMSIS-NN's wrappers choose. What its loops do is
counted, not what they do it for: they take four channels, and two filters or
pixels, at a time, and the rest one by one.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.cost_features import Features
from keras_hypertinypw.flatbuffer import operator_name, tensor_shape


def operator_features(
    model: schema.ModelT, operator: schema.OperatorT
) -> Features | None:
    """Returns the work of a stock op, None if the model knows none of it."""
    name = operator_name(model, operator)
    tensors = model.subgraphs[0].tensors
    inputs = [tensor_shape(tensors[i]) for i in operator.inputs if i >= 0]
    output = tensor_shape(tensors[operator.outputs[0]])
    options = operator.builtinOptions
    if name == "CONV_2D":
        return _convolution(_Window.of(options, inputs[0], inputs[1], output))
    if name == "DEPTHWISE_CONV_2D":
        window = _Window.of(options, inputs[0], inputs[1], output)
        return _depthwise(window, options.depthMultiplier)
    if name == "FULLY_CONNECTED":
        units, depth = inputs[1]
        batch = math.prod(output) // units
        amounts = {
            "call": 1,
            **_products("pair", batch * (units // 2), depth, 4),
            **_products("odd", batch * (units % 2), depth, 4),
        }
        return Features("fully_connected", amounts)
    if name == "AVERAGE_POOL_2D":
        size = options.filterHeight * options.filterWidth
        count = math.prod(output)
        amounts = {"call": 1, "output": count, "input": count * size}
        return Features("average_pool", amounts)
    if name in ("MEAN", "PAD"):
        amounts = {
            "call": 1,
            "input": math.prod(inputs[0]),
            "output": math.prod(output),
        }
        return Features(name.lower(), amounts)
    return None


@dataclasses.dataclass(frozen=True)
class _Window:
    """A kernel that slides over an input.

    Attributes:
        channels: Channels that one output sums over, or has, if depthwise.
        filters: Output channels.
        size: Values of the kernel per channel.
        positions: Height and width of the output.
        rows: Pairs of output position and kernel row within the input.
        taps: Pairs of output position and kernel position within the input.
        is_plain: Whether one step is one pixel, without dilation.
    """

    channels: int
    filters: int
    size: tuple[int, int]
    positions: tuple[int, int]
    rows: int
    taps: int
    is_plain: bool

    @classmethod
    def of(cls, options: Any, inputs, kernel, output) -> _Window:
        strides = (options.strideH, options.strideW)
        dilations = (options.dilationHFactor, options.dilationWFactor)
        same = options.padding == schema.Padding.SAME
        axes = zip(
            *(inputs[1:3], kernel[1:3], output[1:3], strides, dilations),
            strict=True,
        )
        rows, columns = (_within(*axis, same) for axis in axes)
        return cls(
            channels=kernel[3],
            filters=output[3],
            size=(kernel[1], kernel[2]),
            positions=(output[1], output[2]),
            rows=rows * output[2],
            taps=rows * columns,
            is_plain=strides == (1, 1) and dilations == (1, 1),
        )

    @property
    def pixels(self) -> int:
        """Number of positions of the output."""
        return math.prod(self.positions)


def _within(
    num_in: int, size: int, num_out: int, stride: int, dilation: int, same: bool
) -> int:
    """Counts the pairs of output and kernel position that meet the input."""
    reach = (size - 1) * dilation + 1
    before = max((num_out - 1) * stride + reach - num_in, 0) // 2 * same
    return sum(
        0 <= out * stride - before + tap * dilation < num_in
        for out in range(num_out)
        for tap in range(size)
    )


def _products(name: str, times: int, depth: int, most: int) -> dict[str, int]:
    """Sums over `depth`: `most` values at a time, then 4, then one by one."""
    return {
        name: times,
        f"{name}_{most}": times * (depth // most),
        f"{name}_4": times * (depth % most // 4 if most > 4 else depth // 4),
        f"{name}_1": times * (depth % 4),
    }


def _convolution(window: _Window) -> Features:
    depth = window.channels * math.prod(window.size)
    if window.size == (1, 1) and window.is_plain:
        return Features("conv_1x1", _matrix(1, window.pixels, window, depth))
    if window.size == (1, 1):  # A matrix for each row of the output.
        amounts = _matrix(*window.positions, window, depth)
        return Features("conv_1x1_strided", amounts)
    pixels, filters = window.pixels, window.filters
    amounts = {
        **_products("tile", pixels // 2 * (filters // 2), depth, 4),
        **_products("odd_pixel", pixels % 2 * filters, depth, 4),
        **_products("odd_filter", filters % 2 * (pixels // 2), depth, 4),
    }
    return Features("conv", {"call": 1, **amounts, **_columns(window)})


def _matrix(
    count: int, pixels: int, window: _Window, depth: int
) -> dict[str, int]:
    """The work of `count` products of filters with a row of pixels."""
    pairs, odd = divmod(window.filters, 2)
    # Two pixels and two filters make a tile.
    return {
        "call": count,
        **_products("tile", count * (pixels // 2) * pairs, depth, 16),
        **_products("odd_pixel", count * (pixels % 2) * pairs, depth, 16),
        **_products("odd_filter", count * odd * pixels, depth, 4),
        "pair": count * pairs,
        "weight": count * window.filters * depth,
    }


def _columns(window: _Window) -> dict[str, int]:
    """Copies what the kernel covers to int16, zeros outside of the input."""
    outside = window.pixels * math.prod(window.size) - window.taps
    return {
        "pixel": window.pixels,
        **_products("tap", window.taps, window.channels, 4),
        "outside": outside,
        "outside_value": outside * window.channels,
    }


def _depthwise(window: _Window, multiplier: int) -> Features:
    channels, pixels = window.filters, window.pixels
    size = math.prod(window.size)
    fours, rest = divmod(channels, 4)
    if multiplier != 1:
        amounts = {
            "call": 1,
            "pixel": pixels,
            "output": pixels * channels,
            "mac": window.taps * channels,
        }
        return Features("depthwise_multiplied", amounts)
    amounts = {
        "call": 1,
        "four": pixels * fours,
        "one": pixels * rest,
    }
    if window.size == (3, 3):
        amounts |= {
            "pixel": pixels,
            "four_row": window.rows * fours,
            "four_tap": window.taps * fours,
            "one_row": window.rows * rest,
            "one_tap": window.taps * rest,
        }
        return Features("depthwise_3x3", amounts)
    amounts |= {
        "four_two_taps": pixels * fours * (size // 2),
        "four_odd_tap": pixels * fours * (size % 2),
        "one_tap": pixels * rest * size,
    }
    return Features("depthwise", {**amounts, **_columns(window)})

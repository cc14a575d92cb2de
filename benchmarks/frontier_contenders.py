"""The contenders of the frontier: how each makes its pointwise kernels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from keras_hypertinypw import HyperPointwise, WeightGenerator  # isort: skip
import frontier_lut
import numpy as np
import tf_keras as keras
from frontier_layers import OwnLevels, TiedKernel, split_low_rank, unsigned

from keras_hypertinypw.bias_narrowing import narrow_biases
from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.generator import BaseGenerator
from keras_hypertinypw.int4 import pack_int4
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.op_builds import Build
from keras_hypertinypw.runs import to_tflite
from keras_hypertinypw.slim import slim

_GENERATOR_SEED = 0
_NOT_POINTWISE = ("stem", "depthwise", "logits")  # Parts of names.


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to spend the bytes.

    Attributes:
        family: What the table groups by.
        generator: Makes the generator of a network of that many channels,
            None for stored kernels.
        keep_first: Whether the first pointwise kernel is stored all the same.
        per_channel: Whether each filter of a generated kernel has a scale of
            its own.
        kernel_bits: Of stored kernels, 8 or 4.
        kernel_per_channel: Whether each channel of those has a scale of its
            own.
        least_width: Least channels; a kernel has to hold a block.
        rewrite: Changes the float network.
        finish: Changes the slimmed file.
        narrow: Whether biases take eight bits, and WidenBias to read them.
        fixed: Whether the generator is random and stays so, the same in every
            network, so that several can share it without training together.
        op_build: How the ops are compiled that its file needs.
    """

    family: str
    generator: Callable[[int], BaseGenerator] | None = None
    keep_first: bool = True
    per_channel: bool = True
    kernel_bits: int = 8
    kernel_per_channel: bool = True
    least_width: int = 2
    rewrite: Callable[[keras.Model], keras.Model] | None = None
    finish: Callable[[bytes], bytes] | None = None
    narrow: bool = False
    fixed: bool = False
    op_build: Build = "small"

    @property
    def needs_op(self) -> bool:
        """Whether firmware needs GeneratePW."""
        return self.family == "generated"

    @property
    def has_codes(self) -> bool:
        """Whether pointwise kernels are made of codes that learn."""
        return self.family in ("generated", "lut")

    def build(
        self,
        network: Callable[..., keras.Model],
        input_shape: tuple[int, ...],
        num_classes: int,
        width: int,
    ) -> keras.Model:
        """Returns a freshly initialized float network."""
        model = network(
            input_shape,
            num_classes,
            width=width,
            generator=self.generator and self.generator(width),
            keep_first=self.keep_first,
            per_channel=self.per_channel,
        )
        if self.fixed:
            _fix_generator(model)
        return self.rewrite(model) if self.rewrite else model

    def convert(self, model: keras.Model) -> bytes:
        """Returns the file of a quantized model, before slimming."""
        if self.finish:
            # What `finish` compresses must not be packed.
            return pack_int4(to_dense_tflite(model), layers=_NOT_POINTWISE)
        content = to_tflite(
            model,
            stored=not self.needs_op,
            kernel_bits=self.kernel_bits,
            verify=False,  # `frontier_training` compares trained ones.
        )
        return narrow_biases(content) if self.narrow else content

    def dense(self, model: keras.Model) -> bytes:
        """Returns the same network without custom ops, to be scored."""
        content = to_dense_tflite(model)
        return materialize(narrow_biases(content)) if self.narrow else content

    def shrink(self, content: bytes) -> bytes:
        """Returns the file as it is flashed."""
        return self.finished(slim(content))

    def finished(self, slimmed: bytes) -> bytes:
        """Returns a slimmed file as it is flashed."""
        return self.finish(slimmed) if self.finish else slimmed


def _fix_generator(model: keras.Model) -> None:
    """Gives a generator of one hidden layer seeded values, and freezes it."""
    generator = next(
        layer.generator
        for layer in model.layers
        if isinstance(layer, HyperPointwise)
    )
    rng = np.random.default_rng(_GENERATOR_SEED)
    for weight in generator.weights:
        if weight.shape.rank == 2:  # Biases start at 0.
            # As `WeightGenerator` does: hidden layer, last layer and skip.
            gain = 2.0 if "kernel_0" in weight.name else 0.5
            stddev = np.sqrt(gain / weight.shape[0])
            weight.assign(rng.normal(0, stddev, weight.shape))
    generator.trainable = False


def _generated(
    *,
    per_channel: bool = True,
    narrow: bool = False,
    fixed: bool = False,
    op_build: Build = "small",
    kernel_per_channel: bool = True,
    **options: Any,
) -> Contender:
    """Generates every pointwise kernel, and stores the rest in four bits.

    Options are those of `WeightGenerator`, where they are not its defaults.
    """
    return Contender(
        "generated",
        lambda width: WeightGenerator(**options, name="generator"),
        keep_first=False,
        per_channel=per_channel,
        kernel_bits=4,
        kernel_per_channel=kernel_per_channel,
        least_width=8,
        narrow=narrow,
        fixed=fixed,
        op_build=op_build,
    )


def _lut(bits: int) -> Contender:
    """Stores pointwise kernels of few bits as TFLM's compression does."""
    return Contender(
        "lut",
        lambda width: OwnLevels(bits),
        keep_first=False,
        kernel_bits=4,
        least_width=8,
        finish=functools.partial(frontier_lut.compress, index_bits=bits),
    )


_SMALL = {"hidden_units": (8,), "code_dim": 8, "block_size": 8}


def _lean(**options: Any) -> Contender:
    """Generates every pointwise kernel, with all else that saves bytes."""
    return _generated(
        **options,
        per_channel=False,
        narrow=True,
        op_build="compact",
    )


_INT4_LEAST = Contender(
    "int4", kernel_bits=4, narrow=True, op_build="unchecked"
)

# Generated ones are named by bits of code per weight.
CONTENDERS = {
    "stored_int8": Contender("stored_int8"),
    "int4": Contender("int4", kernel_bits=4),
    "int4_bias8": Contender("int4", kernel_bits=4, narrow=True),
    "gen_1": _generated(),
    "gen_0.5": _generated(block_size=32, hidden_units=(32,)),
    "gen_2": _generated(code_bits=2),
    "gen_1_small": _generated(**_SMALL),
    "gen_1_small_bias8": _generated(**_SMALL, narrow=True),
    "gen_2_small_bias8": _generated(**_SMALL, code_bits=2, narrow=True),
    "gen_1_one_scale": _generated(per_channel=False),
    "gen_1_bias8": _generated(narrow=True),
    "gen_1_lean": _lean(),
    "gen_1_least": _lean(**_SMALL),
    "gen_2_lean": _lean(code_bits=2),
    "gen_2_least": _lean(**_SMALL, code_bits=2),
    "int4_least": _INT4_LEAST,
    "int4_bare": dataclasses.replace(_INT4_LEAST, kernel_per_channel=False),
    "gen_1_bare": _lean(kernel_per_channel=False),
    "gen_2_bare": _lean(**_SMALL, code_bits=2, kernel_per_channel=False),
    "gen_1_fixed": _generated(fixed=True),
    "tied": Contender("tied", TiedKernel, rewrite=unsigned),
    "lut_1": _lut(1),
    "lut_2": _lut(2),
    "low_rank": Contender("low_rank", rewrite=split_low_rank),
}

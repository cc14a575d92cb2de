"""The contenders of the frontier: how each makes its pointwise kernels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from keras_hypertinypw import WeightGenerator  # isort: skip
import tf_keras as keras
from frontier_layers import TiedKernel, split_low_rank

from keras_hypertinypw.generator import BaseGenerator
from keras_hypertinypw.runs import to_tflite


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to spend the bytes.

    Attributes:
        family: What the table groups by.
        generator: Makes the generator of a network of that many channels,
            None for stored kernels.
        keep_first: Whether the first pointwise kernel is stored all the same.
        kernel_bits: Of stored kernels, 8 or 4.
        least_width: Least channels; a kernel has to hold a block.
        rewrite: Changes the float network.
    """

    family: str
    generator: Callable[[int], BaseGenerator] | None = None
    keep_first: bool = True
    kernel_bits: int = 8
    least_width: int = 2
    rewrite: Callable[[keras.Model], keras.Model] | None = None

    @property
    def needs_op(self) -> bool:
        """Whether firmware needs GeneratePW."""
        return self.family == "generated"

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
        )
        return self.rewrite(model) if self.rewrite else model

    def convert(self, model: keras.Model) -> bytes:
        """Returns the file of a quantized model, before slimming."""
        return to_tflite(
            model,
            stored=not self.needs_op,
            kernel_bits=self.kernel_bits,
            verify=False,  # `frontier_training` compares trained ones.
        )


def _generated(
    code_bits: int, code_dim: int, block_size: int, hidden_units: int
) -> Contender:
    """Generates every pointwise kernel, and stores the rest in four bits."""
    return Contender(
        "generated",
        lambda width: WeightGenerator(
            (hidden_units,),
            code_dim,
            code_bits,
            block_size,
            use_skip=True,
            name="generator",
        ),
        keep_first=False,
        kernel_bits=4,
        least_width=8,
    )


# Generated ones are named by bits of code per weight.
CONTENDERS = {
    "stored_int8": Contender("stored_int8"),
    "int4": Contender("int4", kernel_bits=4),
    "gen_1": _generated(1, 16, 16, 16),
    "gen_0.5": _generated(1, 16, 32, 32),
    "gen_2": _generated(2, 16, 16, 16),
    "tied": Contender("tied", TiedKernel),
    "low_rank": Contender("low_rank", rewrite=split_low_rank),
}

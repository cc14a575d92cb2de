"""What a `.tflite` would take if it were slimmed, packed or generated."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from keras_hypertinypw import integer
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    write_model,
)
from keras_hypertinypw.formatting import format_bytes
from keras_hypertinypw.generator_defaults import (
    BLOCK_SIZE,
    CODE_BITS,
    CODE_DIM,
    HIDDEN_UNITS,
    USE_SKIP,
)
from keras_hypertinypw.int4 import pack_int4
from keras_hypertinypw.kernel_search import find_kernel_tensors
from keras_hypertinypw.op_insertion import (
    generate_operators,
    insert_generate_ops,
)
from keras_hypertinypw.op_size import op_code_bytes
from keras_hypertinypw.slim import slim
from keras_hypertinypw.spec import (
    DenseSpec,
    GeneratorSpec,
    PointwiseSpec,
    decode_levels,
)


@dataclasses.dataclass(frozen=True)
class Savings:
    """Sizes of other forms of a file, in bytes, each slimmed.

    Attributes:
        file_bytes: The file as it is.
        slimmed_bytes: After `slim`: the same values at the same places.
        int4_bytes: After `pack_int4`, which costs some accuracy; None where
            nothing can be packed.
        generated_bytes: With every pointwise kernel but the first generated
            by a `WeightGenerator` of default size, which has to be trained;
            None where there is none, or GeneratePW is there already. The
            op's code comes on top, once for a firmware: `op_code_bytes`.
        num_kernels: How many kernels that would generate.
    """

    file_bytes: int
    slimmed_bytes: int
    int4_bytes: int | None
    generated_bytes: int | None
    num_kernels: int

    def rows(self) -> list[tuple[str, int | None, str]]:
        """Returns name, size and what it takes to get there, form by form."""
        return [
            ("slimmed", self.slimmed_bytes, "hypertinypw slim: no value moves"),
            (
                "int4, slimmed",
                self.int4_bytes,
                "hypertinypw int4: costs some accuracy"
                if self.int4_bytes is not None
                else "no stored int8 kernel that can be packed",
            ),
            (
                "generated, slimmed",
                self.generated_bytes,
                f"{self.num_kernels} kernels at 1 bit a weight, to be trained; "
                f"{op_code_bytes():,} B of code on top"
                if self.num_kernels
                else "there already, or no pointwise kernel behind the first",
            ),
        ]

    def __str__(self) -> str:
        lines = ["smaller forms, built"]
        for name, size, note in self.rows():
            if size is None:
                lines.append(f"{name:<24}{'-':>9}{'':>20}  {note}")
            else:
                saved = 1 - size / self.file_bytes
                lines.append(
                    f"{name:<24}{size:>9,}{format_bytes(size):>12}"
                    f"{-saved:>8.1%}  {note}"
                )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)


def measure_savings(model_content: bytes) -> Savings:
    """Builds each form of a file, and counts its bytes.

    Sizes are exact, but that a trained kernel may happen to hold equal codes
    twice; whether a form is accurate enough is for data to say.

    Args:
        model_content: Bytes of a `.tflite`, with or without GeneratePW.

    Raises:
        ConversionError: If the file is damaged.
    """
    slimmed = slim(model_content, verify=False)
    try:
        int4_bytes = len(slim(pack_int4(slimmed), verify=False))
    except ConversionError:  # Nothing to pack.
        int4_bytes = None
    generated, num_kernels = _generate(model_content)
    return Savings(
        len(model_content),
        len(slimmed),
        int4_bytes,
        len(slim(generated, verify=False)) if num_kernels else None,
        num_kernels,
    )


def _generate(model_content: bytes) -> tuple[bytes, int]:
    """Gives pointwise kernels random codes instead of their weights.

    Returns:
        A file of the size that training would lead to, and how many kernels
        are generated in it.
    """
    model = read_model(model_content)
    if generate_operators(model):
        return model_content, 0
    pointwise = [
        kernel
        for kernel in find_kernel_tensors(model)
        if kernel.data.ndim == 4 and kernel.data.shape[1:3] == (1, 1)
    ]
    rng = np.random.default_rng(0)
    generator = _random_generator(rng)
    specs = []
    for kernel in pointwise[1:]:  # The first costs most accuracy.
        if kernel.data.size < BLOCK_SIZE:
            continue
        num_blocks = -(-kernel.data.size // BLOCK_SIZE)
        fields = rng.integers(0, 1 << CODE_BITS, (num_blocks, CODE_DIM))
        spec = PointwiseSpec(
            kernel.name,
            generator,
            decode_levels(fields.astype(np.int32), CODE_BITS),
            CODE_BITS,
            kernel.data.shape,
            np.zeros(kernel.data.shape[0], bool),
        )
        data = integer.synthesize(spec).tobytes()
        tensor = model.subgraphs[0].tensors[kernel.index]
        tensor.buffer = add_buffer(model, data)
        specs.append(spec)
    return insert_generate_ops(write_model(model), specs), len(specs)


def _random_generator(rng: np.random.Generator) -> GeneratorSpec:
    def dense(num_out: int, num_in: int) -> DenseSpec:
        weights = rng.integers(-127, 128, (num_out, num_in)).astype(np.int8)
        return DenseSpec(weights, weights[:, 0], 0, 8)

    sizes = itertools.pairwise((CODE_DIM, *HIDDEN_UNITS, BLOCK_SIZE))
    layers = tuple(dense(num_out, num_in) for num_in, num_out in sizes)
    skip = dense(BLOCK_SIZE, CODE_DIM).weights if USE_SKIP else None
    return GeneratorSpec(layers, skip)

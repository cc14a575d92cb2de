"""What synthesis does, in numbers that the cost model multiplies.

`cost_operators.py` does the same for stock ops.
"""

from __future__ import annotations

import dataclasses

from keras_hypertinypw.spec import PointwiseSpec, padded

# As in `tflm_ops/generate_pw_lanes.{h,cc}`.
LANES = 4
GROUP = 4
MAX_LANE_WIDTH = 64


@dataclasses.dataclass(frozen=True)
class Features:
    """Amounts of work of one op.

    Attributes:
        kind: Which coefficients apply: a path through the code that runs.
        amounts: Number of times that each thing is done, by name.
    """

    kind: str
    amounts: dict[str, int]


def synthesis_features(spec: PointwiseSpec) -> Features:
    """Returns the work of one synthesis of a layer's kernel."""
    generator = spec.generator
    hidden = [layer.num_out for layer in generator.layers[:-1]]
    signs = {
        "negated_weight": int(spec.row_signs.sum())
        * (spec.num_weights // spec.rows),
        "row": spec.rows * bool(spec.row_signs.any()),
    }
    if max([generator.code_dim, *hidden]) > MAX_LANE_WIDTH:
        return Features("synthesis_blocks", {**_block_work(spec), **signs})
    passes = -(-spec.num_blocks // LANES)
    has_skip = generator.skip_weights is not None
    code_groups = padded(generator.code_dim) // GROUP
    # A single block in the last pass ends where the kernel does.
    outputs = passes * generator.block_size
    if spec.num_blocks % LANES == 1:
        outputs -= -spec.num_weights % generator.block_size
    *hidden_layers, last = generator.layers
    groups = passes * sum(
        layer.num_out * padded(layer.num_in) // GROUP for layer in hidden_layers
    )
    groups += outputs * (padded(last.num_in) // GROUP + code_groups * has_skip)
    return Features(
        "synthesis_lanes",
        {
            "call": 1,
            "pass": passes,
            "layer": passes * len(generator.layers),
            "code": passes * LANES * generator.code_dim,
            "group": groups,
            "hidden_output": passes * sum(hidden),
            "output": outputs,
            "skip_output": outputs * has_skip,
            "skip_code": passes * LANES * code_groups * GROUP * has_skip,
            **signs,
        },
    )


def _block_work(spec: PointwiseSpec) -> dict[str, int]:
    """Returns the work of one block after the other, the last one cut off."""
    *hidden, last = spec.generator.layers
    num_in = last.num_in
    outputs = 1
    if spec.generator.skip_weights is not None:
        num_in += spec.generator.code_dim
        outputs = 2
    return {
        "call": 1,
        "block": spec.num_blocks,
        "layer": spec.num_blocks * len(spec.generator.layers),
        "code": spec.num_blocks * spec.generator.code_dim,
        "mac": spec.num_blocks * sum(w.num_in * w.num_out for w in hidden)
        + spec.num_weights * num_in,
        "hidden_output": spec.num_blocks * sum(w.num_out for w in hidden),
        "output": spec.num_weights * outputs,
    }

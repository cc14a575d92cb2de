"""What a rate term in the loss buys: codes of four bits, each at its price.

    python benchmarks/code_rate.py

Trains `gen_2_least` of 40 words in 8 kB (seed 0) once more, with codes of four
bits and their entropy, under a prior for each layer, in the loss. An ideal
coder would bring those codes to their entropy; without the term, codes of two
bits are what the file has. Codes learn in float alone, so the term acts there.
Resumable; of the scores only those of the validation split are read. Writes
`results/code_rate.json`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import frontier
import frontier_training
import markdown_table
import measured_table
from frontier_contenders import CONTENDERS, Contender
from frontier_entropy import entropy
from frontier_rows import read_rows
from frontier_tasks import TASKS

from keras_hypertinypw import generator as generators  # isort: skip
import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import HyperPointwise, WeightGenerator, fake_quant
from keras_hypertinypw.files import write_json
from keras_hypertinypw.layers import code_spread
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.quantization import find_generators

RESULTS = pathlib.Path(__file__).parent / "results" / "code_rate.json"
HEADER = (
    "| Nats a bit in the loss | Bits of a code | Its entropy | All codes, at "
    "best | macro-F1, validation |"
)
_TASK, _NAME, _BUDGET_KB, _SEED = "arabic_40", "gen_2_least", 8, 0
_CODE_BITS = 4
_NATS_PER_BIT = (None, 3e-5, 1e-4)
_LEAST = 1e-6


@keras.saving.register_keras_serializable(package="frontier")
class CodeRate(keras.regularizers.Regularizer):
    """Bits of a layer's codes, under a normal prior of their own spread.

    Uniform noise stands for rounding, as in Ballé et al. 2017, "End-to-end
    Optimized Image Compression".

    Args:
        nats_per_bit: What a bit costs in the loss.
    """

    def __init__(self, nats_per_bit: float) -> None:
        self.nats_per_bit = nats_per_bit

    def __call__(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the term of one layer."""
        # Levels are odd.
        steps = codes * (2.0**fake_quant.LEARNED_EXPONENT / 2)
        noisy = steps + tf.random.uniform(tf.shape(steps), -0.5, 0.5)
        spread = tf.sqrt(2.0 * tf.reduce_mean(steps**2) + _LEAST)
        ends = [tf.math.erf((noisy + side) / spread) for side in (-0.5, 0.5)]
        share = 0.5 * (ends[1] - ends[0])
        bits = -tf.math.log(share + _LEAST) / np.log(2)
        return self.nats_per_bit * tf.reduce_sum(bits)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for `from_config`."""
        return {"nats_per_bit": self.nats_per_bit}


def priced(nats_per_bit: float) -> Contender:
    """Returns the contender with codes of four bits that have a price.

    Args:
        nats_per_bit: What a bit costs in the loss.
    """
    base = CONTENDERS[_NAME]
    coarse = base.generator(1)  # Of every width the same.
    spread = code_spread(coarse.code_bits)

    def change(layer: keras.layers.Layer) -> keras.layers.Layer:
        options = {
            "code_initializer": keras.initializers.TruncatedNormal(0.0, spread),
            "code_regularizer": CodeRate(nats_per_bit),
        }
        is_generated = isinstance(layer, HyperPointwise)
        config = layer.get_config() | (options if is_generated else {})
        return type(layer).from_config(config)

    def rewrite(model: keras.Model) -> keras.Model:
        with generators.generator_scope():
            changed = keras.models.clone_model(model, clone_function=change)
        generator = find_generators(changed)[0]
        # Codes start with the spread of the coarse ones.
        for weight in (generator.kernels[0], generator.skip_kernel):
            weight.assign(weight * (code_spread(_CODE_BITS) / spread))
        return changed

    config = coarse.get_config() | {"code_bits": _CODE_BITS}
    return dataclasses.replace(
        base,
        generator=lambda width: WeightGenerator.from_config(config),
        rewrite=rewrite,
    )


def measure(nats_per_bit: float | None, width: int) -> dict[str, Any]:
    """Trains a network, and returns its line.

    Args:
        nats_per_bit: What a bit costs in the loss; None for the contender as
            it is.
        width: Channels of the network.
    """
    name, contender = _NAME, CONTENDERS[_NAME]
    if nats_per_bit is not None:
        name, contender = f"rate_{nats_per_bit:g}", priced(nats_per_bit)
    folder = frontier.folder(_TASK, name, width, _SEED)
    scores = frontier_training.run(
        _TASK,
        TASKS[_TASK],
        contender,
        width,
        _SEED,
        frontier.load(_TASK),
        folder,
    )
    content = contender.shrink((folder / "model.tflite").read_bytes())
    codes = [spec.codes for spec in read_specs(content)]
    return {
        "nats_per_bit": nats_per_bit,
        "code_bits": contender.generator(width).code_bits,
        "num_codes": sum(array.size for array in codes),
        "ideal_bits": sum(array.size * entropy(array) for array in codes),
        "val_macro_f1": scores[_TASK]["val_macro_f1"],
    }


def table() -> str:
    """Returns the table of what was measured, in Markdown."""
    lines = markdown_table.head(HEADER)
    lines += [
        f"| {row['nats_per_bit'] or 'none'} | {row['code_bits']} | "
        f"{row['ideal_bits'] / row['num_codes']:.2f} bits | "
        f"{row['ideal_bits'] / 8:,.0f} B | {row['val_macro_f1']:.3f} |"
        for row in json.loads(RESULTS.read_text())
    ]
    return "\n".join(lines)


def run() -> None:
    """Measures, and writes."""
    place = {"task": _TASK, "contender": _NAME, "budget_kb": _BUDGET_KB}
    width = next(
        row["width"] for row in read_rows() if place.items() <= row.items()
    )
    write_json(RESULTS, [measure(price, width) for price in _NATS_PER_BIT])


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)

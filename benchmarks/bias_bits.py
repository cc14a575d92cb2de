"""What biases of fewer bits cost: why WidenBias has eight.

    python benchmarks/bias_bits.py

Rounds the 32-bit biases of the networks in `examples/given/` to a few bits,
times one power of two for each layer, and scores them on the validation split
(the test split is not looked at). Writes `results/bias_bits.json`.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import frontier
import frontier_tasks
import frontier_training
import markdown_table
import measured_table

from keras_hypertinypw import materialize  # isort: skip
import numpy as np

from keras_hypertinypw.bias_narrowing import round_bias
from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.files import write_json
from keras_hypertinypw.flatbuffer import (
    operator_name,
    read_model,
    tensor_data,
    write_model,
)

GIVEN = pathlib.Path(__file__).resolve().parent.parent / "examples" / "given"
RESULTS = pathlib.Path(__file__).parent / "results" / "bias_bits.json"
HEADER = "| Network | Bits of a bias | Biases | macro-F1, validation |"
_TASKS = ("arabic_40", "mitdb")
_BITS = (32, 8, 7, 6, 5)
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def round_biases(dense: bytes, bits: int) -> tuple[bytes, int]:
    """Rounds every layer's biases to `bits` and a shift.

    Args:
        dense: Bytes of an int8 `.tflite`.
        bits: Of a bias, its sign included.

    Returns:
        The file with biases that are multiples of their layer's power of two,
        and how many there are.
    """
    model = read_model(dense)
    graph = model.subgraphs[0]
    biases = {
        operator.inputs[2]
        for operator in graph.operators
        if operator_name(model, operator) in _LAYERS and operator.inputs[2] >= 0
    }
    count = 0
    for index in biases:
        tensor = graph.tensors[index]
        values = tensor_data(model, tensor)
        count += values.size
        steps, shift = round_bias(values, bits=bits)
        rounded = (steps << shift).astype("<i4")
        model.buffers[tensor.buffer].data = rounded.view(np.uint8)
    return write_model(model), count


def measure(task: str) -> list[dict[str, Any]]:
    """Returns a line for each number of bits.

    Args:
        task: One of `_TASKS`, which is the name of its file, too.
    """
    dense = materialize((GIVEN / f"{task}.tflite").read_bytes())
    validation = frontier.load(task)["validation"]
    y, num_classes = frontier_tasks.truth(task, validation)
    metric = metrics.macro_f1.over(num_classes)
    found = []
    for bits in _BITS:
        rounded, count = round_biases(dense, bits)
        logits = frontier_training.predict(rounded, validation.x)
        found.append(
            {
                "task": task,
                "bits": bits,
                "biases": count,
                "val_macro_f1": metric(y, logits.argmax(axis=1)),
            }
        )
    return found


def table() -> str:
    """Returns the table of what was measured, in Markdown."""
    lines = markdown_table.head(HEADER)
    lines += [
        f"| {row['task']} | {row['bits']} | {row['biases']:,} | "
        f"{row['val_macro_f1']:.4f} |"
        for row in json.loads(RESULTS.read_text())
    ]
    return "\n".join(lines)


def run() -> None:
    """Measures, and writes."""
    write_json(RESULTS, [line for task in _TASKS for line in measure(task)])


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)

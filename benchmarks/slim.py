"""How much smaller `slim` makes stock int8 files, and how near to the bound.

    python benchmarks/slim.py

Builds the DS-CNN of MLPerf Tiny's keyword spotting, the ECG network with
stored kernels and MobileNet 0.25 for 96x96 images and two classes, and
quantizes them after training, int8 throughout, with the stock converter; takes
the files of `examples/mitdb` as they are. Writes `results/slim.json` and prints
the README's table. The networks are calibrated and not trained: sizes do not
depend on what the weights are. The bound is the constants and the scales of
weights in the slimmed file.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from device_networks import EXAMPLES, SEED, mobilenet, settle  # isort: skip
import markdown_table
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import slim
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.models import ds_cnn, ecg_network
from keras_hypertinypw.progress import stage
from keras_hypertinypw.slim_comparison import compare
from keras_hypertinypw.slim_report import report

FOLDER = pathlib.Path(__file__).resolve().parent
RESULTS = FOLDER / "results" / "slim.json"
HEADER = "| File | Before | Slimmed | Smaller by | Slimmed / bound |"
NUM_INPUTS = 200


def quantized(model: keras.Model) -> bytes:
    """Quantizes a model after training, with the stock converter."""
    inputs = settle(model)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in inputs)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


FILES: dict[str, Callable[[], bytes]] = {
    "DS-CNN, 49x10": lambda: quantized(ds_cnn((49, 10, 1), 12)),
    "ECG network": lambda: quantized(ecg_network((256, 3), 4)),
    "MobileNet 0.25, 96x96": lambda: quantized(mobilenet()),
    "`examples/mitdb`, stored": (EXAMPLES / "stored.tflite").read_bytes,
    "`examples/mitdb`, generated": (EXAMPLES / "generated.tflite").read_bytes,
}


def measure(content: bytes, *, desktop: bool) -> dict[str, Any]:
    """Slims a file, runs both and returns the figures."""
    slimmed = slim(content, desktop=desktop, verify=False)
    comparison = compare(
        content, slimmed, desktop=desktop, num_inputs=NUM_INPUTS
    )
    sizes = report(content, slimmed, comparison)
    figures = sizes.to_dict()
    del figures["comparison"]
    return {
        **figures,
        "ratio_to_bound": len(slimmed) / sizes.bound_bytes,
        # Otherwise `compare` raises.
        "identical": bool(comparison.num_values),
        "values_compared": comparison.num_values,
        "distinct_values": comparison.num_distinct,
    }


def table(results: dict[str, Any]) -> str:
    """Returns the table in Markdown."""
    lines = markdown_table.head(HEADER)
    for name, found in results.items():
        figures = found["tflm"]
        before, after = figures["bytes_before"], figures["bytes_after"]
        lines.append(
            f"| {name} | {before:,} B | {after:,} B | {1 - after / before:.0%} "
            f"| {figures['ratio_to_bound']:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures every file."""
    results = {}
    for name, build in FILES.items():
        keras.utils.set_random_seed(SEED)
        content = build()
        with stage(name):
            results[name] = {
                "tflm": measure(content, desktop=False),
                "desktop": measure(content, desktop=True),
            }
    text = json.dumps(results, indent=1) + "\n"
    write_atomically(RESULTS, text.encode())
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
